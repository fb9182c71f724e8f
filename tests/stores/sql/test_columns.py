import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from visiona.domain.devices import Accelerator, AcceleratorStatus
from visiona.stores.sql.columns import (
    Texts,
    from_accelerators,
    from_texts,
    to_accelerators,
    to_micros,
    to_micros_or_none,
    to_moment,
    to_moment_or_none,
    to_texts,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(MOMENTS)
def test_s04_a_moment_comes_back_to_the_microsecond_also_after_2038(at: datetime) -> None:
    assert to_moment(to_micros(at)) == at
    assert to_moment_or_none(to_micros_or_none(at)) == at


def test_s04_a_moment_is_the_same_in_every_zone() -> None:
    at = datetime(2030, 7, 1, 12, tzinfo=UTC)
    assert to_micros(at.astimezone(timezone(timedelta(hours=8)))) == to_micros(at)


def test_nothing_stays_nothing() -> None:
    assert to_micros_or_none(None) is None
    assert to_moment_or_none(None) is None


@given(st.lists(TEXT))
def test_texts_come_back(texts: list[str]) -> None:
    assert to_texts(from_texts(texts)) == tuple(texts)
    assert to_texts(Texts(texts)) == tuple(texts)


@given(st.lists(TEXT))
def test_texts_come_back_from_sqlite(texts: list[str]) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        (column,) = connection.execute("SELECT $1", {"1": Texts(texts)}).fetchone()
    assert column == from_texts(texts)


@given(
    st.lists(st.builds(Accelerator, TEXT, TEXT, TEXT, st.sampled_from(AcceleratorStatus), st.none() | TEXT))
)
def test_accelerators_come_back(accelerators: list[Accelerator]) -> None:
    assert to_accelerators(from_accelerators(accelerators)) == tuple(accelerators)
