"""`Settings`, made of the pieces that each floor defines for itself, and the table that says which section is whose.

A part of the server is handed its own piece, never the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from visiona.config.service_manager import ServiceManager
from visiona.domain.listen import ListenAddress
from visiona.integrations.mail.settings import MailSettings
from visiona.ops.health import HealthSettings
from visiona.ops.logs import LogSettings
from visiona.relay.settings import RelaySettings
from visiona.services.audit_settings import AuditSettings
from visiona.stores.settings import RedisSettings, StorageSettings, StoreSettings
from visiona.web.bff.settings import OidcSettings, SessionSettings
from visiona.web.settings import WebSettings

NOT_MANAGED = ServiceManager()
DEFAULT_INTERNAL = ListenAddress("127.0.0.1", 3801)


@dataclass(frozen=True, slots=True)
class InternalSettings:
    """Section `[internal]`: the port for metrics, for this machine only unless told otherwise.

    Attributes:
        listen: `host:port`; port 0 takes any free one.
        hosts: names by which it may be asked, beside `localhost`, addresses and that of `listen`.
    """

    listen: ListenAddress = DEFAULT_INTERNAL
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, once, for the life of the process.

    Attributes:
        state_dir: the folder that is ours to write.
        stores: sections `[database]` and `[redis]`.
        manager: what the service manager told this process; nobody writes it in a file.
    """

    state_dir: Path
    web: WebSettings
    oidc: OidcSettings
    session: SessionSettings
    relay: RelaySettings
    internal: InternalSettings
    stores: StoreSettings
    storage: StorageSettings
    health: HealthSettings
    log: LogSettings
    audit: AuditSettings
    mail: MailSettings
    manager: ServiceManager = NOT_MANAGED


SECTIONS: Mapping[str, type] = {
    "web": WebSettings,
    "oidc": OidcSettings,
    "session": SessionSettings,
    "relay": RelaySettings,
    "internal": InternalSettings,
    "database": StoreSettings,
    "redis": RedisSettings,
    "storage": StorageSettings,
    "health": HealthSettings,
    "log": LogSettings,
    "audit": AuditSettings,
    "mail": MailSettings,
}
"""Section of the file → the class that declares its keys; a field is a key."""

LATER: Mapping[str, str] = {
    "channels": "chat channels",
    "cluster": "several nodes",
}
"""Sections that have their name already and nothing that reads them yet → what for. They are warnings, not faults: one
configuration may serve this release and a later one, and nobody should believe that they do something here."""

NOT_KEYS = frozenset({"database.state_dir", "database.redis"})
"""Fields that are filled from elsewhere: the state directory is one key above all sections, Redis is a section."""

SECRETS = frozenset(
    {"database.url", "redis.url", "storage.url", "oidc.client_secret", "session.key", "mail.password"}
)
"""Keys whose value is never shown; a URL can hold a password. Each has a `_FILE` twin and a systemd credential."""
