"""wire and domain are plain functions: nothing there waits, so nothing there can be cancelled half-way."""

import ast
from pathlib import Path

import pytest

from tests.house.tree import modules, parsed, within


@pytest.mark.parametrize("path", modules("wire", "domain"), ids=within)
def test_nothing_in_wire_or_domain_is_async(path: Path) -> None:
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [node.lineno for node in ast.walk(parsed(path)) if isinstance(node, waiting)] == []
