"""One mail: what it says to whom, and how that is written (RFC 5322), so that no word of it can become a header."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import NamedTuple

from visiona.domain.labels import label
from visiona.integrations.mail.addresses import on_the_wire
from visiona.integrations.mail.faults import MailFault

MAX_SUBJECT_CHARACTERS = 150
"""More than any program shows."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to one person. What it says may be a secret of theirs.

    Attributes:
        key: what it is about, by which `Outbox` knows what became of it.
        language: of its words (BCP 47).
        html: the same as `text`, a whole document.
    """

    key: str
    to: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    language: str


class Written(NamedTuple):
    """A mail as it goes to a server, and its envelope."""

    sender: str
    to: str
    message: EmailMessage


def written(letter: Letter, from_address: str, at: datetime) -> Written:
    """The mail as it goes to a server. Raises MailFault where mail cannot go to the address."""
    to, sender = on_the_wire(letter.to), on_the_wire(from_address)
    if to is None or sender is None:
        raise MailFault("no mail can be sent to an address like this", is_lasting=True, of_address=True)
    message = EmailMessage(SMTP)
    message["From"] = _address(sender, "visiona")
    message["To"] = _address(to)
    message["Subject"] = _plain(letter.subject)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{secrets.token_hex(16)}@{sender.rpartition('@')[2]}>"
    # RFC 3834: nobody's holiday notice answers it.
    message["Auto-Submitted"] = "auto-generated"
    # Not every server takes eight bits (RFC 6152).
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = letter.language
    return Written(sender, to, message)


def _plain(text: str) -> str:
    """Text that stays what it is in a header.

    The email package takes `=?…?=` in a value for an encoded word (RFC 2047) and writes out what that holds: line ends,
    and headers of somebody else's after them.
    """
    seen = label(text, MAX_SUBJECT_CHARACTERS)
    while "=?" in seen:
        seen = seen.replace("=?", "= ?")
    return seen[:MAX_SUBJECT_CHARACTERS]


def _address(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(display_name=name, username=local, domain=domain)
