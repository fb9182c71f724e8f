"""Where state is kept."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from visiona.stores import postgres_address, s3_address
from visiona.stores.postgres_address import PostgresAddress
from visiona.stores.redis_address import NoAddress, RedisAddress, parsed

DATABASE_FILE = "visiona.db"

MAX_PREFIX_CHARACTERS = 64
MAX_POOL_SIZE = 100
MAX_TIMEOUT_SECONDS = 60.0
"""Whoever waits for longer has gone."""

MAX_FILE_BYTES = 2**40
"""A tebibyte: no accelerator takes a thousandth of it."""

MAX_UPLOAD_IDLE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Section `[redis]`: where people's sessions are kept, if not in the database.

    Attributes:
        url: `redis://[[user]:password@]host[:port][/number]`, `rediss://` with TLS; None for no Redis.
        pool_size: connections at most; one question at a time on each.
        timeout_seconds: how long one question may take, connecting included.
        key_prefix: begins the name of every key of ours, so that others may use the same Redis.
    """

    url: str | None = field(default=None, repr=False)
    pool_size: int = 8
    timeout_seconds: float = 1.0
    key_prefix: str = "visiona:"

    def check(self) -> list[str]:
        """Every fault at once, each a sentence that names the key."""
        faults = []
        if self.url is not None:
            try:
                parsed(self.url)
            except NoAddress as error:
                faults.append(f"redis.url: {error}")
        if not 1 <= self.pool_size <= MAX_POOL_SIZE:
            faults.append(f"redis.pool_size: write a number from 1 to {MAX_POOL_SIZE}")
        if not 0 < self.timeout_seconds <= MAX_TIMEOUT_SECONDS:
            faults.append(f"redis.timeout_seconds: write more than 0 and at most {MAX_TIMEOUT_SECONDS:g}")
        if not self._is_prefix:
            faults.append(
                f"redis.key_prefix: write up to {MAX_PREFIX_CHARACTERS} letters, digits or any of : . _ -"
            )
        return faults

    @property
    def address(self) -> RedisAddress | None:
        """Where it is; None for no Redis."""
        return parsed(self.url) if self.url is not None else None

    @property
    def _is_prefix(self) -> bool:
        rest = self.key_prefix.translate({ord(character): None for character in ":._-"})
        is_plain = rest.isascii() and rest.isalnum()
        return is_plain and len(self.key_prefix) <= MAX_PREFIX_CHARACTERS


NO_REDIS = RedisSettings()


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Section `[storage]`: where model files are kept, and how many.

    Attributes:
        url: of a bucket in an object store, `s3://ACCESS_KEY:SECRET@host/bucket`; None for a folder.
        path: the folder; None for `files` in the state directory.
        reserve_bytes: so much of the disk stays free: an upload that would need it is refused.
        max_file_bytes: the largest file.
        quota_bytes: what the files of one workspace may come to together.
        quota_models: how many models one workspace may have.
        upload_idle_seconds: how long an upload may stand still before its connection is ended; it can be continued.
    """

    url: str | None = field(default=None, repr=False)
    path: Path | None = None
    reserve_bytes: int = 512 * 1024 * 1024
    max_file_bytes: int = 4 * 1024 * 1024 * 1024
    quota_bytes: int = 50 * 1024 * 1024 * 1024
    quota_models: int = 1000
    upload_idle_seconds: float = 30.0

    def check(self) -> list[str]:
        """Every fault at once, each a sentence that names the key."""
        faults = []
        if self.url is not None:
            try:
                s3_address.parsed(self.url)
            except s3_address.NoAddress as error:
                faults.append(f"storage.url: {error}")
        if self.path is not None and not self.path.is_absolute():
            faults.append("storage.path: write a path that begins with /")
        if self.reserve_bytes < 0:
            faults.append("storage.reserve_bytes: write 0 or more")
        if self.quota_bytes < 0:
            faults.append("storage.quota_bytes: write 0 or more")
        if not 1 <= self.max_file_bytes <= MAX_FILE_BYTES:
            faults.append(f"storage.max_file_bytes: write a number from 1 to {MAX_FILE_BYTES}")
        if self.quota_models < 0:
            faults.append("storage.quota_models: write 0 or more")
        if not 0 < self.upload_idle_seconds <= MAX_UPLOAD_IDLE_SECONDS:
            faults.append(
                f"storage.upload_idle_seconds: write more than 0 and at most {MAX_UPLOAD_IDLE_SECONDS:g}"
            )
        return faults


DEFAULT_STORAGE = StorageSettings()


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Settings of the stores.

    Attributes:
        url: `postgresql://user:password@host/database`, `sqlite:///absolute/path`, `memory:`, or None for
            `visiona.db` in the state directory.
        state_dir: the folder that is ours to write.
        synchronous: `normal`: a crash of the program loses nothing, a power cut perhaps the last second;
            `full`: neither loses anything, and every write waits for the disk.
        pool_size: connections to PostgreSQL at most; one operation at a time on each.
        timeout_seconds: how long PostgreSQL may take for one operation, waiting for a connection included.
        redis: section `[redis]`, checked by itself.
    """

    url: str | None = field(repr=False)
    state_dir: Path
    synchronous: str = "normal"
    pool_size: int = 8
    timeout_seconds: float = 2.0
    redis: RedisSettings = NO_REDIS

    def check(self) -> list[str]:
        """Every fault at once, each a sentence that names the key."""
        faults = []
        if self.synchronous not in {"normal", "full"}:
            faults.append('database.synchronous: write "normal" or "full"')
        if not 1 <= self.pool_size <= MAX_POOL_SIZE:
            faults.append(f"database.pool_size: write a number from 1 to {MAX_POOL_SIZE}")
        if not 0 < self.timeout_seconds <= MAX_TIMEOUT_SECONDS:
            faults.append(f"database.timeout_seconds: write more than 0 and at most {MAX_TIMEOUT_SECONDS:g}")
        if self.is_postgres:
            try:
                postgres_address.parsed(self.url or "")
            except postgres_address.NoAddress as error:
                faults.append(f"database.url: {error}")
        elif self.url is not None and self.url != "memory:" and not _is_sqlite(self.url):
            faults.append(
                'database.url: write "postgresql://user:password@host/database", "sqlite:///absolute/path" or'
                ' "memory:", or leave it out'
            )
        return faults

    @property
    def is_memory(self) -> bool:
        """Whether nothing is to be kept."""
        return self.url == "memory:"

    @property
    def is_postgres(self) -> bool:
        """Whether a server keeps it."""
        return self.url is not None and postgres_address.is_postgres(self.url)

    @property
    def postgres(self) -> PostgresAddress:
        """The PostgreSQL server and its database."""
        return postgres_address.parsed(self.url or "")

    @property
    def database_file(self) -> Path:
        """The SQLite file."""
        if self.url is None:
            return self.state_dir / DATABASE_FILE
        return Path("/" + unquote(self.url.removeprefix("sqlite:///")).lstrip("/"))


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite:///") and len(url) > len("sqlite:///") and not url.endswith("/")
