from pathlib import Path

import pytest
import trio
from visiona.domain.sessions import secret_hash
from visiona.services.clock import now
from visiona.services.sign_in import Browser, Claims, SignedIn, sign_in
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.cli.conftest import Run

ADA, BOB = "ada@example.com", "bob@example.com"


@pytest.fixture
def sessions(state_dir: Path) -> list[SignedIn]:
    """Ada twice, Bob once."""

    async def begin() -> list[SignedIn]:
        async with open_stores(StoreSettings(None, state_dir), exclusive=False) as stores:
            return [
                await sign_in(
                    stores,
                    Claims("https://id.example", email, email, True),
                    now(),
                    browser=Browser("Browser/1", "192.0.2.7"),
                )
                for email in (ADA, ADA, BOB)
            ]

    return trio.run(begin)


def listed(visiona: Run, *options: str) -> list[str]:
    return [item["id"] for item in visiona("session", "list", "--json", *options).json]


def test_the_operator_sees_who_is_signed_in(visiona: Run, sessions: list[SignedIn]) -> None:
    assert set(listed(visiona)) == {done.session.id for done in sessions}
    assert set(listed(visiona, "--user", ADA)) == {done.session.id for done in sessions[:2]}
    (bobs,) = visiona("session", "list", "--user", BOB, "--json").json
    assert (bobs["user"], bobs["user_agent"], bobs["address"]) == (BOB, "Browser/1", "192.0.2.7")
    table = visiona("session", "list").out
    assert table.splitlines()[0].split()[:3] == ["ID", "USER", "SINCE"]
    for done in sessions:
        assert done.session.id in table
        assert done.text not in table
        assert (secret_hash(done.text) or "") not in table


def test_one_session_is_ended(visiona: Run, sessions: list[SignedIn]) -> None:
    gone = sessions[0].session.id
    assert visiona("session", "end", gone).out == "the session is over\n"
    assert gone not in listed(visiona)
    assert len(listed(visiona)) == 2
    again = visiona("session", "end", gone)
    assert (again.code, again.out) == (4, "")


def test_all_of_a_person_are_ended(visiona: Run, sessions: list[SignedIn]) -> None:
    assert visiona("session", "end", "--user", ADA).out == "2 sessions are over\n"
    assert listed(visiona) == [sessions[2].session.id]
    assert visiona("session", "end", "--user", BOB, "--json").json == {"ended": [sessions[2].session.id]}
    assert visiona("session", "list").out == "nobody is signed in\n"


def test_a_disabled_account_has_none(visiona: Run, sessions: list[SignedIn]) -> None:
    assert visiona("user", "disable", ADA).code == 0
    assert listed(visiona) == [sessions[2].session.id]


@pytest.mark.parametrize(
    ("options", "code"),
    [((), 2), (("x", "--user", ADA), 2), (("x",), 4), (("--user", "nobody@example.com"), 4)],
)
def test_mistakes_are_sentences(visiona: Run, options: tuple[str, ...], code: int) -> None:
    refused = visiona("session", "end", *options)
    assert (refused.code, refused.out) == (code, "")
    assert refused.err.count("\n") == 1
