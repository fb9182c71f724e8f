import ssl

import asyncpg
import pytest
from visiona.stores.errors import StoreConflict, StoreUnavailable
from visiona.stores.sql.postgres_errors import (
    code_of,
    is_denied,
    is_from_server,
    is_no_space,
    is_stale,
    is_worth_repeating,
    translated,
)


def said(code: str, text: str = "raw hush text", **fields: str) -> asyncpg.PostgresError:
    """What the driver makes of an error of the server's."""
    message = {"S": "ERROR", "C": code, "M": text, **fields}
    error: asyncpg.PostgresError = asyncpg.PostgresError.new(message)
    return error


@pytest.mark.parametrize(
    ("code", "text", "retry_after_seconds"),
    [
        ("25006", "cannot be written to", 5),
        ("25P03", "took too long", 2),
        ("57014", "took too long", 2),
        ("40001", "others are writing", 1),
        ("40P01", "others are writing", 1),
        ("55P03", "others are writing", 1),
        ("53100", "disk of the database is full", 30),
        ("53200", "no memory left", 5),
        ("53300", "no room for more connections", 2),
        ("53400", "lacks resources", 5),
        ("57P01", "restarting", 2),
        ("57P02", "restarting", 2),
        ("57P03", "restarting", 2),
        ("58030", "disk of the database does not work", 30),
        ("08006", "connection to the database was lost", 2),
        ("28P01", "does not let this user in", 30),
        ("28000", "does not let this user in", 30),
        ("3D000", "is not there", 30),
        ("42501", "does not let this user do that", 30),
        ("XX001", "damaged", 60),
        ("XX002", "REINDEX", 60),
    ],
)
def test_s01_what_passes_or_must_be_mended_is_unavailable_and_said_in_our_words(
    code: str, text: str, retry_after_seconds: int
) -> None:
    error = translated(said(code))
    assert isinstance(error, StoreUnavailable)
    assert text in str(error)
    assert "hush" not in str(error)
    assert error.retry_after_seconds == retry_after_seconds


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(), "cannot be reached"),
        (OSError("Multiple exceptions: hush"), "cannot be reached"),
        (ssl.SSLError("hush"), "cannot be reached"),
        (TimeoutError(), "took too long"),
        (asyncpg.ConnectionDoesNotExistError("hush"), "was lost"),
        (asyncpg.InterfaceError("cannot perform operation: connection is closed"), "was lost"),
        # https://github.com/MagicStack/asyncpg/issues/1069: raised in place of a connection error.
        (asyncpg.InternalClientError("got result for unknown protocol state 3"), "was lost"),
        # The server has said goodbye on an idle connection, and the end of it is still on its way.
        (
            asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
            "was lost",
        ),
    ],
)
def test_s01_a_connection_that_does_not_hold_is_unavailable(error: Exception, text: str) -> None:
    known = translated(error)
    assert isinstance(known, StoreUnavailable)
    assert text in str(known)
    assert "hush" not in str(known)


@pytest.mark.parametrize(
    ("constraint", "about"),
    [
        ("users_email", "email"),
        ("devices_serial_number", "serial_number"),
        ("memberships_key", "member"),
        ("memberships_user_id_fkey", "reference"),
        ("pairing_tokens_ttl", "ttl"),
        ("access_tokens_pkey", "token"),
        ("session_tokens_id", "token"),
        ("identities_key", "identity"),
        ("user_sessions_pkey", "session"),
        ("pending_logins_pkey", "state"),
        ("one_time_links_pkey", "link"),
        ("nobody_knows", "other"),
    ],
)
def test_a_broken_promise_is_known_by_the_name_of_its_constraint(constraint: str, about: str) -> None:
    error = translated(said("23505", "users_email hush", n=constraint))
    assert isinstance(error, StoreConflict)
    assert error.about == about
    assert "hush" not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        said("42601"),
        said("42P01"),
        said("22P02"),
        said("25P02"),
        asyncpg.exceptions._base.DataError("invalid input for query argument $1"),
        asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
    ],
)
def test_a_bug_of_ours_stays_what_it_is(error: Exception) -> None:
    assert translated(error) is error


def test_only_what_another_transaction_caused_is_repeated() -> None:
    assert [
        code for code in ("40001", "40P01", "55P03", "57014", "53100") if is_worth_repeating(said(code))
    ] == [
        "40001",
        "40P01",
    ]
    stale_plan = said("0A000", "cached plan must not change result type", R="RevalidateCachedQuery")
    assert is_worth_repeating(asyncpg.InvalidCachedStatementError("x"))
    assert is_worth_repeating(stale_plan) == isinstance(stale_plan, asyncpg.InvalidCachedStatementError)
    assert not is_worth_repeating(TimeoutError())
    assert not is_worth_repeating(None)


def test_a_server_that_gave_up_its_post_is_known() -> None:
    assert all(is_stale(said(code)) for code in ("25006", "57P01", "57P02", "57P03"))
    assert not any(is_stale(said(code)) for code in ("40001", "57014", "53100", "23505"))
    assert not is_stale(ConnectionResetError())


def test_what_the_driver_says_by_itself_is_no_sign_of_life() -> None:
    assert is_from_server(said("53100"))
    assert not is_from_server(asyncpg.ConnectionDoesNotExistError("x"))
    assert not is_from_server(asyncpg.InterfaceError("x"))
    assert not is_from_server(None)


def test_a_full_disk_and_a_denial_are_known() -> None:
    assert [code for code in ("53100", "53200", "42501") if is_no_space(said(code))] == ["53100"]
    assert [code for code in ("53100", "28000", "42501") if is_denied(said(code))] == ["42501"]
    assert not is_no_space(None)


def test_the_code_of_an_error_is_the_servers_or_the_drivers_name() -> None:
    assert code_of(said("53100")) == "53100"
    assert code_of(ConnectionResetError()) == "ConnectionResetError"
