"""What is asked of a store: each call as its service makes it, and what has to be there before."""

import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NamedTuple

from tests.support.nouns import NOW, Home, Noun, a_home, new_hash, new_id, put
from visiona.domain.access import Actor
from visiona.domain.devices import Device
from visiona.domain.ids import UserId
from visiona.domain.sessions import PENDING_LOGIN_TTL, PendingLogin, UserSession
from visiona.domain.tokens import TokenKind, token_hash
from visiona.services.device_timeline import Connected, Report, record
from visiona.services.devices import list_devices, unpair
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.services.identify import actor_or_none
from visiona.services.minting import mint_token
from visiona.stores.interfaces import Stores, Tx

USERS = 100
DEVICES_OF_USER = 40
TOKENS_OF_USER = 10
SESSIONS_OF_USER = 5
PREPARED = 700
"""What is used up by being called is made before, so many at a time; when they are gone the measurement is over."""
IN_ONE_TRANSACTION = 250
JOURNAL_BATCH = 200

Deed = Callable[[], Awaitable[object]]


@dataclass
class World:
    """What is in the stores, all of it the measurement's own."""

    homes: list[Home] = field(default_factory=list)
    devices_of: dict[UserId, list[Device]] = field(default_factory=dict)
    token_hashes: list[str] = field(default_factory=list)
    sessions: list[UserSession] = field(default_factory=list)
    choice: random.Random = field(default_factory=lambda: random.Random(1))

    async def fill(self, stores: Stores) -> None:
        """Puts everything there."""
        for _ in range(USERS):
            home = await a_home(stores, f"{new_id()}@example.org")
            devices = [home.device(serial_number=f"serial {number}") for number in range(DEVICES_OF_USER)]
            tokens = [home.access_token() for _ in range(TOKENS_OF_USER)]
            await put(stores, *devices, *tokens, *map(home.session_token, devices))
            sessions = [a_session(home) for _ in range(SESSIONS_OF_USER)]
            for session in sessions:
                await stores.sessions.create(session)
            self.homes.append(home)
            self.devices_of[home.user.id] = devices
            self.token_hashes += [token.hash for token in tokens]
            self.sessions += sessions

    def home(self) -> Home:
        return self.choice.choice(self.homes)


def a_session(home: Home) -> UserSession:
    return home.session(subject=home.user.id)


Deeds = contextlib.AbstractAsyncContextManager[Iterator[Deed]]


class Call(NamedTuple):
    """One line of the table.

    Attributes:
        deeds: makes what is to be done, each deed once; some run out, and then it is over.
        most_callers: at one time; more would be refused.
    """

    name: str
    deeds: Callable[[Stores, World], Deeds]
    most_callers: int = 1000


def again(make: Callable[[], Deed]) -> Iterator[Deed]:
    """Something that can be asked for ever."""
    while True:
        yield make()


async def put_all(stores: Stores, nouns: Sequence[Noun]) -> None:
    for start in range(0, len(nouns), IN_ONE_TRANSACTION):
        await put(stores, *nouns[start : start + IN_ONE_TRANSACTION])


@contextlib.asynccontextmanager
async def token_by_hash(stores: Stores, world: World) -> AsyncIterator[Iterator[Deed]]:
    def make() -> Deed:
        hashed = world.choice.choice(world.token_hashes)
        return lambda: stores.read(lambda tx: tx.access_tokens.by_hash_or_none(hashed))

    yield again(make)


@contextlib.asynccontextmanager
async def who_is_it(stores: Stores, world: World) -> AsyncIterator[Iterator[Deed]]:
    """A token, its user, and the user's workspaces: three questions, one picture."""

    def make() -> Deed:
        hashed = world.choice.choice(world.token_hashes)

        async def look_up(tx: Tx) -> Actor | None:
            token = await tx.access_tokens.by_hash_or_none(hashed)
            assert token is not None
            return await actor_or_none(tx, token.user_id, token.id, token.scopes, token.expires_at)

        return lambda: stores.read(look_up)

    yield again(make)


@contextlib.asynccontextmanager
async def page_of_devices(stores: Stores, world: World) -> AsyncIterator[Iterator[Deed]]:
    def make() -> Deed:
        actor = world.home().actor
        return lambda: list_devices(stores, actor, limit=DEVICES_OF_USER)

    yield again(make)


