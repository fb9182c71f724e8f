"""What every page carries: looked at on the answers themselves, in all languages."""

import re
from html.parser import HTMLParser

import httpx
import pytest
from visiona.services.one_time_links import mint_first_admin_link, mint_sign_in_link
from visiona.web.idp.texts import TEXTS

from tests.web.idp.rig import Rig

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Type": "text/html; charset=utf-8",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Language",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
POLICY = (
    r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; form-action FORM;"
    r" frame-ancestors 'none'; base-uri 'none'"
)
ADDED = {
    "Content-Length",
    "Content-Language",
    "Content-Security-Policy",
    "Date",
    "Set-Cookie",
    "X-Request-Id",
}

PAGES = ["sign_in", "wrong", "first", "link", "gone", "refused", "signed_out"]


class Outline(HTMLParser):
    """The tags of a page, and what they refer to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.language: str | None = None
        self.labelled: set[str | None] = set()
        self.inputs: set[str | None] = set()
        self.addresses: list[str | None] = []
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.handlers += [name for name in given if name.startswith("on") or name == "style"]
        self.addresses += [given[name] for name in ("src", "href", "action") if name in given]
        if tag == "html":
            self.language = given.get("lang")
        if tag == "label":
            self.labelled.add(given.get("for"))
        if tag == "input" and given.get("type") != "hidden" and "hidden" not in given:
            self.inputs.add(given.get("id"))


async def shown(rig: Rig, kind: str, language: str) -> httpx.Response:
    browser = rig.browser(**{"Accept-Language": language})
    now = rig.clock.now()
    match kind:
        case "sign_in":
            return await browser.get(rig.authorize_url())
        case "wrong":
            return await browser.sign_in(rig.authorize_url())
        case "first":
            first = await mint_first_admin_link(rig.stores, now)
            assert first is not None
            return await browser.get(f"{rig.issuer}/first/{first.text}")
        case "link":
            minted = await mint_sign_in_link(rig.stores, (await rig.person()).id, now)
            return await browser.get(f"{rig.issuer}/link/{minted.text}")
        case "gone":
            return await browser.get(f"{rig.issuer}/link/x")
        case "refused":
            return await browser.get(f"{rig.issuer}/authorize")
        case _:
            return await browser.get(f"{rig.issuer}/end_session")


@pytest.mark.parametrize("kind", PAGES)
async def test_every_page_has_exactly_these_headers(rig: Rig, kind: str) -> None:
    page = await shown(rig, kind, "en")
    found = {name.title(): value for name, value in page.headers.items()}
    for name, value in HEADERS.items():
        assert found.pop(name.title()) == value, name
    assert set(found) <= {name.title() for name in ADDED}
    has_form = "<form" in page.text
    form = r"'self' https://x\.example" if has_form else "'none'"
    assert re.fullmatch(POLICY.replace("FORM", form), found["Content-Security-Policy"])
    assert ("Set-Cookie" in found) is has_form


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("kind", PAGES)
async def test_every_page_stands_alone_in_its_language(rig: Rig, kind: str, language: str) -> None:
    page = await shown(rig, kind, language)
    outline = Outline(page.text)
    assert outline.language == page.headers["Content-Language"] == language
    assert not {"script", "link", "img", "iframe", "object", "base"}.intersection(outline.tags)
    assert outline.handlers == []
    assert [address for address in outline.addresses if address != "https://x.example/sub/"] == []
    assert outline.inputs <= outline.labelled
    assert outline.tags.count("h1") == outline.tags.count("main") == outline.tags.count("title") == 1
    assert "{" not in re.sub(r"<style>.*?</style>", "", page.text, flags=re.DOTALL)


async def test_the_style_is_the_one_that_the_policy_allows(rig: Rig) -> None:
    import base64
    import hashlib

    page = await shown(rig, "sign_in", "en")
    [style] = re.findall(r"<style>(.*?)</style>", page.text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.headers["Content-Security-Policy"]


async def test_what_is_known_stands_in_the_form_and_no_password(rig: Rig) -> None:
    page = await rig.browser().get(rig.authorize_url(login_hint="ada@example.com"))
    assert 'value="ada@example.com"' in page.text
    assert re.search(r'<input id="password"[^>]* autofocus', page.text)
    assert not re.search(r'type="password"[^>]*value=', page.text)
