from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.paths import agent_path

from tests.wire.http1.support import DEVICE

PASSED = [
    b"/",
    b"/stream",
    b"/stream/",
    b"/a/b?x=1",
    b"/?x=1",
    b"/a?next=//evil&p=../..&q=%2e%2e%2f%00%zz\\",
    b"/a%20b",
    b"/a%2Bb%25",
    b"/100%25",
    b"/caf%C3%A9",
    b"/caf%c3%a9",
    b"/a%23b",
    b"/user@host:80/x",
    b"/a;v=1/b,c=(d)!$&'*+~",
    b"/.well-known/x",
    b"/...",
    b"/..a/b..",
    b"/a%2Eb",
    b"/%7Euser",
    b"/%2525",
    b"/?",
    b"/a??b",
    b'/[1]{2}|^`<>"',
]


@pytest.mark.parametrize("rest", PASSED)
def test_h07_a_harmless_path_passes_byte_for_byte(rest: bytes) -> None:
    assert agent_path(DEVICE + rest, DEVICE) == rest
    assert agent_path(rest, b"") == rest


@pytest.mark.parametrize(("rest", "target"), [(b"", b"/"), (b"?x=1", b"/?x=1")])
def test_the_device_s_own_path_is_its_root(rest: bytes, target: bytes) -> None:
    assert agent_path(DEVICE + rest, DEVICE) == target


REFUSED = {
    "h06_other_prefix": b"/api/tokens",
    "h06_prefix_goes_on": DEVICE + b"x/a",
    "h06_prefix_then_at": DEVICE + b"@evil/",
    "h06_absolute_form": b"http://169.254.169.254/",
    "h06_asterisk": b"*",
    "h06_double_slash": DEVICE + b"//evil",
    "h06_double_slash_later": DEVICE + b"/a//b",
    "h06_backslash": DEVICE + b"/\\evil",
    "h06_encoded_backslash": DEVICE + b"/%5cevil",
    "h06_encoded_backslash_upper": DEVICE + b"/%5Cevil",
    "h07_dots": DEVICE + b"/../admin",
    "h07_dots_at_the_end": DEVICE + b"/a/..",
    "h07_dot": DEVICE + b"/./a",
    "h07_encoded_dots": DEVICE + b"/%2e%2e/admin",
    "h07_half_encoded_dots": DEVICE + b"/.%2E/admin",
    "h07_encoded_dot": DEVICE + b"/%2e/admin",
    "h07_twice_encoded_dots": DEVICE + b"/%252e%252e/admin",
    "h07_thrice_encoded_dots": DEVICE + b"/%25252e%25252e/admin",
    "h07_encoded_three_times": DEVICE + b"/%252525",
    "h07_encoded_beyond_counting": DEVICE + b"/%2525252525252e",
    "h07_dots_with_a_parameter": DEVICE + b"/..;/admin",
    "h07_dots_with_a_named_parameter": DEVICE + b"/..;a=b/admin",
    "h07_encoded_dots_with_a_parameter": DEVICE + b"/%2e%2e;/admin",
    "h07_dots_with_an_encoded_parameter": DEVICE + b"/..%3b/admin",
    "h07_encoded_slash": DEVICE + b"/a%2fb",
    "h07_encoded_slash_upper": DEVICE + b"/a%2Fb",
    "h07_twice_encoded_slash": DEVICE + b"/a%252fb",
    "h07_dots_and_encoded_slash": DEVICE + b"/..%2fadmin",
    "h07_nul": DEVICE + b"/a%00b",
    "h07_twice_encoded_nul": DEVICE + b"/a%2500b",
    "h03_encoded_crlf": DEVICE + b"/a%0d%0aX-A:%201",
    "h03_encoded_tab": DEVICE + b"/a%09",
    "h03_encoded_delete": DEVICE + b"/a%7f",
    "h07_overlong_dot": DEVICE + b"/%c0%ae%c0%ae/",
    "h07_overlong_slash": DEVICE + b"/..%c0%af",
    "h07_not_utf8": DEVICE + b"/caf%e9",
    "h07_surrogate": DEVICE + b"/%ed%a0%80",
    "h07_percent_alone": DEVICE + b"/100%",
    "h07_percent_and_one_digit": DEVICE + b"/%2",
    "h07_percent_and_junk": DEVICE + b"/%zz",
    "h07_percent_u": DEVICE + b"/%u002e",
    "h07_fragment": DEVICE + b"/a#/../b",
    "h07_fragment_in_the_query": DEVICE + b"/a?b#c",
    "h03_space": DEVICE + b"/a b",
    "h03_raw_crlf": DEVICE + b"/a\r\nX: 1",
    "h03_raw_delete": DEVICE + b"/a\x7f",
    "h03_raw_nul": DEVICE + b"/a?\0",
    "h03_raw_utf8": DEVICE + b"/caf\xc3\xa9",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_a_path_that_a_later_reader_could_read_differently_is_refused(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        agent_path(raw, DEVICE)
    assert (caught.value.kind, caught.value.status) == ("target", 400)


_PIECES = st.lists(
    st.sampled_from(
        [b"a", b".", b"..", b"/", b"%2e", b"%2f", b"%25", b"2e", b"5c", b"%5c", b";", b"%00", b"?", b"%C3%A9"]
    ),
    max_size=8,
).map(b"".join)


@given(_PIECES)
def test_h07_what_passes_has_no_dot_segment_however_often_it_is_decoded(rest: bytes) -> None:
    try:
        target = agent_path(DEVICE + b"/" + rest, DEVICE)
    except RemoteProtocolError:
        return
    assert target == b"/" + rest
    path = target.partition(b"?")[0]
    slashes = path.count(b"/")
    for _ in range(6):
        assert not {segment.partition(b";")[0] for segment in path.split(b"/")} & {b".", b".."}
        assert path.count(b"/") == slashes
        assert not set(path) & set(b"\\\0")
        path = unquote_to_bytes(path)


def test_a_refusal_is_a_sentence_for_a_person() -> None:
    with pytest.raises(RemoteProtocolError, match="the path cannot be passed on, for it has a dot segment"):
        agent_path(b"/p/../x", b"/p")
