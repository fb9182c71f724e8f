import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.domain.errors import Invalid
from visiona.web.idp.params import MAX_BYTES, MAX_PARAMETERS, parse_params


def test_parameters_are_read_and_empty_ones_are_absent() -> None:
    assert parse_params(b"a=1&b=%E4%B8%AD+x&c=&d&e=%20") == {"a": "1", "b": "中 x", "e": " "}
    assert parse_params(b"") == {}


def test_blanks_of_other_writings_may_be_in_a_password() -> None:
    assert parse_params(b"p=%E3%80%80%C2%A0%F0%9F%91%A9%E2%80%8D") == {"p": "\u3000\xa0👩\u200d"}


@pytest.mark.parametrize(
    "encoded",
    [
        b"a=1&a=2",
        b"a=&a=",
        b"a&a",
        b"%61=1&a=2",
        b"a=%00",
        b"a=%0a",
        b"a=%7f",
        b"a=%c2%85",
        b"a=%ff",
        b"a=%ed%a0%80",
        b"a=\xe4",
        b"%0d=1",
        b"a=" + b"x" * MAX_BYTES,
        b"&".join(b"a%d=1" % number for number in range(MAX_PARAMETERS + 1)),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(encoded: bytes) -> None:
    with pytest.raises(Invalid):
        parse_params(encoded)


def test_the_limits_themselves_are_allowed() -> None:
    assert parse_params(b"a=" + b"x" * (MAX_BYTES - 2))
    assert (
        len(parse_params(b"&".join(b"a%d=1" % number for number in range(MAX_PARAMETERS)))) == MAX_PARAMETERS
    )


@given(st.binary(max_size=200))
def test_nothing_but_a_refusal_comes_of_any_bytes(encoded: bytes) -> None:
    try:
        params = parse_params(encoded)
    except Invalid:
        return
    assert all(value for value in params.values())
