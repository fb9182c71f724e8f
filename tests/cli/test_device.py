from pathlib import Path

import pytest
import trio
from visiona.services.clock import now
from visiona.services.exchange_token import DeviceClaims, Exchanged, exchange
from visiona.services.identify import identify_program
from visiona.services.pair_device import create_pairing_token
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.cli.conftest import Run


@pytest.fixture
def paired(visiona: Run, state_dir: Path) -> Exchanged:
    visiona("user", "add", "ada@example.com", "--password-stdin", stdin="correct horse")
    token = visiona("token", "create", "--user", "ada@example.com", "--name", "x", "--json").json["token"]

    async def pair() -> Exchanged:
        async with open_stores(StoreSettings(None, state_dir), exclusive=False) as stores:
            made = await create_pairing_token(stores, await identify_program(stores, token, now()), now())
            return await exchange(
                stores, made.text, now(), DeviceClaims(name="press\x1b[31m 4", serial_number="SN1")
            )

    return trio.run(pair)


def test_devices_are_listed_shown_and_removed(visiona: Run, paired: Exchanged) -> None:
    listed = visiona("device", "list")
    assert paired.device_id in listed.out
    assert "\x1b" not in listed.out
    assert visiona("device", "list", "--json").json[0]["serial_number"] == "SN1"
    assert "SN1" in visiona("device", "show", paired.device_id).out
    assert visiona("device", "show", paired.device_id, "--json").json["id"] == paired.device_id
    assert visiona("device", "rm", paired.device_id, "--json").json == {
        "device_id": paired.device_id,
        "tokens_revoked": 1,
    }
    assert visiona("device", "list").out == "no devices yet\n"
    assert visiona("device", "rm", paired.device_id).code == 4


@pytest.mark.parametrize("verb", ["show", "rm"])
def test_an_unknown_device_is_4(visiona: Run, verb: str) -> None:
    for name in ("x", "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"):
        refused = visiona("device", verb, name)
        assert (refused.code, "[NOT_FOUND]" in refused.err) == (4, True)
