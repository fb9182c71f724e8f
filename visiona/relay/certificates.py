"""The relay port's certificate, as it is on disk now: a renewal needs no restart and drops nobody.

A pair that cannot be read, or does not match, leaves the last good one in use and says so once.
"""

import logging
import ssl
from pathlib import Path

import trio

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""The files are looked at when somebody connects, and not more often than this."""

_Stamp = tuple[int, int, int, int]


class CertificateUnusable(OSError):
    """There is no good pair to begin with; the message is for a person and names the settings."""


class Certificates:
    """Makes TLS contexts. Raises CertificateUnusable if there is no good pair to begin with."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        try:
            self._stamp = self._look()
            self._context = self._load()
        except OSError as error:  # ssl.SSLError is one
            raise CertificateUnusable(
                f"relay.tls_certificate ({certificate}) and relay.tls_key ({key}) cannot be used: {_why(error)}"
            ) from error
        self._looked_at = -LOOK_SECONDS

    def context(self) -> ssl.SSLContext:
        """The context for a new connection."""
        now = trio.current_time()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._reload_if_changed()
        return self._context

    def _reload_if_changed(self) -> None:
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._context = self._load()
        except OSError as error:  # ssl.SSLError is one
            logger.error("the changed certificate is not usable, the old one stays: %s", error)  # noqa: TRY400 - no bug of ours
            return
        logger.info("certificate reloaded")

    def _look(self) -> _Stamp:
        certificate, key = self._certificate.stat(), self._key.stat()
        return certificate.st_mtime_ns, certificate.st_ino, key.st_mtime_ns, key.st_ino

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # With an empty password a locked key is an error; without one OpenSSL asks for it on the terminal.
        context.load_cert_chain(self._certificate, self._key, password="")
        return context


def _why(error: OSError) -> str:
    if not isinstance(error, ssl.SSLError):
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    return "they must be a certificate with its chain and its key, both PEM, the key without a password"
