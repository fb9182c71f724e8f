"""A setting without its line in the reference fails here."""

from pathlib import Path

import pytest
from visiona.config.keys import Key, all_keys
from visiona.config.values import shown

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def rows() -> dict[str, list[str]]:
    lines = [line for line in REFERENCE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("`"): row for row in cells}


@pytest.mark.parametrize("key", all_keys().values(), ids=lambda key: key.name)
def test_a_key_has_its_line_with_its_variable_and_its_default(key: Key) -> None:
    _, environment, default, meaning = rows()[key.name]
    assert environment == f"`{key.environment}`"
    assert len(meaning) > 10
    value = shown(key.default)
    if isinstance(value, bool):
        assert default == f"`{str(value).lower()}`"
    elif value and not isinstance(value, list):
        assert default == f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def test_the_reference_has_no_line_for_what_cannot_be_set() -> None:
    assert set(rows()) == set(all_keys())
