import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.domain import labels
from visiona.domain.errors import Invalid

ANY_TEXT = st.text(st.characters())


@given(ANY_TEXT, st.integers(min_value=1, max_value=200))
def test_a_label_can_only_be_read(text: str, limit: int) -> None:
    shown = labels.label(text, limit)
    assert len(shown) <= limit
    assert shown == shown.strip()
    assert "\n" not in shown
    shown.encode()
    assert all(c == " " or c.isprintable() for c in shown)


@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert labels.label(labels.label(text)) == labels.label(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Gate camera", "Gate camera"),
        ("門口攝影機 №2", "門口攝影機 №2"),
        ("a\r\nSet-Cookie: b", "a Set-Cookie: b"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("abc\u202etxt.exe", "abc txt.exe"),
        ("zero\u200bwidth", "zero width"),
        ("\ud800", ""),
        ("  much   room  ", "much room"),
    ],
)
def test_s08_what_could_act_is_taken_out(text: str, shown: str) -> None:
    assert labels.label(text) == shown


def test_m01_four_kilobytes_are_cut_at_the_limit() -> None:
    assert labels.label("x" * 4096) == "x" * labels.MAX_NAME_CHARACTERS


def test_nothing_stays_nothing() -> None:
    assert labels.label_or_none(None) is None
    assert labels.label_or_none("\x00\x01") is None
    assert labels.label_or_none(" v1 ", 8) == "v1"


def test_a_chosen_name_is_cleaned() -> None:
    assert labels.name(" Gate\t1 ") == "Gate 1"


@pytest.mark.parametrize("text", ["", "  ", "\x00", "x" * (labels.MAX_NAME_CHARACTERS + 1)])
def test_a_name_that_nobody_can_read_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="name"):
        labels.name(text)


def test_a_name_may_be_as_long_as_the_limit() -> None:
    assert labels.name("x" * labels.MAX_NAME_CHARACTERS) == "x" * labels.MAX_NAME_CHARACTERS


def test_a_serial_number_is_kept_exactly() -> None:
    assert labels.serial_number(" KL520-00 7a/B ") == "KL520-00 7a/B"


@pytest.mark.parametrize(
    "text", ["", " ", "a\nb", "a\u202eb", "a  b", "x" * (labels.MAX_SERIAL_CHARACTERS + 1)]
)
def test_a_serial_number_that_would_have_to_be_altered_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="serial_number"):
        labels.serial_number(text)


def test_tags_keep_their_order_and_come_once() -> None:
    assert labels.tags(["b", "a", " b "]) == ("b", "a")


@pytest.mark.parametrize("texts", [[""], ["a", "\x00"], ["x" * (labels.MAX_TAG_CHARACTERS + 1)], ["t"] * 33])
def test_tags_that_cannot_be_shown_are_refused(texts: list[str]) -> None:
    with pytest.raises(Invalid, match="tags"):
        labels.tags(texts)
