from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from visiona.agent.addresses import Address
from visiona.cli.demo_browser import MAX_REDIRECTS, Browser
from visiona.cli.demo_client import Unexpected

Scripted = dict[str, bytes]


@asynccontextmanager
async def site(answers: Scripted) -> AsyncIterator[tuple[Browser, list[str]]]:
    """A site that answers by path, and keeps what it was asked."""
    asked: list[str] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            request = b""
            while b"\r\n\r\n" not in request or (b"form=" not in request and b"urlencoded" in request):
                request += await stream.receive_some()
            asked.append(request.decode())
            await stream.send_all(answers[request.split()[1].decode()])

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield Browser(Address(False, "127.0.0.1", listener.socket.getsockname()[1])), asked
        nursery.cancel_scope.cancel()


def says(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def test_redirects_are_followed_with_the_cookies_of_the_way() -> None:
    answers = {
        "/a": says(302, b"", "Location: /b?x=1", "Set-Cookie: one=1; Path=/; HttpOnly", "Set-Cookie: two=2"),
        "/b?x=1": says(303, b"", "Location: ./c", "Set-Cookie: two=; Max-Age=0"),
        "/c": says(200, b"there"),
    }
    async with site(answers) as (browser, asked):
        page = await browser.open("/a")
    assert (page.status, page.text, page.way) == (200, "there", ("/a", "/b", "/c"))
    assert "Cookie: one=1; two=2\r\n" in asked[1]
    assert "Cookie: one=1\r\n" in asked[2]
    assert browser.cookies == {"one": ("1", frozenset({"path=/", "httponly"}))}
    assert "one=" not in asked[0]


async def test_a_form_goes_where_its_page_came_from_with_its_hidden_fields() -> None:
    page = b'<form method="post"><input type="hidden" name="form" value="a&amp;b"><button>x</button></form>'
    async with site({"/f?q=1": says(200, page)}) as (browser, asked):
        await browser.submit(await browser.open("/f?q=1"), {"email": "a@b"})
    assert asked[1].startswith("POST /f?q=1 HTTP/1.1\r\n")
    assert asked[1].endswith("form=a%26b&email=a%40b")
    assert "Sec-Fetch-Site: same-origin" in asked[1]


async def test_a_script_says_where_it_is_and_sends_the_header_only_when_asked_to() -> None:
    async with site({"/api/x": says(200, b'{"data": 1}')}) as (browser, asked):
        assert await browser.fetch("POST", "/api/x") == 1
        await browser.fetch("POST", "/api/x", csrf=True)
        with pytest.raises(Unexpected, match="POST /api/x answered 200"):
            await browser.fetch("POST", "/api/x", expect=403)
    assert ["X-Visiona-CSRF: 1" in each for each in asked] == [False, True, False]
    assert f"Origin: http://{browser.site.authority}\r\n" in asked[0]


async def test_a_way_to_another_site_is_not_gone() -> None:
    async with site({"/a": says(302, b"", "Location: http://evil.example/?secret")}) as (browser, _):
        with pytest.raises(Unexpected, match=r"another site: evil\.example$"):
            await browser.open("/a")


async def test_a_way_without_end_is_given_up_and_its_queries_are_not_told() -> None:
    async with site({"/a?secret": says(302, b"", "Location: /a?secret")}) as (browser, asked):
        with pytest.raises(Unexpected, match=f"redirected {MAX_REDIRECTS} times, by /a$"):
            await browser.open("/a?secret")
    assert len(asked) == MAX_REDIRECTS
