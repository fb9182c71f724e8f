"""Many callers at once, who read, check sessions and pair units over kept connections: for the load test and the bench.

The client is written by hand and knows only what our own API answers with: what it costs is taken from the server.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import trio
from visiona.domain.access import ALL_SCOPES
from visiona.services.clock import now
from visiona.services.sign_in import Claims, sign_in
from visiona.services.tokens import create_access_token
from visiona.services.users import add_user
from visiona.stores.interfaces import Stores
from visiona.web.cookies import SESSION_COOKIE, seal

READ, CHECK, PAIR = "reads", "session checks", "pairing, exchange and unpairing"
OF_TEN = {READ: 5, CHECK: 3, PAIR: 2}
ANSWER_SECONDS = 30.0
_READ_BYTES = 65536


@dataclass(frozen=True)
class Person:
    """Somebody with a program's token and a browser's session."""

    token: str = field(repr=False)
    cookie: str = field(repr=False)

    @property
    def as_program(self) -> str:
        return f"Authorization: Bearer {self.token}\r\n"

    @property
    def as_browser(self) -> str:
        return f"Cookie: {SESSION_COOKIE}={self.cookie}\r\nSec-Fetch-Site: same-origin\r\n"


async def make_people(stores: Stores, key: bytes, count: int) -> list[Person]:
    """So many new accounts, signed in with cookies that the server of this key believes."""
    people = []
    for number in range(count):
        email = f"person{number}@example.org"
        user = await add_user(stores, email, None, now())
        made = await create_access_token(stores, user.id, "load", ALL_SCOPES, now())
        claims = Claims("https://id.example", f"person {number}", email, email_verified=True)
        signed_in = await sign_in(stores, claims, now())
        people.append(Person(made.text, seal(key, signed_in.text)))
    return people


class Refused(Exception):
    """An answer that no caller of this load may get."""


@dataclass
class Report:
    """What was seen.

    Attributes:
        took: seconds of each answer, by the kind of deed that it was part of.
        errors: what went wrong, and how often.
    """

    seconds: float = 0.0
    took: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in OF_TEN})
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return sum(map(len, self.took.values()))

    def quantile(self, kind: str, share: float) -> float:
        """In seconds."""
        ordered = sorted(self.took[kind])
        return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


async def mix(web: str, people: Sequence[Person], seconds: float) -> Report:
    """Has everybody do things for so long, one at a time each; an error ends nobody's work and is counted."""
    report = Report()
    began = time.monotonic()
    async with trio.open_nursery() as nursery:
        for number, person in enumerate(people):
            nursery.start_soon(_Client(web, person, number, report).run, began + seconds)
    report.seconds = time.monotonic() - began
    return report


class _Client:
    """One caller on one connection."""

    def __init__(self, web: str, person: Person, number: int, report: Report) -> None:
        address = urlsplit(web)
        self._host, self._port = address.hostname or "", address.port or 80
        self._person = person
        self._report = report
        self._choice = random.Random(number)
        self._number = number
        self._made = 0
        self._stream: trio.SocketStream | None = None
        self._unread = b""

    async def run(self, until: float) -> None:
        deeds: dict[str, Callable[[], Awaitable[None]]] = {
            READ: self._read,
            CHECK: self._check,
            PAIR: self._pair,
        }
        while time.monotonic() < until:
            [kind] = self._choice.choices(list(OF_TEN), list(OF_TEN.values()))
            try:
                await deeds[kind]()
            except (Refused, OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
                self._report.errors[f"{kind}: {type(error).__name__} {error}"[:300]] += 1
                await self._hang_up()
        await self._hang_up()

    async def _read(self) -> None:
        """As a program does: its units, then one of them."""
        found = await self._ask(READ, "GET", "/api/devices?limit=20", self._person.as_program)
        if found["items"]:
            chosen = self._choice.choice(found["items"])["id"]
            await self._ask(READ, "GET", f"/api/devices/{chosen}", self._person.as_program)

    async def _check(self) -> None:
        """As an open console does."""
        await self._ask(CHECK, "GET", "/api/auth/me", self._person.as_browser)

    async def _pair(self) -> None:
        """A new unit; of two the older is unpaired again."""
        self._made += 1
        name = {"name": f"unit {self._made}"}
        pairing = await self._ask(PAIR, "POST", "/api/pairing/token", self._person.as_program, name)
        claims = {
            "pairing_token": pairing["token"],
            "serial_number": f"{self._number}-{self._made % 4}",
            **name,
        }
        done = await self._ask(PAIR, "POST", "/api/pairing/exchange", "", claims)
        if self._made % 2 == 0:
            await self._ask(PAIR, "DELETE", f"/api/devices/{done['device_id']}", self._person.as_program)

    async def _ask(self, kind: str, method: str, path: str, who: str, body: object = None) -> Any:
        """The data of an answer that must be a good one."""
        content = b"" if body is None else json.dumps(body).encode()
        kind_of_body = "Content-Type: application/json\r\n" if content else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n{who}{kind_of_body}"
        message = f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
        began = time.monotonic()
        with trio.fail_after(ANSWER_SECONDS):
            if self._stream is None:
                self._stream = await trio.open_tcp_stream(self._host, self._port)
                self._unread = b""
            await self._stream.send_all(message)
            status, answer = await self._answer(self._stream)
        self._report.took[kind].append(time.monotonic() - began)
        if not 200 <= status < 300:
            raise Refused(
                f"{method} {path.partition('?')[0]}: {status} {answer.decode(errors='replace')[:200]}"
            )
        return json.loads(answer)["data"] if answer else None

    async def _answer(self, stream: trio.SocketStream) -> tuple[int, bytes]:
        while b"\r\n\r\n" not in self._unread:
            await self._receive(stream)
        head, _, rest = self._unread.partition(b"\r\n\r\n")
        status = int(head[9:12])
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"transfer-encoding"):
                raise Refused("an answer of the API without a length")
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        self._unread = rest
        while len(self._unread) < length:
            await self._receive(stream)
        body, self._unread = self._unread[:length], self._unread[length:]
        return status, body

    async def _receive(self, stream: trio.SocketStream) -> None:
        data = await stream.receive_some(_READ_BYTES)
        if not data:
            raise Refused("the server hung up")
        self._unread += data

    async def _hang_up(self) -> None:
        if self._stream is not None:
            await trio.aclose_forcefully(self._stream)
            self._stream = None
