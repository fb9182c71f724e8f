"""Many at once, on every engine: each finds itself first or later, and nobody both or neither.

Where others write at the same time (PostgreSQL) the transactions of these really run into each other.
"""

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest
import trio
from visiona.domain.access import ALL_SCOPES
from visiona.domain.causes import Cause
from visiona.domain.devices import EventKind
from visiona.domain.errors import Conflict, Gone, NotAllowed, NotFound, PairingRefused, TooMany
from visiona.domain.ids import DeviceId
from visiona.domain.notices import NoticeKind
from visiona.domain.pairing import MAX_LIVE_PER_USER
from visiona.domain.sessions import MAX_PENDING_PER_BROWSER, PENDING_LOGIN_TTL, PendingLogin, UserSession
from visiona.services import devices, one_time_links, pair_device, tokens, users
from visiona.services.device_timeline import Connected, Disconnected, record
from visiona.services.exchange_token import DeviceClaims, Exchanged, exchange
from visiona.services.housekeeping import KEEP_PAIRING_TOKENS, purge_expired
from visiona.services.identify import TunnelSession, identify_session_token
from visiona.services.sign_in import Claims, SignedIn, sign_in
from visiona.stores import kept_sessions
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

from tests.support.engines import DATABASES, WITH_REDIS, Place
from tests.support.nouns import LATER, NOW, Home, a_home, new_hash, put

T = TypeVar("T")

KEY = "0123456789abcdef"
S1 = DeviceClaims(serial_number="S1")
ADA = Claims("https://id.example", "ada", "ada@example.com", True)

RACERS = 30
ROUNDS = 10
"""How often a race of two is run, for each order to come about."""

REFUSALS = (Conflict, Gone, NotAllowed, NotFound, PairingRefused, TooMany)


@pytest.fixture(autouse=True)
def no_circles(place: Place) -> Iterator[None]:
    """Whatever meets whatever: the server never has to break a circle, which takes it a second each time."""
    before = place.database.deadlock_count() if place.database is not None else 0
    yield
    if place.database is not None:
        assert place.database.deadlock_count() == before


async def race(*racers: Callable[[], Awaitable[T]]) -> list[T | str]:
    """Runs all at once; what each got: a result, or the class of what it was refused with."""
    results: dict[int, T | str] = {}

    async def run(number: int, racer: Callable[[], Awaitable[T]]) -> None:
        try:
            results[number] = await racer()
        except REFUSALS as refused:
            results[number] = type(refused).__name__

    async with trio.open_nursery() as nursery:
        for number, racer in enumerate(racers):
            nursery.start_soon(run, number, racer)
    return [results[number] for number in range(len(racers))]


def outcomes(results: list[T | str]) -> Counter[str]:
    return Counter(each if isinstance(each, str) else "done" for each in results)


async def told(stores: Stores) -> Counter[NoticeKind]:
    return Counter(notice.kind for notice in await stores.read(lambda tx: tx.notices.after(0, 1000)))


async def token_of(stores: Stores, home: Home) -> str:
    return (await pair_device.create_pairing_token(stores, home.actor, NOW)).text


async def is_good(stores: Stores, made: Exchanged) -> bool:
    return isinstance(await identify_session_token(stores, made.session_token, NOW), TunnelSession)


async def test_p01_p03_of_repetitions_with_one_key_each_is_answered_and_one_token_is_good(
    stores: Stores, home: Home
) -> None:
    text = await token_of(stores, home)
    made = await race(*[lambda: exchange(stores, text, NOW, idempotency_key=KEY)] * 10)
    exchanged = [each for each in made if isinstance(each, Exchanged)]
    assert len(exchanged) == 10
    assert len({each.device_id for each in exchanged}) == 1
    assert [await is_good(stores, each) for each in exchanged].count(True) == 1
    assert await told(stores) == {NoticeKind.SESSION_TOKEN_REVOKED: 9}


async def test_p12_one_unit_that_is_paired_many_times_at_once_is_one_device(
    stores: Stores, home: Home
) -> None:
    texts = [await token_of(stores, home) for _ in range(MAX_LIVE_PER_USER)]
    made = await race(*[lambda text=text: exchange(stores, text, NOW, S1) for text in texts])
    exchanged = [each for each in made if isinstance(each, Exchanged)]
    assert len(exchanged) == len(texts)
    (device_id,) = {each.device_id for each in exchanged}
    assert [await is_good(stores, each) for each in exchanged].count(True) == 1
    events = await stores.read(lambda tx: tx.device_events.list_of_device(device_id, 100))
    assert Counter(event.kind for event in events) == {EventKind.PAIRED: 1, EventKind.PAIRED_AGAIN: 9}


