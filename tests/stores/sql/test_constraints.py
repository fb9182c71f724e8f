"""What the domain promises, broken on purpose by rows that no code of ours would write: the database refuses."""

import asyncio  # noqa: TID251  the driver's
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from visiona.stores.sql import postgres_migrate, sqlite_migrate
from visiona.stores.sql.dialect import POSTGRES, SQLITE
from visiona.stores.sql.migrate import known_migrations
from visiona.stores.sql.sqlite_file import connect

from tests.support.servers.postgres import NamedPostgres, PostgresServer

Write = Callable[[str], None]
Database = tuple[asyncio.AbstractEventLoop, asyncpg.Connection]

MINUTES_15 = 15 * 60 * 1_000_000
NO_TEXTS = "'{}'"  # an empty array, and some text where there are none
DAYS_7 = 7 * 24 * 3600 * 1_000_000
DAYS_90 = 90 * 24 * 3600 * 1_000_000


class Refused(Exception):
    """The database did not take it; the message names the promise as the engine does."""


@pytest.fixture(params=["sqlite", "postgres"])
def write(request: pytest.FixtureRequest) -> Write:
    """Writes on an empty database of the engine that has our schema and a few rows."""
    return request.getfixturevalue(f"{request.param}_writer")


@pytest.fixture
def sqlite_writer(tmp_path: Path) -> Iterator[Write]:
    def write(sql: str) -> None:
        try:
            connection.execute(SQLITE.spell(sql))
        except sqlite3.IntegrityError as error:
            raise Refused(SQLITE.about(str(error))) from error

    with closing(connect(tmp_path / "visiona.db", "normal")) as connection:
        sqlite_migrate.up(connection, known_migrations())
        yield filled(write)


@pytest.fixture(scope="module")
def postgres_database(postgres_server: PostgresServer | NamedPostgres) -> Iterator[Database]:
    with closing(asyncio.new_event_loop()) as loop:
        connection = loop.run_until_complete(asyncpg.connect(postgres_server.create_database()))
        loop.run_until_complete(postgres_migrate.up(connection, known_migrations()))
        yield loop, connection
        loop.run_until_complete(connection.close())


@pytest.fixture
def postgres_writer(postgres_database: Database) -> Iterator[Write]:
    loop, connection = postgres_database

    async def in_savepoint(sql: str) -> None:
        async with connection.transaction():
            await connection.execute(POSTGRES.spell(sql))

    def write(sql: str) -> None:
        try:
            loop.run_until_complete(in_savepoint(sql))
        except asyncpg.IntegrityConstraintViolationError as error:
            raise Refused(POSTGRES.about(error.constraint_name or "")) from error

    whole = connection.transaction()
    loop.run_until_complete(whole.start())
    yield filled(write)
    loop.run_until_complete(whole.rollback())


def filled(write: Write) -> Write:
    """Two people, each with a workspace of their own; one has a device."""
    for name in ("ada", "bob"):
        write(user(name, f"{name}@example.com"))
        write(workspace(name, personal_of=name))
    write(device("d1", serial="S1"))
    return write


def text(value: str | None) -> str:
    return "NULL" if value is None else f"'{value}'"


def digest(letter: str) -> str:
    return letter * 64


def user(user_id: str, email: str) -> str:
    return f"INSERT INTO users VALUES ('{user_id}', '{email}', '', NULL, FALSE, 0, NULL)"


def workspace(workspace_id: str, *, personal_of: str | None = None) -> str:
    return f"INSERT INTO workspaces VALUES ('{workspace_id}', '', {text(personal_of)}, 0, 0, NULL)"


def member(workspace_id: str, user_id: str, role: str = "member") -> str:
    return f"INSERT INTO memberships VALUES ('{workspace_id}', '{user_id}', '{role}', 0)"


def device(
    device_id: str,
    *,
    serial: str | None,
    workspace_id: str = "ada",
    user_id: str = "ada",
    deleted: str = "NULL",
) -> str:
    return f"""INSERT INTO devices (id, workspace_id, user_id, name, device_type, serial_number, created_at,
        updated_at, tags, accelerators, deleted_at) VALUES ('{device_id}', '{workspace_id}', '{user_id}', '', '',
        {text(serial)}, 0, 0, {NO_TEXTS}, '[]', {deleted})"""


