from datetime import UTC, datetime, timedelta

import pytest
from visiona.domain.access import Role
from visiona.domain.ids import InvitationId, UserId, WorkspaceId
from visiona.domain.invitations import INVITABLE, INVITATION_TTL, Invitation

NOW = datetime(2030, 1, 1, tzinfo=UTC)
EXPIRES_AT = NOW + INVITATION_TTL
ONE = Invitation(
    InvitationId("i"), "h" * 64, WorkspaceId("w"), "a@b.c", Role.MEMBER, UserId("u"), NOW, EXPIRES_AT
)


@pytest.mark.parametrize(("microseconds", "is_live"), [(-1, True), (0, False), (1, False)])
def test_an_invitation_is_good_for_its_time(microseconds: int, is_live: bool) -> None:
    assert ONE.is_live(EXPIRES_AT + timedelta(microseconds=microseconds)) is is_live


def test_nobody_is_invited_to_own_a_workspace() -> None:
    assert {Role.MEMBER, Role.ADMIN} == INVITABLE


def test_what_it_is_looked_up_by_is_not_shown() -> None:
    assert "hhh" not in repr(ONE)
