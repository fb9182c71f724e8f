"""Puts the sources together: flag over credential over environment over file over default, and all faults at once."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visiona.config.keys import STATE_DIR, all_keys
from visiona.config.service_manager import ServiceManager, read_service_manager
from visiona.config.settings import SECTIONS, InternalSettings, Settings
from visiona.config.sources import Findings, read_credentials, read_environment, read_file, read_flags
from visiona.config.values import NotThis, Value, convert
from visiona.integrations.mail.settings import MailSettings
from visiona.ops.health import HealthSettings
from visiona.ops.logs import LogSettings
from visiona.relay.settings import RelaySettings
from visiona.services.audit_settings import AuditSettings
from visiona.stores.settings import RedisSettings, StorageSettings, StoreSettings
from visiona.web.bff.settings import OidcSettings, SessionSettings
from visiona.web.settings import WebSettings

DEFAULT_FILE = Path("/etc/visiona/visiona.toml")
SYSTEM_STATE_DIR = Path("/var/lib/visiona")


class ConfigInvalid(Exception):
    """The configuration cannot be used; `faults` has one sentence for each thing that is wrong."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and how they came to be.

    Attributes:
        values: every key's value.
        origins: every key's source: `flag …`, `credential …`, `environment …`, `file …` or `default`.
        warnings: what works and should still be changed.
    """

    settings: Settings
    values: Mapping[str, Value]
    origins: Mapping[str, str]
    warnings: Sequence[str]


def load(path: Path | None, environ: Mapping[str, str], credentials_dir: Path | None = None) -> Settings:
    """The settings alone; see `read`."""
    return read(path, environ, credentials_dir).settings


def from_process(path: Path | None = None, flags: Sequence[str] = ()) -> Loaded:
    """What this process was started with: its environment, its credentials, the file it names.

    Raises:
        ConfigInvalid: with every fault.
    """
    environ = dict(os.environ)  # noqa: TID251 - this is the one reader
    if path is None and environ.get("VISIONA_CONFIG"):
        path = Path(environ["VISIONA_CONFIG"])
    if path is None and DEFAULT_FILE.is_file():
        path = DEFAULT_FILE
    folder = environ.get("CREDENTIALS_DIRECTORY")
    return read(path, environ, Path(folder) if folder else None, flags)


def read(
    path: Path | None,
    environ: Mapping[str, str],
    credentials_dir: Path | None = None,
    flags: Sequence[str] = (),
) -> Loaded:
    """Reads every source.

    Args:
        path: the TOML file; None for none.
        environ: the environment variables.
        credentials_dir: systemd's credentials; None for none.
        flags: `section.key=value`, stronger than all else.

    Raises:
        ConfigInvalid: with every fault, also those of values that are fine one by one.
    """
    findings = Findings()
    read_flags(flags, findings)
    read_credentials(credentials_dir, findings)
    read_environment(environ, findings)
    if path is not None:
        read_file(path, findings)
    values, origins = _values(findings, environ)
    if findings.faults:
        raise ConfigInvalid(findings.faults)
    settings = _settings(values, read_service_manager(environ, os.getpid()))
    if faults := _check(settings):
        raise ConfigInvalid(faults)
    return Loaded(settings, values, origins, findings.warnings)


def default_state_dir(environ: Mapping[str, str]) -> Path:
    """Where state goes when nobody says: systemd's directory, the system's if we may, else the user's own."""
    if systemd := environ.get("STATE_DIRECTORY"):
        return Path(systemd.partition(":")[0])
    nearest = SYSTEM_STATE_DIR if SYSTEM_STATE_DIR.exists() else SYSTEM_STATE_DIR.parent
    if os.access(nearest, os.W_OK):
        return SYSTEM_STATE_DIR
    if state_home := environ.get("XDG_STATE_HOME"):
        return Path(state_home) / "visiona"
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".local" / "state" / "visiona"


def _values(findings: Findings, environ: Mapping[str, str]) -> tuple[dict[str, Value], dict[str, str]]:
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    for key in all_keys().values():
        raw = findings.raw.get(key.name)
        if raw is None:
            values[key.name] = default_state_dir(environ) if key.name == STATE_DIR else key.default
            origins[key.name] = "default"
            continue
        try:
            values[key.name] = convert(key.kind, raw.value)
        except NotThis as error:
            seen = "" if key.is_secret else f" is {raw.value!r}"
            findings.faults.append(f"{key.name} ({raw.origin}){seen}: {error}")
        origins[key.name] = raw.origin
    return values, origins


def _settings(values: Mapping[str, Value], manager: ServiceManager) -> Settings:
    state_dir = values[STATE_DIR]
    assert isinstance(state_dir, Path)

    def piece(section: str) -> dict[str, Any]:
        prefix = f"{section}."
        return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}

    return Settings(
        state_dir=state_dir,
        web=WebSettings(**piece("web")),
        oidc=OidcSettings(**piece("oidc")),
        session=SessionSettings(**piece("session")),
        relay=RelaySettings(**piece("relay")),
        internal=InternalSettings(**piece("internal")),
        stores=StoreSettings(state_dir=state_dir, redis=RedisSettings(**piece("redis")), **piece("database")),
        storage=StorageSettings(**piece("storage")),
        health=HealthSettings(**piece("health")),
        log=LogSettings(**piece("log")),
        audit=AuditSettings(**piece("audit")),
        mail=MailSettings(**piece("mail")),
        manager=manager,
    )


def _check(settings: Settings) -> list[str]:
    faults: list[str] = []
    elsewhere: Mapping[str, object] = {"database": settings.stores, "redis": settings.stores.redis}
    for section in SECTIONS:
        piece: object = elsewhere.get(section) or getattr(settings, section)
        check: Callable[[], list[str]] | None = getattr(piece, "check", None)
        found = check() if check is not None else []
        faults += [fault if fault.startswith(f"{section}.") else f"[{section}] {fault}" for fault in found]
    if settings.mail.is_on and settings.web.public_url is None:
        # Or the links would be made of what a request says, or lead to the reader's own machine.
        faults.append("[mail] needs web.public_url: the links in mails are made of it")
    return faults
