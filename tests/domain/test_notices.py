from visiona.domain.ids import DeviceId, UserId, WorkspaceId
from visiona.domain.notices import DeviceMove, NoticeKind, member_subject, split_member_subject


def test_the_subject_of_a_removed_member_names_both() -> None:
    subject = member_subject(WorkspaceId("w"), UserId("u"))
    assert split_member_subject(subject) == ("w", "u")


def test_the_subject_of_a_moved_device_names_where_whose_it_is_now_and_who_keeps_it() -> None:
    move = DeviceMove(
        DeviceId("d"), WorkspaceId("w"), UserId("u"), frozenset({UserId("u"), UserId("v"), UserId("x")})
    )
    assert move.subject == "d/w/u/u,v,x"
    assert DeviceMove.of(move.subject) == move


def test_the_recorded_words_never_change() -> None:
    assert {kind.value for kind in NoticeKind} == {
        "session_ended",
        "token_revoked",
        "session_token_revoked",
        "device_deleted",
        "user_disabled",
        "member_removed",
        "member_changed",
        "device_moved",
    }
