"""Rules of the house that no linter knows."""

import ast
import subprocess
from pathlib import Path

import pytest

from tests.house.tree import PACKAGE, ROOT, modules, parsed, within

LONGEST_FILE = 400
"""Lines; past this a file holds more than one concept."""

DRAWERS = {"utils", "helpers", "common", "manager", "base", "misc"}

CONTAINMENT = {"visiona/relay/containment.py"}
"""Where every error of one device or one stream is stopped; a new entry needs its reason in the architecture notes."""


def imports_of_the_root(tree: ast.Module) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(alias.name == "visiona" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "visiona")
    ]


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Whether errors that nobody named end here; cleaning up and raising again is not an end."""
    if isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None:
        return False
    named = (
        {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
        if handler.type
        else {"Exception"}
    )
    return bool(named & {"Exception", "BaseException"})


@pytest.mark.parametrize("path", modules(), ids=within)
def test_no_module_imports_visiona_itself(path: Path) -> None:
    assert imports_of_the_root(parsed(path)) == []


@pytest.mark.parametrize("path", modules(), ids=within)
def test_a_file_holds_one_concept(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    assert path.stem not in DRAWERS


@pytest.mark.parametrize("path", modules(), ids=within)
def test_only_the_containment_points_catch_everything(path: Path) -> None:
    handlers = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.ExceptHandler)]
    wide = [handler.lineno for handler in handlers if catches_everything(handler)]
    assert wide == [] or within(path) in CONTAINMENT


@pytest.mark.parametrize("path", modules(), ids=within)
def test_a_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(parsed(path)) or not path.read_text(encoding="utf-8").strip()


def test_each_module_has_its_test() -> None:
    def has_test(module: Path) -> bool:
        folder = ROOT / "tests" / module.relative_to(PACKAGE).parent
        return any(folder.glob(f"test_{module.stem}*.py"))

    wanted = [path for path in modules("wire", "domain") if path.stem != "__init__"]
    assert [within(path) for path in wanted if not has_test(path)] == []


def test_nothing_of_a_workplace_is_in_the_tree() -> None:
    found = subprocess.run(
        ["git", "grep", "-nIE", r"/(work|farm|root)/", "--", ".", ":!tests/house/test_rules.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
