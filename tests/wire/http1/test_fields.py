import pytest
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.fields import is_host, is_token, is_value, list_members, parse_field_line


@pytest.mark.parametrize(
    ("text", "token"),
    [
        (b"X-A_b!#$%&'*+.^`|~9", True),
        (b"", False),
        (b"a b", False),
        (b"a:", False),
        (b"\xe9", False),
        (b"a\n", False),
    ],
)
def test_a_token_has_no_space_and_no_separator(text: bytes, token: bool) -> None:
    assert is_token(text) is token


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"", True), (b"a \t\xff", True), (b"a\r", False), (b"a\n", False), (b"\0", False), (b"\x7f", False)],
)
def test_a_value_has_no_control_byte_but_the_tab(text: bytes, value: bytes) -> None:
    assert is_value(text) is value


@pytest.mark.parametrize(
    ("text", "host"),
    [
        (b"a.example:80", True),
        (b"[::1]", True),
        (b"", False),
        (b"a@b", False),
        (b"a:", False),
        (b"a\n", False),
        (b"a" * 256, False),
    ],
)
def test_h05_a_host_is_a_name_and_a_port(text: bytes, host: bytes) -> None:
    assert is_host(text) is host


def test_a_field_line_is_read_without_the_white_space_around_its_value() -> None:
    assert parse_field_line(b"X-A:\t 1 2 \t") == (b"X-A", b"1 2")
    assert parse_field_line(b"X-A:") == (b"X-A", b"")


@pytest.mark.parametrize("line", [b"X-A", b": 1", b"X-A : 1", b" X-A: 1", b"X-A: \0", b"X-A: 1\r", b""])
def test_h01_another_line_is_refused(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_field_line(line)
    assert caught.value.kind == "field"


def test_a_list_has_members_in_lower_case_and_no_empty_ones() -> None:
    assert list_members(b" A,\tb ,,c d,") == [b"a", b"b", b"c d"]