async def test_p07_a_unit_that_is_paired_and_unpaired_at_once_is_one_or_the_other(
    stores: Stores, home: Home
) -> None:
    device_id = (await exchange(stores, await token_of(stores, home), NOW, S1)).device_id
    for _ in range(ROUNDS):
        text = await token_of(stores, home)
        made, ended = await race(
            lambda text=text: exchange(stores, text, NOW, S1),
            lambda device_id=device_id: devices.unpair(stores, home.actor, device_id, NOW),
        )
        assert isinstance(made, Exchanged)
        assert isinstance(ended, devices.Unpaired)
        if made.device_id == device_id:
            # Paired first: what it was given went with the device.
            assert not await is_good(stores, made)
            assert await stores.read(lambda tx: tx.devices.list_all(10)) == []
            made = await exchange(stores, await token_of(stores, home), NOW, S1)
        assert await is_good(stores, made)
        device_id = made.device_id
        live = await stores.read(lambda tx: tx.devices.list_all(10))
        assert [device.id for device in live] == [device_id]
    listed = await pair_device.list_pairing_tokens(stores, home.user.id)
    assert [each.device_id for each in listed if each.revoked_at is None] == [device_id] * 2


async def test_p07_a_device_is_unpaired_once(stores: Stores, home: Home) -> None:
    made = await exchange(stores, await token_of(stores, home), NOW, S1)
    ended = await race(*[lambda: devices.unpair(stores, home.actor, made.device_id, NOW)] * RACERS)
    assert outcomes(ended) == {"done": 1, "NotFound": RACERS - 1}
    assert await told(stores) == {NoticeKind.DEVICE_DELETED: 1, NoticeKind.SESSION_TOKEN_REVOKED: 1}


async def test_p07_a_token_is_revoked_once(stores: Stores, home: Home) -> None:
    text = await token_of(stores, home)
    await exchange(stores, text, NOW, S1)
    ended = await race(*[lambda: pair_device.revoke_pairing_token(stores, home.user.id, text, NOW)] * RACERS)
    assert sorted(map(len, ended)) == [0] * (RACERS - 1) + [1]
    assert await told(stores) == {NoticeKind.SESSION_TOKEN_REVOKED: 1}
    access = (await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)).token.id
    revoked = await race(*[lambda: tokens.revoke_access_token(stores, access, NOW)] * RACERS)
    assert Counter(map(len, revoked)) == {1: 1, 0: RACERS - 1}
    assert (await told(stores))[NoticeKind.TOKEN_REVOKED] == 1


