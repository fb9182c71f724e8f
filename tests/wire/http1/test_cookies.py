import pytest
from visiona.wire.http1.cookies import cookie_for_agent, set_cookie_for_client

from tests.wire.http1.support import DEVICE

COOKIES = {
    "h09_nothing_of_ours": (b"a=1; b=2;c=3", b"a=1; b=2;c=3"),
    "h09_session": (b"visiona_session=secret", None),
    "h09_session_among_others": (b"a=1; visiona_session=secret; b=2", b"a=1; b=2"),
    "h09_host_prefix": (b"__Host-visiona_session=secret; a=1", b"a=1"),
    "h09_pending_of_every_attempt": (
        b"visiona_pending=x; visiona_pending_7f=y; __Host-visiona_pending_7f=z",
        None,
    ),
    "h09_secure_prefix": (b"__Secure-visiona_session=secret", None),
    "h09_other_case": (b"Visiona_Session=secret; __HOST-VISIONA_SESSION=s", None),
    "h09_without_a_value": (b"visiona_session; a=1", b"a=1"),
    "h09_space_around": (b" visiona_session =secret;\tvisiona_session=secret; a=1", b"a=1"),
    "h09_hidden_in_a_quoted_value": (b'a="x; visiona_session=secret; y"', b'a="x; y"'),
    "h09_quoted_name": (b'"visiona_session"=secret', None),
    "h09_name_of_ours_within_a_value_stays": (b"a=visiona_session", b"a=visiona_session"),
    "h09_name_of_ours_within_a_name_stays": (b"my_visiona_session=1", b"my_visiona_session=1"),
    "h09_empty_pairs": (b"visiona_session=s;; a=1;", b"a=1"),
    "h09_equals_in_the_value": (b"visiona_session=a==; a=b==", b"a=b=="),
}


@pytest.mark.parametrize(("sent", "crosses"), COOKIES.values(), ids=COOKIES)
def test_our_cookies_do_not_reach_a_device_and_the_others_do(sent: bytes, crosses: bytes | None) -> None:
    assert cookie_for_agent(sent) == crosses


SET_COOKIES = {
    "h09_path_is_put_below_the_prefix": (b"a=1; Path=/app", b"a=1; Path=" + DEVICE + b"/app"),
    "h09_root_becomes_the_prefix": (b"a=1; Path=/", b"a=1; Path=" + DEVICE),
    "h09_no_path_becomes_the_prefix": (b"a=1", b"a=1; Path=" + DEVICE),
    "h09_relative_path_becomes_the_prefix": (b"a=1; path=app", b"a=1; Path=" + DEVICE),
    "h09_path_that_is_ours_to_give": (b"a=1; Path=/api/tokens", b"a=1; Path=" + DEVICE + b"/api/tokens"),
    "h09_path_below_the_prefix_already": (b"a=1; Path=" + DEVICE + b"/x", b"a=1; Path=" + DEVICE + b"/x"),
    "h09_path_is_the_prefix_already": (b"a=1; Path=" + DEVICE, b"a=1; Path=" + DEVICE),
    "h09_path_that_begins_like_the_prefix": (
        b"a=1; Path=" + DEVICE + b"x",
        b"a=1; Path=" + DEVICE + DEVICE + b"x",
    ),
    "h09_last_path_counts": (b"a=1; Path=/x; Path=/y", b"a=1; Path=" + DEVICE + b"/y"),
    "h09_path_with_space_around": (b"a=1; Path = /x ", b"a=1; Path=" + DEVICE + b"/x"),
    "h09_domain_is_dropped": (b"a=1; Domain=example.com; HttpOnly", b"a=1; HttpOnly; Path=" + DEVICE),
    "h09_domain_in_other_case_and_space": (b"a=1; DOMAIN = .example.com", b"a=1; Path=" + DEVICE),
    "h09_known_attributes_stay": (
        b"a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Max-Age=5; Secure; SameSite=Strict",
        b"a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Max-Age=5; Secure; SameSite=Strict; Path=" + DEVICE,
    ),
    "h09_unknown_attributes_go": (b"a=1; Evil; Foo=bar", b"a=1; Path=" + DEVICE),
    "h09_value_stays_as_it_is": (b'a="b c=d"', b'a="b c=d"; Path=' + DEVICE),
    "h09_our_session": (b"visiona_session=x", None),
    "h09_our_session_other_case": (b"VISIONA_session=x", None),
    "h09_our_session_with_space": (b" visiona_session =x", None),
    "h09_our_pending": (b"visiona_pending_1=x; Path=/", None),
    "h09_our_host_prefix": (b"__Host-visiona_session=x; Secure; Path=/", None),
    "h09_any_host_prefix": (b"__Host-x=1; Secure; Path=/", None),
    "h09_any_http_prefix": (b"__Http-x=1; Secure; HttpOnly", None),
    "h09_secure_prefix_with_secure": (b"__Secure-x=1; secure", b"__Secure-x=1; secure; Path=" + DEVICE),
    "h09_secure_prefix_without_secure": (b"__Secure-x=1", None),
    "h09_nameless_that_would_be_sent_as_ours": (b"=visiona_session=x", None),
    "h09_no_equals": (b"visiona_session", None),
    "h09_no_name": (b"=x", None),
    "h09_empty": (b"", None),
    "h09_name_that_is_no_token": (b"a b=1", None),
    "h09_name_that_is_not_ascii": (b"\xc3\xa4=1", None),
}


@pytest.mark.parametrize(("said", "crosses"), SET_COOKIES.values(), ids=SET_COOKIES)
def test_a_device_s_cookie_stays_below_its_path(said: bytes, crosses: bytes | None) -> None:
    assert set_cookie_for_client(said, device_prefix=DEVICE) == crosses


def test_h09_without_a_prefix_a_device_sets_no_cookie() -> None:
    assert set_cookie_for_client(b"a=1", device_prefix=b"") is None
