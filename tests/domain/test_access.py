from datetime import UTC, datetime

import pytest
from visiona.domain.access import ALL_SCOPES, Actor, Role, Scope
from visiona.domain.errors import NotAllowed, NotFound
from visiona.domain.ids import TokenId, UserId, WorkspaceId

HOME, SHARED, FOREIGN = WorkspaceId("home"), WorkspaceId("shared"), WorkspaceId("foreign")


def actor(*scopes: Scope) -> Actor:
    return Actor(
        user_id=UserId("u"),
        email="u@example.com",
        name="u",
        credential_id=TokenId("t"),
        scopes=frozenset(scopes),
        workspaces={HOME: Role.OWNER, SHARED: Role.MEMBER},
        personal_workspace=HOME,
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
    )


def test_a_scope_that_the_credential_carries_is_enough() -> None:
    for scope in ALL_SCOPES:
        actor(scope).need(scope)


def test_a_scope_that_it_lacks_is_refused_by_name() -> None:
    with pytest.raises(NotAllowed, match="devices:write"):
        actor(Scope.DEVICES_READ).need(Scope.DEVICES_WRITE)


def test_the_role_in_a_foreign_workspace_does_not_exist() -> None:
    assert actor().role_in(SHARED) is Role.MEMBER
    with pytest.raises(NotFound):
        actor().role_in(FOREIGN)


def test_a_role_may_do_what_those_below_it_may() -> None:
    assert [[one.is_at_least(other) for other in Role] for one in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_a_member_may_not_change_what_an_owner_may() -> None:
    actor().need_admin(HOME)
    with pytest.raises(NotAllowed):
        actor().need_admin(SHARED)


def test_h08_changing_a_foreign_workspace_is_refused_as_if_it_did_not_exist() -> None:
    with pytest.raises(NotFound):
        actor().need_admin(FOREIGN)