async def test_p06_a_user_never_has_more_live_tokens_than_allowed(
    stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_LIVE_PER_USER", 5)
    made = await race(*[lambda: token_of(stores, home)] * RACERS)
    assert made.count("TooMany") == RACERS - MAX_LIVE_PER_USER
    assert len(await pair_device.list_pairing_tokens(stores, home.user.id)) == MAX_LIVE_PER_USER
    create = tokens.create_access_token
    made = await race(*[lambda: create(stores, home.user.id, "t", ALL_SCOPES, NOW)] * RACERS)
    assert outcomes(made) == {"done": 5, "Conflict": RACERS - 5}


async def test_a_name_and_tags_that_are_given_at_once_are_both_kept(stores: Stores, home: Home) -> None:
    device = home.device()
    await put(stores, device)
    change = devices.rename_and_tag
    for number in range(ROUNDS):
        name, tags = f"n{number}", (f"t{number}",)
        await race(
            lambda name=name: change(stores, home.actor, device.id, NOW, name=name),
            lambda tags=tags: change(stores, home.actor, device.id, NOW, tags=tags),
        )
        found = await devices.get_any_device(stores, device.id)
        assert (found.name, found.tags) == (name, tags)


async def test_a_link_signs_in_once(stores: Stores, home: Home) -> None:
    text = (await one_time_links.mint_sign_in_link(stores, home.user.id, NOW)).text
    redeem = one_time_links.redeem_sign_in_link
    used = await race(*[lambda n=n: redeem(stores, text, f"hash {n}", NOW) for n in range(RACERS)])
    assert outcomes(used) == {"done": 1, "Gone": RACERS - 1}
    (user,) = [each for each in used if not isinstance(each, str)]
    assert await users.find_user(stores, home.user.id) == user
    text = (await one_time_links.mint_sign_in_link(stores, home.user.id, NOW)).text
    used = await race(*[lambda: redeem(stores, text, None, NOW)] * RACERS)
    assert outcomes(used) == {"done": 1, "Gone": RACERS - 1}


async def test_of_links_that_are_made_at_once_one_works(stores: Stores, home: Home) -> None:
    mint = one_time_links.mint_sign_in_link
    made = await race(*[lambda: mint(stores, home.user.id, NOW)] * RACERS)
    texts = [each.text for each in made if not isinstance(each, str)]
    assert len(texts) == RACERS
    works = [await one_time_links.user_of_link(stores, text, NOW) is not None for text in texts]
    assert works.count(True) == 1


async def test_one_person_becomes_the_first_administrator(stores: Stores) -> None:
    mint, redeem = one_time_links.mint_first_admin_link, one_time_links.redeem_first_admin_link
    minted = await race(*[lambda: mint(stores, NOW)] * RACERS)
    texts = [each.text for each in minted if isinstance(each, one_time_links.MintedLink)]
    assert len(texts) == RACERS
    made = await race(
        *[
            lambda n=n, text=text: redeem(stores, text, f"{n}@example.com", "h", NOW)
            for n, text in enumerate(texts)
        ]
    )
    assert outcomes(made) == {"done": 1, "Gone": RACERS - 1}
    assert len(await users.list_users(stores)) == 1
    assert await mint(stores, NOW) is None


@pytest.mark.parametrize("engine", [*DATABASES, *WITH_REDIS])
@pytest.mark.parametrize("claims", [ADA, replace(ADA, email=None), replace(ADA, email_verified=False)])
async def test_somebody_who_signs_in_many_times_at_once_is_one_account(
    stores: Stores, claims: Claims
) -> None:
    done = await race(*[lambda: sign_in(stores, claims, NOW)] * RACERS)
    assert outcomes(done) == {"done": RACERS}
    (user,) = await users.list_users(stores)
    assert len(await stores.sessions.list_of_user(user.id, NOW)) == RACERS
    assert len(await stores.read(lambda tx: tx.workspaces.list_of_user(user.id, 10))) == 1


async def test_of_two_persons_who_are_said_to_have_one_address_one_has_the_account(stores: Stores) -> None:
    for number in range(ROUNDS):
        claims = replace(ADA, email=f"{number}@example.com")
        if number % 2:
            await users.add_user(stores, claims.email or "", None, NOW)
        those = [replace(claims, subject=f"{number} {who}") for who in "abc"]
        done = await race(*[lambda each=each: sign_in(stores, each, NOW) for each in those])
        assert outcomes(done) == {"done": 1, "NotAllowed": 2}


@pytest.mark.parametrize("engine", [*DATABASES, *WITH_REDIS])
async def test_a14_whoever_signs_in_while_being_disabled_is_not_signed_in(stores: Stores) -> None:
    user = (await sign_in(stores, ADA, NOW)).user
    for _ in range(ROUNDS):
        done, _ = await race(
            lambda: sign_in(stores, ADA, NOW), lambda: users.disable_user(stores, user.id, NOW)
        )
        assert done == "NotAllowed" or isinstance(done, SignedIn)
        assert await stores.sessions.list_of_user(user.id, NOW) == []
        await users.enable_user(stores, user.id, NOW)


async def test_a_user_never_has_more_sessions_than_allowed(
    stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_sessions, "MAX_SESSIONS_PER_USER", 3)
    sessions = [home.session() for _ in range(RACERS)]
    await race(*[lambda session=session: stores.sessions.create(session) for session in sessions])
    assert len(await stores.sessions.list_of_user(home.user.id, NOW)) == 3
    assert await told(stores) == {NoticeKind.SESSION_ENDED: RACERS - 3}


async def test_a_session_is_ended_once_by_whatever_ends_it(stores: Stores, home: Home) -> None:
    sessions = [home.session(idp_sid="sid") for _ in range(50)]
    for session in sessions:
        await stores.sessions.create(session)
    store, issuer, user_id = stores.sessions, sessions[0].issuer, home.user.id

    async def used(session: UserSession) -> None:
        # It waits for nobody, and may be told to leave it.
        with contextlib.suppress(StoreUnavailable):
            await store.touch(session.token_hash, LATER)

    single = [lambda each=each: store.delete(each.id, NOW) for each in sessions[:10] * 2]
    ended = await race(
        *single,
        *[lambda: store.delete_of_user(user_id, NOW)] * 5,
        *[lambda: store.delete_of_idp(issuer, "ada", None, NOW)] * 5,
        *[lambda: store.delete_of_idp(issuer, None, "sid", NOW)] * 5,
        *[lambda each=each: used(each) for each in sessions[:10]],
    )
    lists = [each for each in ended if isinstance(each, list)]
    assert ended[: len(single)].count(True) + sum(map(len, lists)) == 50
    assert await told(stores) == {NoticeKind.SESSION_ENDED: 50}
    assert await store.list_of_user(user_id, NOW) == []


def pending(browser: str) -> PendingLogin:
    return PendingLogin(new_hash(), browser, "n", "v", "/", NOW, NOW + PENDING_LOGIN_TTL)


async def test_a02_an_attempt_is_taken_by_one_of_many(stores: Stores) -> None:
    attempt = pending("b")
    await stores.pending_logins.create(attempt)
    taken = await race(*[lambda: stores.pending_logins.take(attempt.state_hash, "b", NOW)] * RACERS)
    assert Counter(each is not None for each in taken) == {True: 1, False: RACERS - 1}


async def test_a16_attempts_that_begin_at_once_stay_within_the_limits(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_sessions, "MAX_PENDING", 20)
    create, take = stores.pending_logins.create, stores.pending_logins.take
    mine = [pending("b") for _ in range(RACERS)]
    await race(*[lambda each=each: create(each) for each in mine])
    left = [await take(each.state_hash, "b", NOW) for each in mine]
    assert RACERS - left.count(None) == MAX_PENDING_PER_BROWSER
    many = [pending(f"b{number}") for number in range(RACERS)]
    await race(*[lambda each=each: create(each) for each in many])
    left = [await take(each.state_hash, each.browser_hash, NOW) for each in many]
    assert RACERS - left.count(None) == 20


async def test_t44_batches_about_the_same_devices_do_not_wait_in_a_circle(stores: Stores, home: Home) -> None:
    found = [home.device() for _ in range(40)]
    await put(stores, *found)
    batches = [
        [Connected(each.id, NOW) for each in found[start:] + found[:start]] for start in range(0, 40, 4)
    ]
    ends = [[Disconnected(each.id, LATER, Cause.TCP_RESET) for each in found[::-1]]] * 5
    await race(
        *[lambda batch=batch: record(stores, batch) for batch in batches + ends],
        *[lambda each=each: devices.remove_device(stores, each.id, NOW) for each in found[:8]],
    )
    for each in found[8:]:
        assert (
            len(await stores.read(lambda tx, each=each: tx.device_events.list_of_device(each.id, 50))) == 15
        )


async def test_housekeeping_and_unpairing_do_not_wait_in_a_circle(stores: Stores, home: Home) -> None:
    """Old pairing tokens are forgotten while the devices end that they were exchanged for."""
    late = NOW + KEEP_PAIRING_TOKENS + timedelta(days=1)
    for _ in range(ROUNDS):
        found = [home.device() for _ in range(8)]
        spent = [replace(home.pairing_token(), device_id=each.id, used_at=NOW) for each in found]
        given = [
            home.session_token(device, pairing_token_id=token.id)
            for device, token in zip(found, spent, strict=True)
        ]
        await put(stores, *found, *spent, *given)
        ended = await race(
            *[lambda each=each: devices.remove_device(stores, each.id, NOW) for each in found],
            *[lambda: purge_expired(stores, late)] * 2,
        )
        assert outcomes(ended) == {"done": len(found) + 2}
    await purge_expired(stores, late)
    assert await pair_device.list_pairing_tokens(stores, home.user.id) != []
    assert await stores.read(lambda tx: tx.pairing_tokens.list_of_user(home.user.id, 1000)) == []


async def test_s01_nobody_waits_in_a_circle(stores: Stores, home: Home) -> None:
    """Everything at once about few things."""
    bob = await a_home(stores, "bob@example.com")
    text = await token_of(stores, home)
    device_id = (await exchange(stores, text, NOW, S1, idempotency_key=KEY)).device_id

    async def pair_again() -> None:
        await exchange(stores, await token_of(stores, home), NOW, S1)

    async def unpair() -> None:
        (device,) = await stores.read(lambda tx: tx.devices.list_in([home.workspace.id], 1)) or [
            home.device()
        ]
        await devices.unpair(stores, home.actor, device.id, NOW)

    async def revoke() -> None:
        for each in await pair_device.list_pairing_tokens(stores, home.user.id):
            await pair_device.revoke_pairing_token(stores, home.user.id, each.id, NOW)

    async def link() -> None:
        made = await one_time_links.mint_sign_in_link(stores, bob.user.id, NOW)
        await one_time_links.redeem_sign_in_link(stores, made.text, "hash", NOW)

    async def enter() -> None:
        await sign_in(stores, Claims("https://id.example", "bob", "bob@example.com", True), NOW)

    async def report() -> None:
        batch = [Connected(device_id, NOW), Connected(DeviceId("gone"), NOW), Connected(device_id, LATER)]
        await record(stores, batch)

    deeds: list[Callable[[], Awaitable[object]]] = [
        lambda: exchange(stores, text, NOW, S1, idempotency_key=KEY),
        lambda: stores.sessions.delete_of_user(bob.user.id, NOW),
        lambda: users.disable_user(stores, home.user.id, NOW),
        lambda: users.enable_user(stores, home.user.id, NOW),
        *(pair_again, unpair, revoke, link, enter, report),
    ]
    results = await race(*deeds * ROUNDS)
    assert len(results) == len(deeds) * ROUNDS
