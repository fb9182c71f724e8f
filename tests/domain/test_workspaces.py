from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest
from visiona.domain.access import Role
from visiona.domain.ids import UserId, WorkspaceId
from visiona.domain.workspaces import Membership, Workspace

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_workspace_lives_until_it_is_deleted() -> None:
    assert Workspace(WorkspaceId("w"), "Lab", None, NOW, NOW).deleted_at is None


def test_a_membership_is_a_value() -> None:
    membership = Membership(WorkspaceId("w"), UserId("u"), Role.ADMIN, NOW)
    with pytest.raises(FrozenInstanceError):
        membership.role = Role.OWNER
