from pathlib import Path

import trio
from visiona.domain.access import ALL_SCOPES, Role
from visiona.domain.workspaces import Membership
from visiona.services.clock import now
from visiona.services.identify import identify_program
from visiona.services.tokens import create_access_token
from visiona.services.users import find_user
from visiona.services.workspaces import create_workspace
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings

from tests.cli.conftest import Run

PASSWORD = "correct horse battery"


def test_an_account_is_made_listed_disabled_and_enabled(visiona: Run) -> None:
    assert "no accounts yet" in visiona("user", "list").out
    made = visiona(
        "user", "add", "Ada@Example.com", "--password-stdin", "--name", "Ada", "--json", stdin=PASSWORD + "\n"
    )
    assert made.code == 0
    assert (made.json["email"], made.json["name"], made.json["is_admin"]) == ("ada@example.com", "Ada", False)
    assert PASSWORD not in made.out
    assert visiona("user", "disable", "ada@example.com").out == "ada@example.com is disabled\n"
    assert visiona("user", "disable", "ada@example.com").out == "ada@example.com was disabled already\n"
    assert visiona("user", "list", "--json").json[0]["disabled_at"] is not None
    assert visiona("user", "enable", made.json["id"], "--json").json["changed"] is True
    table = visiona("user", "list").out.splitlines()
    assert table[0].split() == ["EMAIL", "NAME", "ADMIN", "CREATED", "DISABLED", "ID"]
    assert table[1].startswith("ada@example.com  Ada")


def test_mistakes_are_sentences(visiona: Run) -> None:
    assert visiona("user", "add", "nobody", "--password-stdin", stdin=PASSWORD).code == 2
    short = visiona("user", "add", "a@b.c", "--password-stdin", stdin="short")
    assert (short.code, short.err) == (
        2,
        "visiona: a password needs at least 8 characters [VALIDATION_FAILED]\n",
    )
    assert visiona("user", "add", "a@b.c", "--password-stdin", stdin="").code == 2
    refused = visiona("user", "add", "a@b.c")
    assert (refused.code, "--password-stdin" in refused.err) == (2, True)
    assert visiona("user", "add", "a@b.c", "--password-stdin", stdin=PASSWORD).code == 0
    twice = visiona("user", "add", "A@b.c", "--password-stdin", stdin=PASSWORD)
    assert (twice.code, "[CONFLICT]" in twice.err) == (1, True)
    assert visiona("user", "disable", "x@b.c").code == 4


def test_a_password_is_never_an_argument(visiona: Run) -> None:
    assert visiona("user", "add", "a@b.c", "--password", PASSWORD).code == 2


def test_a_password_is_replaced(visiona: Run) -> None:
    visiona("user", "add", "ada@example.com", "--password-stdin", stdin=PASSWORD)
    changed = visiona("user", "passwd", "Ada@example.com", "--password-stdin", stdin="another password\n")
    assert (changed.code, changed.out) == (0, "ada@example.com has a new password; its sessions have ended\n")
    as_json = visiona("user", "passwd", "ada@example.com", "--password-stdin", "--json", stdin=PASSWORD)
    assert as_json.json["changed"] is True
    assert PASSWORD not in as_json.out
    assert visiona("user", "passwd", "ada@example.com", "--password-stdin", stdin="short").code == 2
    assert visiona("user", "passwd", "bob@example.com", "--password-stdin", stdin=PASSWORD).code == 4
    assert visiona("user", "passwd", "ada@example.com").code == 2


def test_who_owns_a_workspace_after_its_owner_was_disabled_is_said(visiona: Run, state_dir: Path) -> None:
    for email in ("ada@example.com", "bob@example.com"):
        visiona("user", "add", email, "--password-stdin", stdin=PASSWORD)

    async def share(name: str) -> None:
        async with open_stores(StoreSettings(None, state_dir), exclusive=False) as stores:
            ada, bob = [await find_user(stores, f"{each}@example.com") for each in ("ada", "bob")]
            token = await create_access_token(stores, ada.id, name, ALL_SCOPES, now())
            lab = await create_workspace(
                stores, await identify_program(stores, token.text, now()), name, now()
            )
            await stores.write(
                lambda tx: tx.workspaces.add_member(Membership(lab.id, bob.id, Role.MEMBER, now()))
            )

    trio.run(share, "Lab")
    assert visiona("user", "disable", "ada@example.com").out.splitlines() == [
        "ada@example.com is disabled",
        "bob@example.com owns the workspace Lab now: nobody else who can sign in did",
    ]
    visiona("user", "enable", "ada@example.com")
    assert visiona("user", "disable", "ada@example.com", "--json").json["new_owners"] == []
    visiona("user", "enable", "ada@example.com")
    trio.run(share, "Roof")
    (heir,) = visiona("user", "disable", "ada@example.com", "--json").json["new_owners"]
    assert (heir["workspace"], heir["owner"]) == ("Roof", "bob@example.com")
