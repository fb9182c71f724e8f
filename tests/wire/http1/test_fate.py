from collections.abc import Callable

import pytest
from visiona.wire.http1.fate import (
    HOP_BY_HOP,
    KNOWN_IN_ANSWERS,
    KNOWN_IN_REQUESTS,
    USUAL_ANSWER_FATES,
    USUAL_REQUEST_FATES,
    Fate,
    answer_fate,
    droppable_by_name,
    request_fate,
)


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_h02_hop_by_hop_fields_cross_in_neither_direction(name: bytes) -> None:
    assert request_fate(name) is Fate.DROP
    assert answer_fate(name) is Fate.DROP


@pytest.mark.parametrize(
    ("known", "fate"), [(KNOWN_IN_REQUESTS, request_fate), (KNOWN_IN_ANSWERS, answer_fate)]
)
def test_what_is_known_beforehand_is_what_would_be_judged(
    known: dict[bytes, bytes], fate: Callable[[bytes], Fate]
) -> None:
    for name, start in known.items():
        assert fate(name.lower()) is (Fate.PASS if start else Fate.DROP)
        assert start in {b"", name + b": "}


@pytest.mark.parametrize(
    ("usual", "fate"), [(USUAL_REQUEST_FATES, request_fate), (USUAL_ANSWER_FATES, answer_fate)]
)
def test_what_was_judged_beforehand_is_what_would_be_judged(
    usual: dict[bytes, Fate], fate: Callable[[bytes], Fate]
) -> None:
    assert usual == {name: fate(name.lower()) for name in usual}


@pytest.mark.parametrize("name", [b"cookie", b"authorization", b"sec-websocket-key"])
def test_fields_with_a_rule_of_their_own_are_not_known_beforehand(name: bytes) -> None:
    assert name not in KNOWN_IN_REQUESTS
    assert name.title() not in KNOWN_IN_REQUESTS


@pytest.mark.parametrize("name", [b"set-cookie", b"location", b"cache-control", b"refresh"])
def test_an_answer_s_fields_with_a_rule_of_their_own_are_not_known_beforehand(name: bytes) -> None:
    assert name not in KNOWN_IN_ANSWERS
    assert name.title() not in KNOWN_IN_ANSWERS


@pytest.mark.parametrize("name", [b"sec_websocket_key", b"sec-websocket_key"])
def test_underscore_twins_of_upgrade_fields_do_not_cross_without_an_upgrade(name: bytes) -> None:
    assert request_fate(name) is Fate.WITH_UPGRADE


@pytest.mark.parametrize("name", [b"author_ization", b"x-cookie", b"cookies"])
def test_names_that_only_resemble_others_cross(name: bytes) -> None:
    assert request_fate(name) is Fate.PASS


@pytest.mark.parametrize(
    ("option", "droppable"), [(b"x-hop", True), (b"cookie", False), (b"if-match", False), (b"sec-x", False)]
)
def test_h02_connection_may_name_some_fields_and_not_others(option: bytes, droppable: bool) -> None:
    assert droppable_by_name(option) is droppable


def test_an_answer_may_ask_a_server_in_front_not_to_hold_it_back_and_nothing_else_of_it() -> None:
    assert answer_fate(b"x-accel-buffering") is Fate.PASS
    assert answer_fate(b"x-accel-redirect") is Fate.DROP


@pytest.mark.parametrize("name", [b"proxy", b"proxy-authorization"])
def test_httpoxy_a_client_cannot_set_a_cgi_program_s_proxy(name: bytes) -> None:
    assert request_fate(name) is Fate.DROP


@pytest.mark.parametrize(
    "name",
    [
        b"x-forwarded",
        b"forwarded_for",
        b"remote-addr",
        b"remote-groups",
        b"remote_user",
        b"x-webauth-user",
        b"x-ssl-client-verify",
        b"ssl_client_s_dn",
        b"x-amzn-oidc-identity",
        b"tailscale-user-login",
    ],
)
def test_h04_no_client_says_who_it_is_in_the_words_of_a_server_that_would_have_asked(name: bytes) -> None:
    assert request_fate(name) is Fate.DROP


@pytest.mark.parametrize(
    "name", [b"use-as-dictionary", b"shared-storage-write", b"attribution-reporting-register-source"]
)
def test_h10_a_device_keeps_nothing_in_the_browser_for_our_whole_origin(name: bytes) -> None:
    assert answer_fate(name) is Fate.DROP


@pytest.mark.parametrize("name", [b"x-sendfile", b"x-lighttpd-send-file", b"cloudflare-cdn-cache-control"])
def test_h10_a_device_gives_a_server_in_front_of_us_no_orders(name: bytes) -> None:
    assert answer_fate(name) is Fate.DROP
