import pytest
from visiona.domain.notices import NoticeKind, member_subject
from visiona.relay.registry import Cut

from tests.web.world import World


@pytest.mark.parametrize(
    ("kind", "expected", "tunnel_ends"),
    [
        (NoticeKind.TOKEN_REVOKED, Cut(sockets=1), False),
        (NoticeKind.SESSION_TOKEN_REVOKED, Cut(tunnels=1, streams=2, sockets=1), True),
        (NoticeKind.DEVICE_DELETED, Cut(tunnels=1, streams=2, sockets=1), True),
        (NoticeKind.USER_DISABLED, Cut(tunnels=1, streams=2, sockets=1), True),
        (NoticeKind.MEMBER_REMOVED, Cut(sockets=1), False),
    ],
)
async def test_t45_each_notice_ends_what_it_names(kind: NoticeKind, expected: Cut, tunnel_ends: bool) -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    live = await world.connected(await world.paired(ada), streams=2)
    other = await world.connected(await world.paired(bob), streams=2)
    ended: list[str] = []
    world.registry.calls.add(ada.user_id, ada.token_id, live.device_id, lambda cause: ended.append("ada"))
    world.registry.calls.add(bob.user_id, bob.token_id, other.device_id, lambda cause: ended.append("bob"))
    subjects = {
        NoticeKind.TOKEN_REVOKED: ada.token_id,
        NoticeKind.SESSION_TOKEN_REVOKED: live.session.token_id,
        NoticeKind.DEVICE_DELETED: live.device_id,
        NoticeKind.USER_DISABLED: ada.user_id,
        NoticeKind.MEMBER_REMOVED: member_subject(live.session.workspace_id, ada.user_id),
    }
    cut = world.revoking.at_once(kind, subjects[kind])
    assert cut == expected
    assert ended == ["ada"]
    assert (live.tunnel.closed is not None) == tunnel_ends
    assert other.tunnel.closed is None
