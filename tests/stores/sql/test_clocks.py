"""S-01: the clock of the database's machine may be wrong; nothing asks it."""

import re
from pathlib import Path

import pytest
from visiona.stores import sql

ROOT = Path(sql.__path__[0])
TEXTS = sorted([*ROOT.rglob("*.py"), *ROOT.rglob("*.sql")])

_CLOCK = re.compile(
    r"(?i:\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|strftime|unixepoch|julianday)\s*\()"
    r"|\b(CURRENT_TIMESTAMP|CURRENT_DATE|CURRENT_TIME|LOCALTIME|LOCALTIMESTAMP)\b"
)
OURS = "datetime.now("


def asks(text: str) -> list[str]:
    return [match[0] for match in _CLOCK.finditer(text.replace(OURS, ""))]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_s01_no_question_asks_the_databases_clock(path: Path) -> None:
    assert asks(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", ["WHERE at < now()", "DEFAULT CURRENT_TIMESTAMP", "strftime('%s', 'now')"])
def test_it_would_be_seen(text: str) -> None:
    assert asks(text)
    assert not asks("datetime.now(UTC)")