def access_token(
    token_hash: str, token_id: str = "t", *, expires_at: str = "NULL", user_id: str = "ada"
) -> str:
    return f"""INSERT INTO access_tokens (token_hash, id, prefix, user_id, name, scopes, created_at, expires_at)
        VALUES ('{token_hash}', '{token_id}', '', '{user_id}', '', '[]', 10, {expires_at})"""


def pairing_token(token_hash: str, token_id: str = "t", *, life: int = 1, user_id: str = "ada") -> str:
    return f"""INSERT INTO pairing_tokens (token_hash, id, prefix, user_id, workspace_id, created_at, expires_at)
        VALUES ('{token_hash}', '{token_id}', '', '{user_id}', 'ada', 10, {10 + life})"""


def session_token(
    token_hash: str, token_id: str = "t", *, life: int = 1, device_id: str = "d1", pairing: str | None = None
) -> str:
    return f"""INSERT INTO session_tokens (token_hash, id, prefix, user_id, workspace_id, device_id,
        pairing_token_id, created_at, expires_at) VALUES ('{token_hash}', '{token_id}', '', 'ada', 'ada',
        '{device_id}', {text(pairing)}, 10, {10 + life})"""


def user_session(token_hash: str, session_id: str = "s", *, user_id: str = "ada") -> str:
    return f"""INSERT INTO user_sessions VALUES ('{token_hash}', '{session_id}', '{user_id}', 0, 0, 1, 1, 1, '', '',
        'i', 's', NULL, NULL)"""


def pending_login(state_hash: str) -> str:
    return f"INSERT INTO pending_logins VALUES ('{state_hash}', '', '', '', '/', 0, 1)"


def link(link_hash: str, *, purpose: str = "sign_in", user_id: str | None = "ada", life: int = 1) -> str:
    return f"INSERT INTO one_time_links VALUES ('{link_hash}', '{purpose}', {text(user_id)}, 10, {10 + life}, NULL)"


def invitation(
    token_hash: str,
    invitation_id: str = "i",
    *,
    workspace_id: str = "ada",
    email: str | None = None,
    role: str = "member",
    invited_by: str = "ada",
    life: int = 1,
) -> str:
    address = f"{token_hash[:1]}-{invitation_id}@example.com" if email is None else email
    return f"""INSERT INTO invitations VALUES ('{token_hash}', '{invitation_id}', '{workspace_id}', '{address}',
        '{role}', '{invited_by}', 10, {10 + life})"""


def model(
    model_id: str,
    *,
    workspace_id: str | None = "ada",
    user_id: str | None = "ada",
    source: str = "uploaded",
    status: str = "ready",
    size: int = 1,
    sha256: str = digest("a"),
    key: str | None = None,
) -> str:
    return f"""INSERT INTO models (id, workspace_id, user_id, name, version, target_chips, file_size, sha256, source,
        status, faa_object_key, created_at, updated_at) VALUES ('{model_id}', {text(workspace_id)}, {text(user_id)},
        '', '', {NO_TEXTS}, {size}, '{sha256}', '{source}', '{status}', {text(key)}, 0, 0)"""


def load(
    load_id: str,
    *,
    device_id: str = "d1",
    accelerator: str = "a",
    model_id: str = "m",
    workspace_id: str = "ada",
    user_id: str = "ada",
    state: str = "queued",
    fault: str | None = None,
    ended: str = "NULL",
    current: str = "NULL",
    size: int = 1,
    sha256: str = digest("a"),
) -> str:
    return f"""INSERT INTO model_loads (id, device_id, accelerator, chip, model_id, model_name, model_version, sha256,
        size, workspace_id, user_id, state, sent_bytes, fault, created_at, updated_at, ended_at, current_since, holder,
        leased_until) VALUES ('{load_id}', '{device_id}', '{accelerator}', '', '{model_id}', '', '', '{sha256}', {size},
        '{workspace_id}', '{user_id}', '{state}', 0, {text(fault)}, 0, 0, {ended}, {current}, '', 0)"""


