import json

import pytest
from visiona.domain.audit import EVERY_ENTRY, EVERYTHING, AuditEntry, Deed, Outcome
from visiona.domain.rates import Window
from visiona.services import refusals as module
from visiona.services.audit import NOWHERE, Origin, note_refused, set_origin
from visiona.services.refusals import COUNTED_SECONDS, MAX_WAITING, OF_ADDRESS, OF_ALL, Refusals
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores
from visiona.stores.memory.engine import MemoryStores

from tests.support.away import AwayStores
from tests.support.nouns import NOW


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Rig:
    def __init__(self) -> None:
        self.clock = Clock()
        self.refusals = Refusals(lambda: NOW, self.clock)

    def note(self, address: str, deed: Deed = Deed.PAIRING_REFUSED, once: str | None = None) -> None:
        self.refusals.note(deed, "no good", once=once, origin=Origin(address=address))


async def log_of(stores: Stores) -> list[AuditEntry]:
    return await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 1000))


def parted(entries: list[AuditEntry]) -> tuple[AuditEntry, list[AuditEntry]]:
    """The line with the number, and the others."""
    (counted,) = [entry for entry in entries if "count" in entry.details]
    return counted, [entry for entry in entries if entry is not counted]


async def test_a_refusal_says_from_where_and_why(stores: Stores) -> None:
    rig = Rig()
    set_origin(Origin(address="192.0.2.7", request_id="r-1", refusals=rig.refusals))
    try:
        note_refused(Deed.SIGN_IN_REFUSED, "wrong password", code=7)
    finally:
        set_origin(NOWHERE)
    await rig.refusals.write_out(stores)
    (entry,) = await log_of(stores)
    assert (entry.deed, entry.outcome) == (Deed.SIGN_IN_REFUSED, Outcome.REFUSED)
    assert (entry.address, entry.request_id) == ("192.0.2.7", "r-1")
    assert entry.details == {"why": "wrong password", "code": "7"}
    await rig.refusals.write_out(stores)
    assert len(await log_of(stores)) == 1


def test_where_nobody_keeps_a_record_nothing_happens() -> None:
    note_refused(Deed.SIGN_IN_REFUSED, "wrong password")


@pytest.mark.parametrize("windows", [OF_ADDRESS, OF_ALL])
async def test_a_flood_is_so_many_lines_and_one_with_the_number(windows: tuple[Window, ...]) -> None:
    rig, stores = Rig(), MemoryStores()
    window = windows[0]
    for number in range(10_000):
        rig.note("192.0.2.1" if windows is OF_ADDRESS else f"10.{number // 250}.{number % 250}.1")
        if number % 100 == 0:
            await rig.refusals.write_out(stores)
    rig.clock.seconds += COUNTED_SECONDS
    await rig.refusals.write_out(stores)
    counted, single = parted(await log_of(stores))
    assert len(single) == window.limit
    assert counted.details["count"] == str(10_000 - window.limit)
    assert counted.deed == Deed.PAIRING_REFUSED


async def test_a_day_of_attack_from_everywhere_has_a_size() -> None:
    """A thousand addresses, a refusal each second of each kind."""
    rig, stores = Rig(), MemoryStores()
    for second in range(86_400):
        rig.clock.seconds += 1
        for number, deed in enumerate((Deed.PAIRING_REFUSED, Deed.SIGN_IN_REFUSED, Deed.CREDENTIAL_REFUSED)):
            rig.note(f"10.0.{second % 250}.{number}", deed)
        if second % 60 == 0:
            await rig.refusals.write_out(stores)
    stored = stores._state.audit_entries
    size = sum(len(json.dumps([str(each) for each in entry.details.values()])) for entry in stored.rows())
    lines = len(stored)
    assert lines <= OF_ALL[-1].limit + 3 * 86_400 / COUNTED_SECONDS + 3
    assert size < 1_000_000


async def test_who_floods_takes_no_line_from_who_is_elsewhere(stores: Stores) -> None:
    rig = Rig()
    for _ in range(1000):
        rig.note("192.0.2.1")
    rig.note("192.0.2.2")
    await rig.refusals.write_out(stores)
    assert sum(entry.address == "192.0.2.2" for entry in await log_of(stores)) == 1


async def test_a_dead_token_that_knocks_for_ever_is_a_line_an_hour(stores: Stores) -> None:
    rig = Rig()
    for _ in range(3):
        for _ in range(50):
            rig.note("192.0.2.1", Deed.CREDENTIAL_REFUSED, once="digest")
        rig.clock.seconds += 3600
    rig.note("192.0.2.1", Deed.CREDENTIAL_REFUSED, once="another")
    await rig.refusals.write_out(stores)
    assert [entry.details for entry in await log_of(stores)] == [{"why": "no good"}] * 4


async def test_s01_what_cannot_be_written_waits_as_far_as_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "OF_ALL", (Window(10_000, 1.0),))
    rig, stores = Rig(), AwayStores()
    stores.database_is_away = True
    for number in range(300):
        rig.note(f"10.0.{number // 100}.{number % 100}")
        if number % 50 == 0:
            with pytest.raises(StoreUnavailable):
                await rig.refusals.write_out(stores)
    assert rig.refusals.waiting_count == MAX_WAITING
    stores.database_is_away = False
    await rig.refusals.write_out(stores, is_last=True)
    counted, single = parted(await log_of(stores))
    assert len(single) == MAX_WAITING
    assert counted.details["count"] == str(300 - MAX_WAITING)
