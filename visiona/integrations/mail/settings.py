"""What can be set about mail. Without a host none is sent."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from visiona.integrations.mail.addresses import is_sendable

Protection = Literal["starttls", "tls", "none"]

PORTS: dict[Protection, int] = {"starttls": 587, "tls": 465, "none": 25}
"""RFC 8314 §3.3, RFC 6409; and what a server on this machine takes."""

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Section `[mail]`.

    Attributes:
        host: the mail server, a name or an address; None: no mail is sent.
        port: None: the usual one for `tls`.
        tls: `starttls` and `tls` send nothing unless the server has shown a good certificate.
        ca_file: PEM file with who may vouch for the server; None: whom this machine trusts.
        user: None: the server asks nobody for a password.
        from_address: whom mails are from.
        timeout_seconds: for one mail, connecting included.
    """

    host: str | None = None
    port: int | None = None
    tls: Protection = "starttls"
    ca_file: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    from_address: str | None = None
    timeout_seconds: float = 20.0

    @property
    def is_on(self) -> bool:
        """Whether there is a server to send mail through."""
        return self.host is not None

    @property
    def port_or_usual(self) -> int:
        """The port that is dialled."""
        return self.port if self.port is not None else PORTS[self.tls]

    def check(self) -> list[str]:
        """Every fault of the values taken together; the types were checked by whoever read them."""
        if self.host is None:
            others = (self.port, self.ca_file, self.user, self.password, self.from_address)
            return ["host is missing, and without it nothing else here does anything"] if any(others) else []
        faults = []
        if not _is_host(self.host):
            faults.append(
                "host must be the name or the address of a mail server alone; port is a key of its own"
            )
        if self.port is not None and not 1 <= self.port <= 65535:
            faults.append("port must be between 1 and 65535")
        if self.from_address is None or not is_sendable(self.from_address):
            faults.append("from_address must be the address that mails are from, like visiona@example.com")
        if (self.user is None) != (self.password is None):
            faults.append("user and password belong together: set both or none")
        elif self.user is not None and self.tls == "none" and not _is_here(self.host):
            faults.append(
                "tls must be starttls or tls where there is a password: it would cross the network in clear"
            )
        if not f"{self.user}{self.password}".isascii():
            faults.append("user and password must be ASCII: SMTP knows no others")
        if self.ca_file is not None and not self.ca_file.is_file():
            faults.append(f"ca_file: there is no file {self.ca_file}")
        if not 1.0 <= self.timeout_seconds <= 120.0:
            faults.append("timeout_seconds must be between 1 and 120")
        return faults


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return _HOST.fullmatch(text) is not None
    return True


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
