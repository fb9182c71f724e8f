from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.audit import EVERYTHING, AuditEntry, AuditFilter, Deed, Sight, detail
from visiona.domain.ids import UserId, WorkspaceId

from tests.support.nouns import NOW, an_entry

ME, YOU = UserId("me"), UserId("you")
LAB, SHOP = WorkspaceId("lab"), WorkspaceId("shop")


def entries() -> dict[str, AuditEntry]:
    return {
        "mine": an_entry(user_id=ME),
        "to me": an_entry(user_id=YOU, subject=ME),
        "in my lab": an_entry(user_id=YOU, workspace_id=LAB),
        "in the shop": an_entry(user_id=YOU, workspace_id=SHOP),
        "nobody's": an_entry(),
    }


@pytest.mark.parametrize(
    ("sight", "seen"),
    [
        (Sight(ME), ["mine", "to me"]),
        (Sight(ME, (LAB,)), ["mine", "to me", "in my lab"]),
        (Sight(UserId("a stranger")), []),
        (EVERYTHING, list(entries())),
    ],
)
def test_what_may_be_seen(sight: Sight, seen: list[str]) -> None:
    assert [name for name, entry in entries().items() if sight.takes(entry)] == seen


def test_each_filter_narrows() -> None:
    entry = an_entry(Deed.PAIRED, user_id=ME, workspace_id=LAB, subject="d")
    right = {"deed": "paired", "user_id": ME, "workspace_id": LAB, "subject": "d", "since": NOW}
    right["until"] = NOW + timedelta(microseconds=1)
    wrong = {"deed": "x", "user_id": YOU, "workspace_id": SHOP, "subject": "e", "until": NOW}
    wrong["since"] = NOW + timedelta(microseconds=1)
    assert AuditFilter().takes(entry)
    assert AuditFilter(**right).takes(entry)
    for name, value in wrong.items():
        assert not AuditFilter(**{**right, name: value}).takes(entry)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a name", "a name"),
        (7, "7"),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ("x" * 500, "x" * 200),
        ("it is vAp_" + "0123456789abcdef" * 4 + " there", "it is vAp_0123… there"),
        ("vAp_0123…", "vAp_0123…"),
    ],
)
def test_a_detail_is_one_readable_line_without_a_token(value: object, kept: str) -> None:
    assert detail(value) == kept


def test_the_recorded_words_never_change() -> None:
    """They are in databases and in programs that read the log. New ones may come."""
    assert {
        *(
            "sign_in",
            "sign_in_refused",
            "sign_out",
            "sign_out_refused",
            "session_ended",
            "credential_refused",
            "access_refused",
        ),
        *("token_created", "token_revoked", "pairing_token_created", "pairing_token_revoked"),
        *("session_token_revoked", "paired", "pairing_refused", "unpaired", "device_changed", "device_moved"),
        *("device_refused", "user_created", "user_disabled", "user_enabled", "password_changed"),
        *("link_created", "link_used", "workspace_created", "workspace_renamed", "workspace_deleted"),
        *("member_invited", "invitation_revoked", "member_joined", "role_changed", "member_removed"),
        *("model_created", "model_changed", "model_uploaded", "model_deleted", "model_load_started"),
        *("model_load_ended", "model_load_cancelled", "audit_exported"),
    } <= set(Deed)


def test_of_what_others_did_to_ones_account_it_is_seen_who_and_not_from_where() -> None:
    entry = replace(
        an_entry(Deed.ROLE_CHANGED, user_id=YOU, workspace_id=LAB, subject=ME),
        email="you@example.com",
        credential_id="token",
        address="192.0.2.1",
        request_id="r",
    )
    assert Sight(ME).takes(entry)
    assert Sight(ME).part_of(entry) == replace(entry, credential_id=None, address="", request_id="")
    for whole in (EVERYTHING, Sight(ME, (LAB,)), Sight(YOU)):
        assert whole.part_of(entry) == entry
    # Somebody tried one's password: the address is what one wants to know.
    refused = replace(entry, user_id=None, workspace_id=None)
    assert Sight(ME).part_of(refused) == refused
