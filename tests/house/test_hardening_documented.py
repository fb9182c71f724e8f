"""docs/hardening.md and the tests say the same: an id with a test has its line, and a line's tests are there."""

import re
from collections import defaultdict

from tests.house.tree import ROOT

TESTS = ROOT / "tests"
PAGE = ROOT / "docs" / "hardening.md"
_TEST = re.compile(r"def test_((?:[atphms]\d\d_)+)")
"""Ids stand in front: `h11` further back in a name is the library."""


def shown() -> dict[str, set[str]]:
    """Ids in the names of tests → the files they are in."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for ids in _TEST.findall(path.read_text(encoding="utf-8")):
            for id_ in ids.strip("_").split("_"):
                found[f"{id_[0].upper()}-{id_[1:]}"].add(path.relative_to(TESTS).as_posix())
    return found


def lines() -> dict[str, list[str]]:
    """Ids on the page → the files it names for them."""
    rows = re.findall(r"^\| ([A-Z]-\d\d) \|.*\| ([^|]*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {id_: re.findall(r"`([^`]+)`", files) for id_, files in rows}


def test_each_id_that_a_test_names_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert sorted(id_ for id_ in shown() if id_ not in page) == []


def test_each_test_file_that_the_page_names_shows_its_id() -> None:
    there = shown()
    wrong = [f"{id_} {file}" for id_, files in lines().items() for file in files if file not in there[id_]]
    assert wrong == []
    assert all(lines().values())
