import json
import re
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.domain.return_to import MAX_CHARACTERS, local_path

from tests.domain import hostile_return_to

HOSTILE = [json.loads(line) for line in hostile_return_to.FILE.read_text(encoding="ascii").splitlines()]
CALLBACK = "https://cam.example/api/auth/callback"


def browser_origin(location: str) -> str:
    """Where a browser goes (WHATWG URL standard): tabs and newlines vanish, backslashes are slashes."""
    cleaned = re.sub(r"[\t\n\r]", "", location.strip("".join(map(chr, range(33))))).replace("\\", "/")
    parts = urlsplit(urljoin(CALLBACK, cleaned))
    return f"{parts.scheme}://{parts.netloc}"


def test_a05_the_corpus_is_large_and_as_its_program_makes_it() -> None:
    assert len(HOSTILE) >= 500
    assert hostile_return_to.FILE.read_text(encoding="ascii") == hostile_return_to.text()


@pytest.mark.parametrize("home", ["/", "/visiona/"])
def test_a05_nothing_of_the_corpus_leads_anywhere(home: str) -> None:
    assert [value for value in HOSTILE if local_path(value, home) != home] == []


def test_a05_nothing_of_the_corpus_leads_out_from_below_a_path() -> None:
    assert [
        value for value in HOSTILE if local_path("/visiona" + value, "/visiona/").startswith("/visiona//")
    ] == []


def test_a05_nothing_of_the_corpus_passes_once_decoded_or_once_more() -> None:
    """A proxy that decodes, or a page that encodes twice, must not turn a refused value into a passing one."""
    for value in HOSTILE:
        for other in (unquote(value), unquote(unquote(value))):
            assert browser_origin(local_path(other)) == "https://cam.example"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/devices",
        "/devices/",
        "/devices/0194f1f0-0000-7000-8000-000000000000",
        "/foo?x=//e",
        "/foo?next=https://evil.example/&a=b:c@d",
        "/foo?x=%2F%2Fevil.example",
        "/foo?q=%E6%94%9D%E5%BD%B1%E6%A9%9F",
        "/foo#part",
        "/?tab=tokens#new",
        "/a%20b",
        "/~user/a.b-c_d,e!f$g&h'i(j)*+=",
        "/...",
        "/.well-known",
        "/api/devices/x/proxy/stream.mjpg?fps=5",
        "/api/authority",
        "/idpx",
        "/" + "a" * (MAX_CHARACTERS - 1),
    ],
)
def test_a05_a_local_path_is_kept_as_it_is(path: str) -> None:
    assert local_path(path) == path


def test_a05_one_character_more_is_too_long() -> None:
    assert local_path("/" + "a" * MAX_CHARACTERS) == "/"


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_wish_it_is_the_start_page(value: str | None) -> None:
    assert local_path(value, "/visiona/") == "/visiona/"


@pytest.mark.parametrize("value", ["/", "/other", "/visiona", "/visionary", "/visiona%2fx", "/visiona/../x"])
def test_below_a_path_only_what_is_below_it(value: str) -> None:
    assert local_path(value, "/visiona/") == "/visiona/"
    assert local_path("/visiona/devices", "/visiona/") == "/visiona/devices"


@given(st.text(alphabet=st.sampled_from(list("/\\.%:@;?#&=ae2f5c09d\t\n\r \x00é。／")), max_size=24))
def test_a05_whatever_passes_stays_on_this_host_and_passes_again(text: str) -> None:
    found = local_path("/" + text)
    assert browser_origin(found) == "https://cam.example"
    assert local_path(found) == found
    assert found.isascii()
    assert found.isprintable()
    assert not found.startswith("//")
