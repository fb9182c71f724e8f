"""A browser as far as signing in goes: follows redirects, keeps cookies by site, fills in and sends forms."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

MAX_STEPS = 20


class Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.method = "get"
        self.fields: dict[str, str] = {}
        self._is_open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form" and self.action is None:
            self.action, self._is_open = said.get("action") or "", True
            self.method = (said.get("method") or "get").lower()
        elif self._is_open and tag in {"input", "button"} and (name := said.get("name")) is not None:
            self.fields.setdefault(name, said.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False


class Browser:
    """One person's. Cookies go by host and port here, where a real one would mix ports of one host."""

    def __init__(self) -> None:
        self._sites: dict[str, httpx.Client] = {}
        self.visited: list[str] = []

    def close(self) -> None:
        for site in self._sites.values():
            site.close()

    def site(self, url: str) -> httpx.Client:
        netloc = urlsplit(url).netloc
        if netloc not in self._sites:
            self._sites[netloc] = httpx.Client(trust_env=False, follow_redirects=False, timeout=10)
        return self._sites[netloc]

    def open(self, url: str, data: dict[str, str] | None = None) -> httpx.Response:
        """Goes there, and wherever it is sent on to."""
        for _ in range(MAX_STEPS):
            self.visited.append(url)
            headers = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}
            answer = self.site(url).request(
                "POST" if data is not None else "GET", url, data=data, headers=headers
            )
            if not answer.is_redirect:
                return answer
            url, data = urljoin(url, answer.headers["Location"]), None
        raise AssertionError(f"sent round in circles: {self.visited[-4:]}")

    def send_forms(self, page: httpx.Response, fill: Callable[[Form], None], until: str) -> httpx.Response:
        """Sends the form of each page, until a page's URL begins as said."""
        for _ in range(MAX_STEPS):
            if str(page.url).startswith(until):
                return page
            form = Form(page.text)
            assert form.action is not None, (str(page.url), page.status_code, page.text[-2000:])
            fill(form)
            page = self.open(urljoin(str(page.url), form.action), form.fields)
        raise AssertionError(f"no end of forms: {self.visited[-4:]}")

    def fetch(self, method: str, url: str, **options: Any) -> httpx.Response:
        """As a script of that site's own pages."""
        headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "X-Visiona-CSRF": "1"}
        return self.site(url).request(method, url, headers=headers, **options)
