from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from visiona.domain.ids import UserId
from visiona.domain.one_time_links import ONE_TIME_LINK_TTL, LinkPurpose, OneTimeLink

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LINK = OneTimeLink("0" * 64, LinkPurpose.SIGN_IN, UserId("u"), NOW, NOW + ONE_TIME_LINK_TTL)


@pytest.mark.parametrize(("microseconds", "live"), [(-1, True), (0, False), (1, False)])
def test_a_link_works_until_its_time(microseconds: int, live: bool) -> None:
    assert LINK.is_live(LINK.expires_at + timedelta(microseconds=microseconds)) is live


def test_a_used_link_does_not_work() -> None:
    assert LINK.is_live(NOW)
    assert not replace(LINK, used_at=NOW).is_live(NOW)


def test_the_hash_is_not_printed() -> None:
    assert LINK.hash not in repr(LINK)
