"""The TLS context for connections to PostgreSQL, made once and in a worker thread.

The driver makes one for each connection, and reading who this machine trusts takes a tenth of a second, in which no
device would be served.
"""

import asyncio  # noqa: TID251 - a driver of asyncio's
import os
import ssl

from visiona.stores.postgres_address import Tls

_PROTOCOL = "postgresql"
"""What TLS is to carry, https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL."""


class TlsContext:
    """The context, made anew when one of its files was replaced."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._files = [name for name in (tls.authorities, tls.certificate, tls.key) if name is not None]
        self._seen: list[tuple[int, int, int]] | None = None
        self._context: ssl.SSLContext | None = None
        self._making = asyncio.Lock()

    async def current(self) -> ssl.SSLContext:
        """The context of now; raises OSError for a file that cannot be used."""
        async with self._making:
            seen = [_identity(name) for name in self._files]
            if self._context is None or seen != self._seen:
                loop = asyncio.get_running_loop()
                self._context = await loop.run_in_executor(None, self._make)
                self._seen = seen
            return self._context

    def _make(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._tls.authorities)
        context.check_hostname = self._tls.checks_name
        context.set_alpn_protocols([_PROTOCOL])
        if self._tls.certificate is not None:
            context.load_cert_chain(self._tls.certificate, self._tls.key)
        return context


def _identity(name: str) -> tuple[int, int, int]:
    found = os.stat(name)
    return found.st_ino, found.st_mtime_ns, found.st_size