@contextlib.asynccontextmanager
async def exchange_token(stores: Stores, world: World) -> AsyncIterator[Iterator[Deed]]:
    texts = [mint_token(TokenKind.PAIRING) for _ in range(PREPARED)]
    hashes = [token_hash(text, TokenKind.PAIRING) or "" for text in texts]
    await put_all(stores, [replace(world.home().pairing_token(), hash=hashed) for hashed in hashes])

    def make(text: str) -> Deed:
        claims = DeviceClaims(name="Gate", serial_number=new_id())
        return lambda: exchange(stores, text, NOW, claims)

    yield map(make, texts)


@contextlib.asynccontextmanager
async def unpair_device(stores: Stores, world: World) -> AsyncIterator[Iterator[Deed]]:
    homes = [world.home() for _ in range(PREPARED)]
    pairs = [(home.actor, home.device(), home) for home in homes]
    tokens = [home.session_token(device) for _, device, home in pairs]
    await put_all(stores, [*(device for _, device, _ in pairs), *tokens])

    def make(pair: tuple[Actor, Device, Home]) -> Deed:
        actor, device, _ = pair
        return lambda: unpair(stores, actor, device.id, NOW)

    yield map(make, pairs)


def journal(count: int) -> Callable[[Stores, World], Deeds]:
    """So many reports at once, of other devices each time, as the relay's journal sends them."""

    @contextlib.asynccontextmanager
    async def deeds(stores: Stores, world: World) -> AsyncIterator[Iterator[Deed]]:
        shuffled = list(itertools.chain.from_iterable(world.devices_of.values()))
        world.choice.shuffle(shuffled)
        devices = itertools.cycle(shuffled)

        def make() -> Deed:
            reports: list[Report] = [
                Connected(device.id, NOW, "1.2.3") for device in itertools.islice(devices, count)
            ]
            return lambda: record(stores, reports)

        yield again(make)

    return deeds


@contextlib.asynccontextmanager
async def check_session(stores: Stores, world: World) -> AsyncIterator[Iterator[Deed]]:
    def make() -> Deed:
        hashed = world.choice.choice(world.sessions).token_hash
        return lambda: stores.sessions.get_or_none(hashed, NOW)

    yield again(make)


@contextlib.asynccontextmanager
async def touch_session(stores: Stores, world: World) -> AsyncIterator[Iterator[Deed]]:
    hashes = itertools.cycle([session.token_hash for session in world.sessions])
    moments = (NOW + timedelta(minutes=1, milliseconds=number) for number in itertools.count())

    def make() -> Deed:
        hashed, at = next(hashes), next(moments)
        return lambda: stores.sessions.touch(hashed, at)

    yield again(make)


@contextlib.asynccontextmanager
async def create_session(stores: Stores, world: World) -> AsyncIterator[Iterator[Deed]]:
    sessions = [a_session(home) for home in itertools.islice(itertools.cycle(world.homes), PREPARED)]

    def make(session: UserSession) -> Deed:
        return lambda: stores.sessions.create(session)

    yield map(make, sessions)
    for session in sessions:
        await stores.sessions.delete(session.id, NOW)


@contextlib.asynccontextmanager
async def sign_in(stores: Stores, world: World) -> AsyncIterator[Iterator[Deed]]:
    def make() -> Deed:
        pending = PendingLogin(
            new_hash(), new_hash(), "nonce", "verifier", "/devices", NOW, NOW + PENDING_LOGIN_TTL
        )

        async def begin_and_return() -> None:
            await stores.pending_logins.create(pending)
            if await stores.pending_logins.take(pending.state_hash, pending.browser_hash, NOW) is None:
                raise RuntimeError("a sign-in that was begun is not there")

        return begin_and_return

    yield again(make)


CALLS = (
    Call("token by its hash", token_by_hash),
    Call("who holds a token", who_is_it),
    Call(f"page of {DEVICES_OF_USER} devices", page_of_devices),
    Call("exchange a pairing token", exchange_token),
    Call("unpair a device", unpair_device),
    Call("journal, 1 report", journal(1)),
    Call(f"journal, {JOURNAL_BATCH} reports", journal(JOURNAL_BATCH)),
    Call("session: check", check_session),
    # It waits for nobody, not even for one of the eight connections.
    Call("session: touch", touch_session, most_callers=8),
    Call("session: create", create_session),
    Call("sign-in: begin, return", sign_in),
)


def chosen(only: str) -> Iterable[Call]:
    """Those whose name holds one of the words, all where there are none."""
    words = [word for word in only.split(",") if word]
    return [call for call in CALLS if not words or any(word in call.name for word in words)]
