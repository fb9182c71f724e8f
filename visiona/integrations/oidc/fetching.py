"""One question to a provider over HTTP: within a deadline, a size, and without going anywhere else.

The provider's address comes from an administrator, and its answers from whoever holds that address: so no redirect is
followed (an answer must not choose whom we ask next), nothing is decompressed, and the body is cut off at a limit.
"""

import json
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import trio

from visiona.integrations.interface import ProviderUnavailable

DEADLINE_SECONDS = 5.0
"""For a whole question, connecting included: a person waits at the other end, and will not wait for longer."""

MAX_BYTES = 1024 * 1024
"""Of an answer. Metadata and key sets are a few KiB; ten keys with certificate chains are below 100 KiB."""

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer: its status and its JSON object."""

    status: int
    fields: Json = field(repr=False)


class Fetcher:
    """Asks one provider; see `open_fetcher`."""

    def __init__(self, http: httpx.AsyncClient, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._http = http
        self._deadline_seconds = deadline_seconds

    async def get(self, url: str, *, bearer: str | None = None) -> Answer:
        """GET, with an access token if one is needed; raises ProviderUnavailable."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
        return await self._ask("GET", url, headers, None)

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """POST of a form; raises ProviderUnavailable. Never repeated: what it carries is good once."""
        return await self._ask("POST", url, headers, form)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        try:
            with trio.fail_after(self._deadline_seconds):
                status, body = await self._exchange(method, url, headers, form)
        except trio.TooSlowError:
            raise ProviderUnavailable(
                f"{_place(url)} took longer than {self._deadline_seconds:g} s"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderUnavailable(f"{_place(url)}: {_why(error)}") from error
        return Answer(status, _json_object(body, status, url))

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> tuple[int, bytes]:
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        async with self._http.stream(method, url, headers=sent, data=form) as response:
            status = response.status_code
            if 300 <= status < 400 or status >= 500:
                raise ProviderUnavailable(f"{_place(url)} answered {status}")
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise ProviderUnavailable(f"{_place(url)} answered compressed, which was not asked for")
            body = await _body_or_none(response)
            if body is None:
                raise ProviderUnavailable(f"{_place(url)} answered more than {MAX_BYTES} bytes")
        return status, body


@asynccontextmanager
async def open_fetcher(
    transport: httpx.AsyncBaseTransport | None = None, *, deadline_seconds: float = DEADLINE_SECONDS
) -> AsyncIterator[Fetcher]:
    """A fetcher with its connections, closed at the end.

    Args:
        transport: another way to reach the provider than the network: the built-in one lives in this process.
        deadline_seconds: for each question.
    """
    # It writes a line per request at INFO, with the whole URL.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # trust_env: proxies and .netrc are read from the environment otherwise, and configuration is its only reader.
    # TLS is verified against the system's own store, so that a company's CA counts.
    async with httpx.AsyncClient(
        transport=transport,
        verify=ssl.create_default_context(),
        follow_redirects=False,
        trust_env=False,
        # Connecting and the TLS handshake end by themselves before the deadline of the whole does: httpcore 1.0 leaves
        # the socket open when a handshake is cancelled from outside.
        timeout=httpx.Timeout(deadline_seconds, connect=deadline_seconds * 0.4),
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=4),
    ) as http:
        yield Fetcher(http, deadline_seconds=deadline_seconds)


async def _body_or_none(response: httpx.Response) -> bytes | None:
    """The body; None, and no more of it is read, if it is too long."""
    body = bytearray()
    with trio.CancelScope() as scope:
        async for piece in response.aiter_raw():
            if len(body) <= MAX_BYTES:
                body += piece
            else:
                # Leaving the loop would leave httpx's nested generators to the garbage collector, which Trio warns
                # of; a cancellation ends them from within.
                scope.cancel()
    return bytes(body) if len(body) <= MAX_BYTES else None


def _json_object(body: bytes, status: int, url: str) -> Json:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise ProviderUnavailable(
            f"{_place(url)} answered {status} with something that is not JSON"
        ) from None
    if not isinstance(fields, dict):
        raise ProviderUnavailable(f"{_place(url)} answered {status} with JSON that is no object")
    return fields


def _why(error: BaseException) -> str:
    """The innermost cause that has words: "certificate verify failed", where httpx says only that it could not."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and len(chain) < 10:
        chain.append(cause)
    words = next((str(one) for one in reversed(chain) if str(one)), "")
    return f"{type(error).__name__}: {words}"[:200]


def _place(url: str) -> str:
    """The URL as a log may show it: no query, no length without end."""
    return url.partition("?")[0][:200]
