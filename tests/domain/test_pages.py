from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.domain.errors import Invalid
from visiona.domain.pages import Position, cursor_of, position_of

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants them bare
def test_a_cursor_brings_back_its_position_to_the_microsecond(at: datetime) -> None:
    assert position_of(cursor_of(Position(at, ID))) == Position(at, ID)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        ".",
        "1",
        f".{ID}",
        f"1.{ID}x",
        f"-1.{ID}",
        f"1{'0' * 17}.{ID}",
        "1.2",
        f"\u0661.{ID}",
        f"1.{ID.upper()}",
    ],
)
def test_a_cursor_that_we_never_made_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        position_of(cursor)


@given(st.text())
def test_h19_no_text_breaks_the_reading_of_a_cursor(cursor: str) -> None:
    with pytest.raises(Invalid):
        position_of(cursor)


def test_the_greatest_number_that_is_read_is_still_a_moment() -> None:
    assert position_of(f"{'9' * 17}.{ID}").at.year > 2038
    with pytest.raises(Invalid):
        position_of(f"{'9' * 18}.{ID}")
