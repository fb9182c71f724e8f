"""What pairing leaves on the unit: one file, readable by its owner only, replaced as a whole or not at all."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

FILE_NAME = "agent.json"
MAX_FILE_BYTES = 64 * 1024


class CredentialInvalid(Exception):
    """There is no credential, or not one that can be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Who this unit is to the relay, and what it serves.

    Attributes:
        session_token: the secret; never printed (`repr` leaves it out).
        relay_url: what is dialled.
        target: the local service that is served.
        instance: random per installation; lets the relay tell two units with one token apart.
        account: whose unit it is, for a person.
        expires_at: RFC 3339, as the server said it.
        ca_file: PEM file of the authorities to trust instead of the system's; empty for the system's.
    """

    session_token: str
    relay_url: str
    target: str
    instance: str
    account: str = ""
    device_id: str = ""
    expires_at: str = ""
    name: str = ""
    ca_file: str = ""

    def __repr__(self) -> str:
        return (
            f"Credential(device_id={self.device_id!r}, relay_url={self.relay_url!r}, target={self.target!r})"
        )

    @classmethod
    def read(cls, state_dir: Path) -> Self:
        """Reads the file of a state directory; raises CredentialInvalid."""
        path = state_dir / FILE_NAME
        try:
            with path.open("rb") as file:
                entries = json.loads(file.read(MAX_FILE_BYTES))
        except FileNotFoundError:
            raise CredentialInvalid(
                f"this unit is not paired: {path} does not exist; run: visiona agent pair"
            ) from None
        except OSError as error:
            raise CredentialInvalid(f"{path} cannot be read: {error.strerror}") from None
        except ValueError:
            raise CredentialInvalid(f"{path} is damaged; pair this unit again") from None
        known = {field.name for field in fields(cls)}
        texts = entries if isinstance(entries, dict) else {}
        values = {key: value for key, value in texts.items() if key in known and isinstance(value, str)}
        if not all(values.get(key) for key in ("session_token", "relay_url", "target", "instance")):
            raise CredentialInvalid(f"{path} is incomplete; pair this unit again")
        return cls(**values)

    def write(self, state_dir: Path) -> Path:
        """Replaces the file; raises OSError. A crash leaves the old one or the new one, never half of it."""
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = state_dir / FILE_NAME
        write_private(path, json.dumps(asdict(self), indent=2) + "\n")
        return path


def new_instance() -> str:
    """A name for this installation that no other has."""
    return secrets.token_hex(16)


def write_private(path: Path, text: str, *, durable: bool = True) -> None:
    """Writes a file of mode 0600 in one piece, owned by the owner of its directory; raises OSError.

    Pairing is often done as root for a service that runs as somebody else: whoever owns the directory must be able
    to read what is put there. A durable file survives a power cut, too.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            owner = path.parent.stat()
            if os.geteuid() == 0 and owner.st_uid != 0:
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
