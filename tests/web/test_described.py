import pytest
from visiona.web.described import Described, described, description_or_none
from visiona.web.people_shapes import Me


async def me() -> None:
    """Who is calling."""


def test_what_is_said_of_a_route_is_found_at_its_handler() -> None:
    assert description_or_none(described(answer=Me)(me)) == Described(answer=Me)
    assert me.__doc__ == "Who is calling."


def test_of_others_nothing_is_known() -> None:
    assert description_or_none(object()) is None


def test_a_word_that_means_nothing_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="anwser"):
        described(anwser=Me)
