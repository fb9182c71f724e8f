from dataclasses import replace
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.wire.http1.location import location_for_client, refresh_for_client

from tests.wire.http1.support import CROSSING, DEVICE

ASKED = replace(CROSSING, agent_target=b"/dir/page?x=1")

CASES = {
    "root_relative": (b"/login", DEVICE + b"/login"),
    "root": (b"/", DEVICE + b"/"),
    "query_and_fragment_stay": (b"/a?b=/../c#/../d", DEVICE + b"/a?b=/../c#/../d"),
    "relative": (b"next", DEVICE + b"/dir/next"),
    "relative_up": (b"../up", DEVICE + b"/up"),
    "relative_dot": (b"./x", DEVICE + b"/dir/x"),
    "query_only": (b"?y=2", DEVICE + b"/dir/page?y=2"),
    "fragment_only": (b"#top", DEVICE + b"/dir/page?x=1#top"),
    "empty": (b"", DEVICE + b"/dir/page?x=1"),
    "prefix_already_there": (DEVICE + b"/x", DEVICE + b"/x"),
    "prefix_itself": (DEVICE, DEVICE),
    "own_host": (b"https://relay.example.com/x", DEVICE + b"/x"),
    "own_host_other_case_and_port": (b"HTTP://RELAY.example.com.:8080/x", DEVICE + b"/x"),
    "own_host_without_a_path": (b"http://relay.example.com", DEVICE + b"/"),
    "own_host_and_query": (b"http://relay.example.com?x", DEVICE + b"/?x"),
    "own_host_scheme_relative": (b"//relay.example.com/x", DEVICE + b"/x"),
    "localhost": (b"http://localhost:8080/x", DEVICE + b"/x"),
    "localhost_name": (b"http://camera.localhost/x", DEVICE + b"/x"),
    "loopback": (b"http://127.0.0.1:8080/x", DEVICE + b"/x"),
    "loopback_v6": (b"http://[::1]:8080/x", DEVICE + b"/x"),
    "loopback_v6_long": (b"http://[0:0:0:0:0:0:0:1]/x", DEVICE + b"/x"),
    "loopback_v6_mapped": (b"http://[::ffff:127.0.0.1]/x", DEVICE + b"/x"),
    "foreign": (b"https://example.org/x?y#z", b"https://example.org/x?y#z"),
    "foreign_with_dots": (b"https://example.org/../x", b"https://example.org/../x"),
    "foreign_scheme_relative": (b"//example.org/x", b"//example.org/x"),
    "foreign_v4": (b"http://192.0.2.1/x", b"http://192.0.2.1/x"),
    "space_is_encoded": (b"/a b", DEVICE + b"/a%20b"),
    "utf8_stays": ("/é".encode(), DEVICE + "/é".encode()),
    "h10_dots_do_not_climb_out": (b"/../../../../api/tokens", DEVICE + b"/api/tokens"),
    "h10_relative_dots_do_not_climb_out": (b"../../../../../api/tokens", DEVICE + b"/api/tokens"),
    "h10_encoded_dots_do_not_climb_out": (b"/%2e%2e/%2E./.%2e/api/tokens", DEVICE + b"/api/tokens"),
    "h10_backslash_dots_do_not_climb_out": (b"/..\\..\\..\\api\\tokens", DEVICE + b"/api/tokens"),
    "h10_tab_within_dots": (b"/.\t./.\t./api/tokens", DEVICE + b"/api/tokens"),
    "h10_dots_below_the_prefix_already": (DEVICE + b"/../../x", DEVICE + b"/api/devices/x"),
    "h10_dots_at_the_end": (b"/a/b/..", DEVICE + b"/a/"),
    "h10_dot_at_the_end": (b"/a/.", DEVICE + b"/a/"),
    "h10_encoded_dots_climb_by_one": (b"/a/b/%2e%2E/c", DEVICE + b"/a/c"),
    "h10_half_encoded_dots_climb_by_one": (b"/a/b/.%2e/c", DEVICE + b"/a/c"),
    "h10_other_half_encoded_dots_climb_by_one": (b"/a/b/%2e./c", DEVICE + b"/a/c"),
    "h10_encoded_dot_stays": (b"/a/b/%2e/c", DEVICE + b"/a/b/c"),
    "h10_host_spelt_with_percent": (b"http://relay%2eexample.com/api/tokens", None),
    "h10_host_spelt_with_wide_letters": ("http://ｒelay.example.com/api/tokens".encode(), None),
    "h10_userinfo": (b"http://relay.example.com@evil/", None),
    "h10_userinfo_of_ours": (b"http://x@relay.example.com/api/tokens", None),
    "h10_address_as_a_number": (b"http://2130706433/", None),
    "h10_address_in_hex": (b"http://0x7f.0.0.1/", None),
    "h10_address_short": (b"http://127.1/", None),
    "h10_address_with_a_zero": (b"http://127.0.0.01/", None),
    "h10_address_v6_broken": (b"http://[::1::]/", None),
    "h10_backslash_host": (b"\\\\relay.example.com/api/tokens", DEVICE + b"/api/tokens"),
    "h10_slash_backslash_host": (b"/\\relay.example.com\\api/tokens", DEVICE + b"/api/tokens"),
    "h10_backslash_foreign": (b"/\\example.org/x", None),
    "h10_scheme_without_slashes": (b"https:api/tokens", None),
    "h10_scheme_with_one_slash": (b"https:/api/tokens", None),
    "h10_scheme_with_backslashes": (b"https:\\\\relay.example.com/x", None),
    "h10_three_slashes": (b"https:///api/tokens", None),
    "h10_three_slashes_without_a_scheme": (b"///relay.example.com/api", None),
    "h10_javascript": (b"javascript:alert(1)", None),
    "h10_java_tab_script": (b"java\tscript:alert(1)", None),
    "h10_data": (b"data:text/html,x", None),
    "h03_control_byte": (b"/a\x01", None),
    "h03_delete": (b"/a\x7f", None),
    "h03_leading_space": (b"  /a ", DEVICE + b"/a"),
}


