"""S-01: the clock of the database's machine may say what it likes: no question and no table asks for it."""

import re

import pytest

from tests.house.tree import ROOT

ASKED = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|unixepoch|strftime)\s*\("
    r"|(?<!trio\.)\bcurrent_(timestamp|time|date)\b|\blocaltime(stamp)?\b|'now'",
    re.IGNORECASE,
)
OURS = re.compile(r"\b(datetime\.now|services\.clock\.now|clock\.now)\(")
TEXTS = sorted(path for kind in ("*.py", "*.sql") for path in (ROOT / "visiona/stores/sql").rglob(kind))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_s01_no_question_asks_the_database_for_the_time(path: object) -> None:
    text = OURS.sub("", path.read_text())
    assert [found[0] for found in ASKED.finditer(text)] == []


def test_a_question_that_did_would_be_found() -> None:
    for text in (
        "VALUES (now())",
        "DEFAULT CURRENT_TIMESTAMP",
        "datetime('now')",
        "WHERE at < clock_timestamp ()",
    ):
        assert ASKED.search(text)
    assert len(TEXTS) > 30
