"""A mail server for tests: aiosmtpd on a loop of its own, loopback only. It keeps what it takes."""

import asyncio  # noqa: TID251 - what aiosmtpd runs on
import socket
import ssl
import warnings
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.support.side_loop import SideLoop

CERTIFICATES = Path(__file__).parents[1] / "certificates"
CA_FILE = CERTIFICATES / "one.pem"
USER, PASSWORD = "visiona", "not a word of anybody"


class SmtpServer:
    """A server, started; close it.

    Args:
        tls: "starttls", "tls" or "none".
        certificate: which of the two.
        asks_password: mail is taken from USER alone.
        takes_utf8: whether it offers SMTPUTF8.
        knows_passwords: whether it offers any way to sign in.

    Attributes:
        taken: the envelopes, the oldest first.
        answers: what is said to RCPT, DATA or QUIT instead of what is usual, by the command.
        hangs_at_the_end: it never answers QUIT.
    """

    def __init__(
        self,
        tls: str = "starttls",
        *,
        certificate: str = "one",
        asks_password: bool = False,
        takes_utf8: bool = True,
        knows_passwords: bool = True,
    ) -> None:
        self.taken: list[Envelope] = []
        self.answers: dict[str, list[str]] = {}
        self.hangs_at_the_end = False
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(
            CERTIFICATES / f"{certificate}.pem", CERTIFICATES / f"{certificate}.key"
        )
        self._tls, self._asks_password, self._takes_utf8 = tls, asks_password, takes_utf8
        self._excluded = () if knows_passwords else ("LOGIN", "PLAIN")
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._loop = SideLoop()
        self._server = self._loop.run_sync(self._start())

    async def _start(self) -> asyncio.Server:
        context = self._context if self._tls == "tls" else None
        return await asyncio.get_running_loop().create_server(self._session, sock=self._socket, ssl=context)

    def _session(self) -> SMTP:
        with warnings.catch_warnings():
            # It warns of what a test means to do.
            warnings.simplefilter("ignore")
            return SMTP(
                self,
                hostname="mail.test",
                enable_SMTPUTF8=self._takes_utf8,
                tls_context=self._context if self._tls == "starttls" else None,
                require_starttls=self._tls == "starttls",
                auth_required=self._asks_password,
                auth_require_tls=self._tls == "starttls",
                auth_exclude_mechanism=self._excluded,
                authenticator=self._check,
                loop=asyncio.get_running_loop(),
            )

    def _check(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        is_theirs = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_theirs, handled=False)

    def _answer(self, command: str) -> str | None:
        waiting = self.answers.get(command)
        return waiting.pop(0) if waiting else None

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if (answer := self._answer("RCPT")) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if (answer := self._answer("DATA")) is not None:
            return answer
        self.taken.append(envelope)
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.hangs_at_the_end:
            await asyncio.sleep(60)
        return self._answer("QUIT") or "221 Bye"

    def message(self, number: int = -1) -> EmailMessage:
        """One that was taken, as a mail program reads it."""
        content = self.taken[number].content
        assert isinstance(content, bytes)
        found = message_from_bytes(content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def close(self) -> None:
        async def stop() -> None:
            self._server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)

        self._loop.run_sync(stop())
        self._loop.close()
