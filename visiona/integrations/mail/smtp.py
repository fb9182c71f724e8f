"""Hands one mail to the mail server (RFC 5321), with the standard library's client in a worker thread.

Trio connects, and keeps a hand on the socket: at the deadline it is shut down, so that a server which drips a byte now
and then holds no thread for longer. Nothing is sent before TLS, where TLS is asked for.
"""

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.message import EmailMessage

import trio

from visiona.integrations.mail.faults import fault_of, too_slow
from visiona.integrations.mail.letters import Letter, written
from visiona.integrations.mail.settings import MailSettings

MAX_AT_ONCE = 4
"""Connections to the mail server; more of one sender are refused by many."""

QUIT_SECONDS = 1.0

Talk = Callable[[smtplib.SMTP], None]


class MailServer:
    """The mail server that the settings name, which must be on."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._host = settings.host or ""
        self._place = f"{self._host}:{settings.port_or_usual}"
        self._threads = trio.CapacityLimiter(MAX_AT_ONCE)

    async def deliver(self, letter: Letter) -> None:
        """Has the server take a mail. Raises MailFault; cancelling ends it, and the server may have taken it."""
        sender, to, message = written(letter, self._settings.from_address or "", datetime.now(UTC))
        await self._talk(lambda smtp: _hand_over(smtp, message, sender, to))

    async def check(self) -> None:
        """Goes as far as one comes without a mail. Raises MailFault."""
        await self._talk(lambda smtp: None)

    async def _talk(self, talk: Talk) -> None:
        with trio.move_on_after(self._settings.timeout_seconds):
            async with self._threads:
                await self._in_thread(await self._connect(), talk)
            return
        raise too_slow(self._place)

    async def _connect(self) -> socket.socket:
        try:
            stream = await trio.open_tcp_stream(self._host, self._settings.port_or_usual)
        except OSError as error:
            raise fault_of(_first_cause(error), self._place) from error
        return socket.socket(fileno=stream.socket.detach())

    async def _in_thread(self, connection: socket.socket, talk: Talk) -> None:
        # TLS takes the socket over; this one stays ours.
        handle, begun = connection.dup(), threading.Event()

        def work() -> None:
            begun.set()
            self._spoken(connection, talk)

        try:
            await trio.to_thread.run_sync(work, abandon_on_cancel=True)
        finally:
            if not begun.is_set():
                connection.close()
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)
            handle.close()

    def _spoken(self, connection: socket.socket, talk: Talk) -> None:
        settings = self._settings
        try:
            connection.settimeout(settings.timeout_seconds)
            context = _context(settings)
            if settings.tls == "tls":
                connection = context.wrap_socket(connection, server_hostname=self._host)
            with closing(_Connected(connection, self._host, settings)) as smtp:
                if settings.tls == "starttls":
                    smtp.starttls(context=context)
                smtp.ehlo_or_helo_if_needed()
                if settings.user is not None and settings.password is not None:
                    smtp.login(settings.user, settings.password)
                talk(smtp)
                _leave(smtp)
        except (OSError, smtplib.SMTPException, ValueError, LookupError) as error:
            raise fault_of(error, self._place) from error
        finally:
            connection.close()


class _Connected(smtplib.SMTP):
    """The standard library's client on a connection that is there already."""

    def __init__(self, connection: socket.socket, host: str, settings: MailSettings) -> None:
        self._connection = connection
        own_name = (settings.from_address or "").rpartition("@")[2].encode("idna").decode("ascii")
        super().__init__(host, settings.port_or_usual, own_name, settings.timeout_seconds)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._connection


def _context(settings: MailSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.ca_file)


def _hand_over(smtp: smtplib.SMTP, message: EmailMessage, sender: str, to: str) -> None:
    smtp.send_message(message, sender, [to])


def _leave(smtp: smtplib.SMTP) -> None:
    """Says so. What was taken is taken, whatever the server says to that: it must not be sent twice."""
    with suppress(OSError, smtplib.SMTPException):
        if smtp.sock is not None:
            smtp.sock.settimeout(QUIT_SECONDS)
        smtp.quit()


def _first_cause(error: OSError) -> OSError:
    """Of several addresses that were tried the first one's trouble."""
    cause: BaseException | None = error.__cause__
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    return cause if isinstance(cause, OSError) else error
