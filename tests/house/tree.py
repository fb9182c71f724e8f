"""The checkout as the house tests see it: its modules and their parsed text."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "visiona"


def modules(*floors: str) -> list[Path]:
    """Every module below the named packages of visiona (all of it when none is named)."""
    folders = [PACKAGE / floor for floor in floors] or [PACKAGE]
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def within(path: Path) -> str:
    """The path as a reader of the repository writes it."""
    return path.relative_to(ROOT).as_posix()
