"""A browser for the demo's check, as far as a sign-in needs one: it keeps cookies, follows redirects, sends forms, and
says of itself what browsers say (`Sec-Fetch-*`). It runs no scripts.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from visiona.agent.addresses import Address
from visiona.cli.demo_client import Answer, Unexpected, data_of, exchange

MAX_REDIRECTS = 10
"""A sign-in takes four."""

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_CSRF = {"X-Visiona-CSRF": "1"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A page as it is shown at last.

    Attributes:
        path: where it is: path and query.
        way: the paths that led there, without their queries, which are for nobody's eyes.
    """

    path: str
    status: int
    text: str
    way: tuple[str, ...]


@dataclass(slots=True)
class Browser:
    """One browser, which knows one site.

    Attributes:
        cookies: by name: the value and the attributes, in lower case, that it came with.
    """

    site: Address
    cookies: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict, repr=False)

    async def open(self, url: str) -> Shown:
        """Opens an address that somebody typed."""
        return await self._navigate("GET", url, None, "none")

    async def submit(self, page: Shown, fields: Mapping[str, str]) -> Shown:
        """Sends the page's form with its hidden fields and these."""
        hidden = {name: unescape(value) for name, value in _HIDDEN.findall(page.text)}
        return await self._navigate(
            "POST", page.path, urlencode({**hidden, **fields}).encode(), "same-origin"
        )

    async def fetch(self, method: str, path: str, *, csrf: bool = False, expect: int = 200) -> Any:  # noqa: ANN401 - JSON
        """What a script of the console asks; gives `data`, raises Unexpected for another status."""
        headers = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
        if csrf:
            headers |= _CSRF
        if method != "GET":
            headers["Origin"] = f"http://{self.site.authority}"
        async with self._exchange(method, path, headers) as answer:
            return await data_of(answer, f"{method} {path}", expect)

    async def _navigate(self, method: str, url: str, body: bytes | None, from_where: str) -> Shown:
        way: list[str] = []
        for _ in range(MAX_REDIRECTS):
            path = self._path(url)
            way.append(urlsplit(path).path)
            headers = {"Accept": "text/html", "Sec-Fetch-Site": from_where, "Sec-Fetch-Mode": "navigate"}
            if body is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            async with self._exchange(method, path, headers, body) as answer:
                text = (await answer.body()).decode(errors="replace")
                if answer.status not in {302, 303}:
                    return Shown(path, answer.status, text, tuple(way))
                url = urljoin(f"http://{self.site.authority}{path}", answer.headers["location"])
            method, body = "GET", None
        raise Unexpected(f"redirected {MAX_REDIRECTS} times, by {' and '.join(sorted(set(way)))}")

    @asynccontextmanager
    async def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[Answer]:
        sent = {**headers, "User-Agent": "visiona demo"}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, (value, _) in self.cookies.items())
        async with exchange(self.site, method, path, sent, body) as answer:
            for cookie in answer.set_cookies:
                self._keep(cookie)
            yield answer

    def _keep(self, set_cookie: str) -> None:
        pair, *attributes = (part.strip() for part in set_cookie.split(";"))
        name, _, value = pair.partition("=")
        said = frozenset(attribute.lower() for attribute in attributes)
        if "max-age=0" in said:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = (value, said)

    def _path(self, url: str) -> str:
        """What to ask the site for; raises Unexpected for another site's address."""
        parts = urlsplit(url)
        if parts.netloc not in {"", self.site.authority}:
            raise Unexpected(f"sent to another site: {parts.netloc}")
        path = parts.path.removeprefix(self.site.path)
        return f"{path}?{parts.query}" if parts.query else path
