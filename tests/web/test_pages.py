import json
import logging

import pytest
from visiona.domain.errors import DeviceOffline
from visiona.web.pages import answer_to, is_navigation

OFFLINE = DeviceOffline(
    "the device is not connected: <b>gone</b>",
    details={"since": "2026-01-02T00:00:00Z", "cause": "agent_closed"},
)


def navigating(name: bytes) -> bytes | None:
    return {b"sec-fetch-mode": b"navigate"}.get(name)


def fetching(name: bytes) -> bytes | None:
    return {b"sec-fetch-mode": b"cors"}.get(name)


def test_only_an_opened_address_is_a_navigation() -> None:
    assert is_navigation(navigating)
    assert not is_navigation(fetching)
    assert not is_navigation(lambda _: None)


def test_a_script_gets_the_envelope() -> None:
    answer = answer_to(OFFLINE, "r-1", fetching)
    assert answer.status == 503
    assert json.loads(answer.body)["error"]["details"]["cause"] == "agent_closed"


def test_a_person_gets_a_page_with_the_cause_and_no_markup_of_anybodys() -> None:
    answer = answer_to(OFFLINE, "r-1", navigating)
    headers = dict(answer.headers)
    assert answer.status == 503
    assert headers[b"Content-Type"] == b"text/html; charset=utf-8"
    assert headers[b"Content-Length"] == str(len(answer.body)).encode()
    assert b"<b>" not in answer.body
    for fact in (b"agent_closed", b"2026-01-02T00:00:00Z", b"r-1"):
        assert fact in answer.body


def test_h23_a_page_runs_nothing_and_is_framed_by_nobody() -> None:
    policies = [
        value
        for name, value in answer_to(OFFLINE, "r", navigating).headers
        if name == b"Content-Security-Policy"
    ]
    assert len(policies) == 1
    assert b"default-src 'none'" in policies[0]
    assert b"frame-ancestors 'none'" in policies[0]


def test_a_bug_is_never_a_page_with_its_text(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = answer_to(ValueError("secret"), "r", navigating)
    assert answer.status == 500
    assert b"secret" not in answer.body
