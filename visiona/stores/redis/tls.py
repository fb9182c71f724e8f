"""Whom to believe that it is the Redis that is meant.

Reading all that a machine trusts takes a tenth of a second, during which nothing else would run: it is done once, in a
thread, and again only where somebody was not believed, for the file may be another by now.
"""

import asyncio  # noqa: TID251 - a driver of asyncio's
import ssl

AGAIN_SECONDS = 30.0
"""The shortest time between two readings."""


class Trust:
    """For any number of connections on one loop.

    Args:
        ca_file: PEM file with who vouches; None for whom this machine trusts.
    """

    def __init__(self, ca_file: str | None) -> None:
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None
        self._read_at = float("-inf")
        self._turns = asyncio.Lock()

    async def context(self) -> ssl.SSLContext:
        """The certificate must be vouched for, and for the name in the address.

        Raises:
            OSError: the file is not there, or holds no certificate.
        """
        async with self._turns:
            if self._context is None:
                self._read_at = asyncio.get_running_loop().time()
                self._context = await asyncio.to_thread(ssl.create_default_context, cafile=self._ca_file)
            return self._context

    def was_in_vain(self) -> None:
        """Somebody was not believed."""
        if asyncio.get_running_loop().time() - self._read_at >= AGAIN_SECONDS:
            self._context = None