@pytest.mark.parametrize(("said", "seen"), CASES.values(), ids=CASES)
def test_a_redirect_leads_below_the_device_s_path_or_to_a_foreign_host(
    said: bytes, seen: bytes | None
) -> None:
    assert location_for_client(said, ASKED) == seen


@pytest.mark.parametrize("said", [b"/api/tokens", b"x", b"https://relay.example.com/", b"http://localhost/"])
def test_h10_without_a_prefix_a_device_redirects_to_nothing_of_ours(said: bytes) -> None:
    crossing = replace(CROSSING, device_prefix=b"")
    assert location_for_client(said, crossing) is None
    assert location_for_client(b"https://example.org/", crossing) == b"https://example.org/"


def test_a_public_host_that_is_an_address_is_known_in_every_spelling() -> None:
    crossing = replace(CROSSING, public_host=b"[2001:db8::1]:8443")
    assert location_for_client(b"https://[2001:DB8:0::1]/x", crossing) == DEVICE + b"/x"


@pytest.mark.parametrize(
    ("said", "seen"), [(b"5", b"5"), (b"5; url=/x", None), (b"0;url=https://evil", None), (b"", None)]
)
def test_h10_refresh_reloads_and_leads_nowhere(said: bytes, seen: bytes | None) -> None:
    assert refresh_for_client(said) == seen


_PIECES = st.lists(
    st.sampled_from(
        [
            b"/",
            b"\\",
            b"..",
            b".",
            b"%2e",
            b"a",
            b"?",
            b"#",
            b":",
            b"http:",
            b"//",
            b"\t",
            b" ",
            b"relay.example.com",
            b"@",
            b"%2f",
        ]
    ),
    max_size=9,
).map(b"".join)


@given(_PIECES)
def test_h10_however_it_is_spelt_a_redirect_does_not_reach_our_other_paths(said: bytes) -> None:
    seen = location_for_client(said, ASKED)
    if seen is None:
        return
    # As a browser would read it: backslashes are slashes and %2e is a dot.
    path = seen.partition(b"?")[0].partition(b"#")[0].replace(b"\\", b"/").replace(b"%2e", b".").decode()
    url = urljoin("https://relay.example.com" + DEVICE.decode() + "/dir/page", path)
    parts = urlsplit(url)
    if parts.hostname == "relay.example.com":
        assert (parts.path + "/").startswith(DEVICE.decode() + "/")
