"""A running server for commands that ask one from elsewhere, and its people with their tokens in files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from visiona.domain.ids import DeviceId
from visiona.services.clock import now
from visiona.services.exchange_token import exchange
from visiona.services.identify import identify_program
from visiona.services.pair_device import create_pairing_token
from visiona.stores.opening import open_stores

from tests.e2e.evidence import Evidence
from tests.e2e.server import Said, Server, in_process, running_server


class Served:
    """The server, as its people's command lines see it."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self._folder = folder

    def token_file(self, name: str) -> Path:
        """Somebody's token; the account is made where there is none."""
        path = self._folder / f"{name}.token"
        if not path.exists():
            self.server.person(name)
            path.write_text(self.server.token(f"{name}@example.org", "cli") + "\n")
        return path

    def run(self, name: str, *arguments: str) -> Said:
        """`visiona workspace …` as somebody."""
        asked = ("--server", self.server.web, "--token-file", str(self.token_file(name)))
        return in_process("workspace", *arguments, *asked)

    async def paired(self, name: str, workspace_id: str) -> DeviceId:
        """A device of somebody's."""
        text = self.token_file(name).read_text().strip()
        async with open_stores(self.server.store_settings, exclusive=False) as stores:
            actor = await identify_program(stores, text, now())
            made = await create_pairing_token(stores, actor, now(), workspace_id=workspace_id)
            return (await exchange(stores, made.text, now())).device_id


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with running_server(folder / "server", Evidence()) as server:
        yield Served(server, folder)
