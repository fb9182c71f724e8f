from dataclasses import replace

import pytest
from visiona.domain.access import Via
from visiona.web.challenges import without_challenges
from visiona.wire.http1.head import RequestHead, ResponseHead

from tests.web.device_rig import ACTOR

PERSON = replace(ACTOR, via=Via.SESSION)
PAGE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
BASIC, DIGEST = 'Basic realm="cam, ntlm-free"', 'Digest realm="cam", nonce="x"'


def asked(fields: dict[str, str]) -> RequestHead:
    headers = tuple((name.encode(), value.encode()) for name, value in fields.items())
    return RequestHead(b"GET", b"/", b"1.1", headers)


def answer(*challenges: str, status: int = 401) -> ResponseHead:
    lines = tuple((b"WWW-Authenticate", value.encode()) for value in challenges)
    return ResponseHead(status, b"", b"1.1", (*lines, (b"Content-Length", b"0")))


def shown(fields: dict[str, str], *challenges: str) -> list[str]:
    kept = without_challenges(answer(*challenges), asked(fields), PERSON)
    assert kept.get(b"content-length") == b"0"
    return [value.decode() for value in kept.get_all(b"www-authenticate")]


@pytest.mark.parametrize(
    "fields",
    [
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Mode": "websocket"},
        {"Accept": "image/avif,*/*"},
        {},
    ],
)
def test_h10_a_device_cannot_have_our_pages_ask_for_a_password(fields: dict[str, str]) -> None:
    assert shown(fields, BASIC, DIGEST, "Negotiate") == []


@pytest.mark.parametrize("fields", [PAGE, {"Sec-Fetch-Mode": "navigate"}, {"Accept": "text/html,*/*"}])
def test_a_device_may_ask_on_a_page_of_its_own(fields: dict[str, str]) -> None:
    assert shown(fields, BASIC, DIGEST) == [BASIC, DIGEST]


@pytest.mark.parametrize(
    "silent", ["NTLM", "ntlm TlRMTVNTUA==", "Negotiate", "Basic realm=x, Negotiate", "Kerberos"]
)
def test_h10_nothing_that_a_browser_answers_by_itself_is_asked(silent: str) -> None:
    assert shown(PAGE, silent, BASIC) == [BASIC]


def test_a_program_is_told_everything() -> None:
    said = answer(BASIC, "NTLM")
    assert without_challenges(said, asked({}), ACTOR) is said


def test_another_status_asks_nothing() -> None:
    said = answer(BASIC, status=403)
    assert without_challenges(said, asked({}), PERSON) is said
