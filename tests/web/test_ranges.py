import pytest
from visiona.web.ranges import NOT_MODIFIED, NOT_THERE, OTHERWISE, Part, part_asked

ETAG = '"abc"'
WHOLE = Part(200, 0, 100)


def asked(**fields: str) -> Part:
    given = {"range_text": None, "if_range": None, "if_match": None, "if_none_match": None, **fields}
    return part_asked(100, ETAG, **given)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("bytes=0-0", Part(206, 0, 1)),
        ("bytes=0-99", Part(206, 0, 100)),
        ("bytes=10-", Part(206, 10, 90)),
        ("bytes=99-500", Part(206, 99, 1)),
        ("bytes=-1", Part(206, 99, 1)),
        ("bytes=-500", Part(206, 0, 100)),
        ("bytes=100-", NOT_THERE),
        ("bytes=-0", NOT_THERE),
        *((text, WHOLE) for text in ("bytes=5-4", "bytes=-", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "")),
        ("bytes=99999999999999999-", WHOLE),
    ],
)
def test_a_range_is_that_part_and_what_is_no_range_is_the_whole(text: str, part: Part) -> None:
    assert asked(range_text=text) == part


@pytest.mark.parametrize("if_range", ['"other"', 'W/"abc"', "Sat, 21 Nov 2026 23:30:39 GMT"])
def test_m09_a_range_of_a_file_that_has_become_another_is_the_whole_new_one(if_range: str) -> None:
    assert asked(range_text="bytes=5-", if_range=if_range) == WHOLE
    assert asked(range_text="bytes=5-", if_range=ETAG) == Part(206, 5, 95)


def test_m09_who_insists_on_another_file_gets_412() -> None:
    assert asked(range_text="bytes=5-", if_match='"other"') == OTHERWISE
    assert asked(if_match='"other", "abc"') == WHOLE
    assert asked(if_match="*") == WHOLE


def test_who_has_it_already_is_told_so() -> None:
    assert asked(if_none_match='W/"abc"') == NOT_MODIFIED
    assert asked(if_none_match="*") == NOT_MODIFIED
    assert asked(if_none_match='"other"') == WHOLE