def refused(write: Write, sql: str, about: str) -> None:
    with pytest.raises(Refused) as caught:
        write(sql)
    assert str(caught.value) == about


@pytest.mark.parametrize(
    ("insert", "about"),
    [
        (access_token, "token"),
        (pairing_token, "token"),
        (session_token, "token"),
        (invitation, "token"),
        (user_session, "session"),
    ],
)
def test_a_tokens_hash_is_its_key(write: Write, insert: Callable[..., str], about: str) -> None:
    write(insert(digest("a"), "one"))
    refused(write, insert(digest("a"), "two"), about)
    refused(write, insert(digest("b"), "one"), about)
    refused(write, insert("a" * 63, "two"), "other")
    write(insert(digest("b"), "two"))


@pytest.mark.parametrize(("insert", "about"), [(pending_login, "state"), (link, "link")])
def test_the_hash_of_a_state_and_of_a_link_is_its_key(
    write: Write, insert: Callable[[str], str], about: str
) -> None:
    write(insert(digest("a")))
    refused(write, insert(digest("a")), about)
    refused(write, insert("a" * 65), "other")


@pytest.mark.parametrize(
    ("insert", "longest"),
    [(pairing_token, MINUTES_15), (link, MINUTES_15), (invitation, DAYS_7), (session_token, DAYS_90)],
)
def test_no_token_lives_longer_than_its_kind_may(
    write: Write, insert: Callable[..., str], longest: int
) -> None:
    for life in (longest + 1, 0, -1):
        refused(write, insert(digest("a"), life=life), "ttl")
    write(insert(digest("a"), life=longest))


def test_an_access_token_ends_after_it_began_or_never(write: Write) -> None:
    refused(write, access_token(digest("a"), expires_at="10"), "ttl")
    write(access_token(digest("a"), "one", expires_at="11"))
    write(access_token(digest("b"), "two"))


def test_a_serial_number_is_one_devices_among_those_not_deleted(write: Write) -> None:
    refused(write, device("d2", serial="S1"), "serial_number")
    write(device("d2", serial="S1", deleted="1"))
    write(device("d3", serial="S1", deleted="1"))
    write(device("d4", serial="S1", workspace_id="bob"))
    write(device("d5", serial=None))
    write(device("d6", serial=None))
    refused(write, "UPDATE devices SET deleted_at = NULL WHERE id = 'd2'", "serial_number")
    write("UPDATE devices SET deleted_at = 1 WHERE id = 'd1'")
    write("UPDATE devices SET deleted_at = NULL WHERE id = 'd2'")


def test_an_address_is_one_accounts_whatever_its_letters_case(write: Write) -> None:
    refused(write, user("eve", "ADA@Example.com"), "email")
    refused(write, "UPDATE users SET email = 'aDA@example.com' WHERE id = 'bob'", "email")
    write(user("eve", "eve@example.com"))


def test_a_personal_workspace_is_the_only_one_and_stays(write: Write) -> None:
    refused(write, workspace("second", personal_of="ada"), "workspace")
    refused(write, "UPDATE workspaces SET deleted_at = 1 WHERE id = 'ada'", "other")
    write(workspace("shared"))
    write("UPDATE workspaces SET deleted_at = 1 WHERE id = 'shared'")


def test_a_member_is_one_once_and_in_a_role_that_there_is(write: Write) -> None:
    write(member("ada", "ada", "owner"))
    refused(write, member("ada", "ada"), "member")
    refused(write, member("ada", "bob", "king"), "other")


def test_an_address_is_invited_once_and_never_to_own(write: Write) -> None:
    write(invitation(digest("a"), "one", email="eve@example.com"))
    refused(write, invitation(digest("b"), "two", email="eve@example.com"), "invitation")
    write(invitation(digest("b"), "two", email="eve@example.com", workspace_id="bob"))
    refused(write, invitation(digest("c"), "three", role="owner"), "other")


