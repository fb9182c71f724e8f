"""Passwords: argon2id with the library's current parameters (RFC 9106, low-memory profile).

Both functions take tens of milliseconds of processor time on purpose: call them in a worker thread.
"""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from visiona.domain.errors import Invalid

MIN_PASSWORD_CHARACTERS = 8
"""NIST SP 800-63B-4 §3.1.1.2 asks for 15 where it is the only factor, 8 at the very least; the latter is a floor."""

MAX_PASSWORD_BYTES = 1024
"""Longer ones only cost time."""

_HASHER = PasswordHasher()


def hash_password(password: str) -> str:
    """The stored form, with its parameters and a fresh salt; raises Invalid for a password too short or too long."""
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise Invalid(f"a password needs at least {MIN_PASSWORD_CHARACTERS} characters")
    return _HASHER.hash(_password_bytes(password))


def verify_password(password_hash: str, password: str) -> bool:
    """Whether this is the password; False also for a hash that nothing fits."""
    try:
        return _HASHER.verify(password_hash, _password_bytes(password))
    except (VerificationError, InvalidHashError, Invalid):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def _password_bytes(password: str) -> bytes:
    try:
        encoded = password.encode()
    except UnicodeEncodeError as error:
        raise Invalid("this password cannot be written as UTF-8") from error
    if len(encoded) > MAX_PASSWORD_BYTES:
        raise Invalid(f"a password has at most {MAX_PASSWORD_BYTES} bytes")
    return encoded
