"""A person at a browser without scripts: `http.client`, cookies kept as browsers keep them, and every answer on record."""

import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from tests.e2e.client import SECONDS, Answer, Caller
from tests.e2e.server import Server, in_process

MAX_REDIRECTS = 10
FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
SECRET_COOKIE = 32
"""A cookie's value from this length on is one that lets somebody in."""


@dataclass(frozen=True)
class Seen:
    """One answer of the run."""

    method: str
    path: str
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {urlsplit(self.path).path}: {self.status}"


class Person:
    """One browser at one site.

    Args:
        server: where it really is.
        base: where the browser believes it is, if somebody set `web.public_url`.
        seen: where every answer is put.
    """

    def __init__(self, server: Server, base: str | None = None, seen: list[Seen] | None = None) -> None:
        self.server = server
        self.base = base or server.web
        self.seen = seen if seen is not None else []
        self.cookies: dict[str, str] = {}
        self.url = self.base + "/"
        self.page = ""

    def open(self, url: str, body: bytes | None = None) -> Seen:
        """Goes somewhere, and wherever it leads; `body` is a form's."""
        site = "same-origin" if body is not None else "none"
        for _ in range(MAX_REDIRECTS):
            headers = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": site}
            if body is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            self.url = urljoin(self.url, url)
            seen = self._ask("POST" if body is not None else "GET", self._path(self.url), headers, body)
            if seen.status not in {302, 303}:
                self.page = seen.body.decode()
                return seen
            url, body = seen.headers["Location"], None
            for name in ("state", "code"):
                for value in parse_qs(urlsplit(url).query).get(name, ()):
                    self.server.evidence.secret(value, f"a sign-in's {name}")
        raise AssertionError(f"redirected for ever: {seen}")

    def submit(self, **fields: str) -> Seen:
        """Sends the form of the page that is shown."""
        hidden = {name: unescape(value) for name, value in FIELD.findall(self.page)}
        assert hidden, self.page
        return self.open(self.url, urlencode({**hidden, **fields}).encode())

    def fetch(self, method: str, path: str, body: object = None, *, csrf: bool = True, **more: str) -> Answer:
        """What a script of the console asks."""
        headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
        if csrf:
            headers["X-Visiona-CSRF"] = "1"
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        seen = self._ask(method, path, headers, data)
        return Answer(seen.status, seen.headers, seen.body)

    def as_caller(self) -> "Riding":
        """The same cookies, for answers that go on."""
        return Riding(self.server.web, None, self._cookie_field())

    def sign_in(self, email: str, password: str) -> Seen:
        """As a person does who opens the console."""
        self.open(self.base + "/")
        return self.submit(email=email, password=password)

    @property
    def session_id(self) -> str:
        return str(self.fetch("GET", "/api/auth/me").data["session"]["id"])

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Seen:
        address = urlsplit(self.server.web)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=SECONDS)
        given = {"Host": urlsplit(self.base).netloc, "User-Agent": "a browser", **headers}
        if self.cookies:
            given["Cookie"] = self._cookie_field()
        try:
            connection.request(method, path, body, given)
            response = connection.getresponse()
            seen = Seen(method, path, response.status, response.headers, response.read())
        finally:
            connection.close()
        self.seen.append(seen)
        for field in response.headers.get_all("Set-Cookie") or ():
            self._keep(field)
        return seen

    def _keep(self, field: str) -> None:
        pair, *attributes = field.split("; ")
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
            return
        self.cookies[name] = value
        if len(value) > SECRET_COOKIE:
            self.server.evidence.secret(value, f"the cookie {name}")

    def _cookie_field(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _path(self, url: str) -> str:
        assert url.startswith(self.base + "/"), f"led away, to {url}"
        parts = urlsplit(url)
        path = parts.path.removeprefix(urlsplit(self.base).path)
        return f"{path}?{parts.query}" if parts.query else path


@dataclass(frozen=True)
class Riding(Caller):
    """Requests with a person's cookies."""

    cookie: str

    def _headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie, "Sec-Fetch-Site": "same-origin"}


def one_time_link(server: Server, *who: str) -> str:
    """`visiona user link`; "--first" for the one by which the first account is made."""
    said = in_process("--set", f"state_dir={server.state}", "user", "link", *who, "--json")
    server.evidence.secret(said.json["link"].rpartition("/")[2], "a one-time link")
    return str(said.json["link"])