def test_what_is_referred_to_is_there(write: Write) -> None:
    write(model("m"))
    for sql in (
        workspace("w", personal_of="nobody"),
        member("nowhere", "ada"),
        member("ada", "nobody"),
        device("d", serial=None, workspace_id="nowhere"),
        device("d", serial=None, user_id="nobody"),
        access_token(digest("a"), user_id="nobody"),
        pairing_token(digest("a"), user_id="nobody"),
        session_token(digest("a"), device_id="nothing"),
        session_token(digest("a"), pairing="nothing"),
        user_session(digest("a"), user_id="nobody"),
        link(digest("a"), user_id="nobody"),
        invitation(digest("a"), workspace_id="nowhere"),
        invitation(digest("a"), invited_by="nobody"),
        model("n", workspace_id="nowhere"),
        model("n", user_id="nobody"),
        load("l", device_id="nothing"),
        load("l", model_id="nothing"),
        load("l", workspace_id="nowhere"),
        load("l", user_id="nobody"),
        "INSERT INTO device_events VALUES ('e', 'nothing', 'paired', 0, NULL, NULL)",
        "INSERT INTO identities VALUES ('i', 's', 'nobody', 0)",
        "DELETE FROM users WHERE id = 'ada'",
        "DELETE FROM workspaces WHERE id = 'ada'",
    ):
        refused(write, sql, "reference")


def test_a_session_token_outlives_the_pairing_token_it_came_from(write: Write) -> None:
    write(pairing_token(digest("a"), "p"))
    write(session_token(digest("b"), "s", pairing="p"))
    write("DELETE FROM pairing_tokens WHERE id = 'p'")
    refused(write, "UPDATE session_tokens SET pairing_token_id = 'p'", "reference")
    # Fails unless the row is there, with nothing to refer to.
    write(
        "INSERT INTO workspaces SELECT 'kept', '', NULL, 0, 0, NULL FROM session_tokens WHERE pairing_token_id IS NULL"
    )
    write(member("kept", "ada"))


def test_one_person_has_an_identity(write: Write) -> None:
    write("INSERT INTO identities VALUES ('i', 's', 'ada', 0)")
    refused(write, "INSERT INTO identities VALUES ('i', 's', 'bob', 0)", "identity")


def test_only_the_first_administrators_link_is_nobodys(write: Write) -> None:
    refused(write, link(digest("a"), purpose="first_admin"), "other")
    refused(write, link(digest("a"), user_id=None), "other")
    refused(write, link(digest("a"), purpose="other"), "other")
    write(link(digest("a"), purpose="first_admin", user_id=None))


def test_a_model_is_what_models_can_be(write: Write) -> None:
    for broken in (
        model("m", source="builtin"),
        model("m", workspace_id=None),
        model("m", user_id=None),
        model("m", workspace_id=None, user_id=None),
        model("m", source="found"),
        model("m", status="lost"),
        model("m", size=-1),
        model("m", sha256="a"),
    ):
        refused(write, broken, "other")
    write(model("m", workspace_id=None, user_id=None, source="builtin", key="k"))
    refused(write, model("n", key="k"), "object_key")
    refused(write, model("m"), "model")
    write(model("n"))
    write(model("o"))


def test_a_load_is_what_loads_can_be(write: Write) -> None:
    write(model("m"))
    for broken in (
        load("l", state="lost"),
        load("l", ended="1"),
        load("l", state="active"),
        load("l", state="failed", ended="1"),
        load("l", state="active", ended="1", fault="CANCELLED"),
        load("l", state="failed", ended="1", fault="CANCELLED", current="1"),
        load("l", current="1"),
        load("l", size=-1),
        load("l", sha256="a"),
    ):
        refused(write, broken, "other")
    write(load("l", state="failed", ended="1", fault="CANCELLED"))


def test_one_load_goes_on_for_an_accelerator_and_one_is_on_it(write: Write) -> None:
    write(model("m"))
    write(load("one"))
    refused(write, load("two"), "load")
    refused(write, load("one", accelerator="b"), "load")
    write(load("two", accelerator="b"))
    write(load("three", state="active", ended="1", current="1"))
    refused(write, load("four", state="active", ended="2", current="2"), "load")
    write("UPDATE model_loads SET current_since = NULL WHERE id = 'three'")
    write(load("four", state="active", ended="2", current="2"))
