import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from visiona.domain.errors import TooMany
from visiona.services import passwords
from visiona.services.users import disable_user
from visiona.stores.memory.engine import MemoryStores
from visiona.stores.process_rates import ProcessRates
from visiona.web.idp import authenticate
from visiona.web.idp.authenticate import HASHES_AT_ONCE, HASHES_WAITING, Hashing, PasswordCheck
from visiona.web.idp.limits import SignInLimits

from tests.web.idp.rig import PASSWORD, Rig


@pytest.fixture
def check(rig: Rig) -> PasswordCheck:
    return rig.provider.passwords


async def test_the_right_password_names_the_account(rig: Rig, check: PasswordCheck) -> None:
    user = await rig.person()
    assert await check.user_or_none(" Ada@Example.COM ", PASSWORD, "192.0.2.1") == user
    assert await check.user_or_none("ada@example.com", PASSWORD + " ", "192.0.2.1") is None


async def test_every_attempt_costs_one_hash_whoever_is_asked_for(
    rig: Rig, check: PasswordCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.person()
    await rig.person("elsewhere@example.com", None)
    disabled = await rig.person("disabled@example.com")
    await disable_user(rig.stores, disabled.id, rig.clock.now())
    asked: list[str] = []

    def verify(password_hash: str, password: str) -> bool:
        asked.append(password_hash)
        return passwords.verify_password(password_hash, password)

    monkeypatch.setattr(authenticate, "verify_password", verify)
    everybody = ["ada", "elsewhere", "disabled", "nobody"]
    for name in everybody:
        assert await check.user_or_none(f"{name}@example.com", "wrong password", "") is None
    assert await check.user_or_none("no address", "wrong password", "") is None
    assert len(asked) == len(everybody) + 1
    # As slow as each other: the same parameters.
    assert len({each.rpartition("$")[0].rpartition("$")[0] for each in asked}) == 1


@pytest.mark.parametrize(
    ("email", "why"),
    [
        ("nobody@example.com", "there is no such account"),
        ("hunter2hunter2", "there is no such account"),
        ("elsewhere@example.com", "the account has no password"),
        ("ada@example.com", "wrong password"),
        ("disabled@example.com", "the account is disabled"),
    ],
)
async def test_a_refusal_is_logged_with_its_cause_and_without_what_was_typed(
    rig: Rig, check: PasswordCheck, caplog: pytest.LogCaptureFixture, email: str, why: str
) -> None:
    await rig.person()
    await rig.person("elsewhere@example.com", None)
    disabled = await rig.person("disabled@example.com")
    await disable_user(rig.stores, disabled.id, rig.clock.now())
    caplog.set_level(logging.DEBUG)
    password = PASSWORD if "disabled" in email else "hunter2hunter2"
    assert await check.user_or_none(email, password, "192.0.2.1") is None
    [record] = [record for record in caplog.records if record.name.startswith("visiona")]
    said = vars(record)
    assert (said["why"], said["address"]) == (why, "192.0.2.1")
    assert password not in str(said)
    assert email not in str(said)


async def test_where_the_limit_is_reached_no_password_is_looked_at(
    rig: Rig, check: PasswordCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.person()
    for _ in range(5):
        await check.user_or_none("ada@example.com", "wrong password", "192.0.2.1")
    monkeypatch.setattr(authenticate, "verify_password", None)
    with pytest.raises(TooMany):
        await check.user_or_none("ada@example.com", PASSWORD, "192.0.2.1")
    monkeypatch.undo()
    assert await check.user_or_none("ada@example.com", PASSWORD, "192.0.2.2")


async def test_a_hundred_attempts_at_once_are_five(rig: Rig, check: PasswordCheck) -> None:
    await rig.person()
    refused = 0

    async def attempt() -> None:
        nonlocal refused
        try:
            await check.user_or_none("ada@example.com", "wrong password", "192.0.2.1")
        except TooMany:
            refused += 1

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(attempt)
    assert refused == 95


async def test_the_queue_for_hashes_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    release = trio.Event()
    running = 0

    async def run_sync(work: Callable[..., Any], *arguments: object, limiter: trio.CapacityLimiter) -> Any:
        nonlocal running
        async with limiter:
            running += 1
            await release.wait()
        return work(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)
    hashing = Hashing()
    async with trio.open_nursery() as nursery:
        for _ in range(HASHES_AT_ONCE + HASHES_WAITING):
            nursery.start_soon(hashing.run, int)
        await trio.testing.wait_all_tasks_blocked()
        assert running == HASHES_AT_ONCE
        with pytest.raises(TooMany):
            await hashing.run(int)
        release.set()


async def test_the_stand_in_is_made_once(tmp_path: Path) -> None:
    check = PasswordCheck(MemoryStores(), SignInLimits(ProcessRates()), Hashing())
    assert await check.stand_in() is await check.stand_in()
