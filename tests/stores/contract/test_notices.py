from enum import Enum
from typing import cast

import pytest
from visiona.domain.notices import Notice, NoticeKind
from visiona.stores.interfaces import Stores, Tx

from tests.support.engines import EVERYWHERE
from tests.support.nouns import LATER, NOW


@pytest.fixture(params=EVERYWHERE)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def append(stores: Stores, *subjects: str) -> None:
    async def each(tx: Tx) -> None:
        for subject in subjects:
            await tx.notices.append(NoticeKind.DEVICE_DELETED, subject, NOW)

    await stores.write(each)


async def subjects(stores: Stores, after: int, limit: int = 10) -> list[str]:
    notices = await stores.read(lambda tx: tx.notices.after(after, limit))
    return [notice.subject for notice in notices]


async def test_there_is_nothing_before_the_first(stores: Stores) -> None:
    assert await stores.read(lambda tx: tx.notices.last_id()) == 0
    assert await subjects(stores, 0) == []


async def test_notices_come_in_their_order_and_only_new_ones(stores: Stores) -> None:
    await append(stores, "a", "b")
    last = await stores.read(lambda tx: tx.notices.last_id())
    await append(stores, "c", "d", "e")
    assert await subjects(stores, 0) == ["a", "b", "c", "d", "e"]
    assert await subjects(stores, last) == ["c", "d", "e"]
    assert await subjects(stores, last, limit=2) == ["c", "d"]


async def test_a_notice_comes_back_as_it_went_in(stores: Stores) -> None:
    await stores.write(lambda tx: tx.notices.append(NoticeKind.MEMBER_REMOVED, "w/u", LATER))
    (notice,) = await stores.read(lambda tx: tx.notices.after(0, 10))
    assert notice == Notice(notice.id, NoticeKind.MEMBER_REMOVED, "w/u", LATER)


async def test_purging_gives_no_id_twice(stores: Stores) -> None:
    await append(stores, "a", "b", "c")
    last = await stores.read(lambda tx: tx.notices.last_id())
    assert await stores.write(lambda tx: tx.notices.purge(LATER, 1)) == 1
    assert await stores.write(lambda tx: tx.notices.purge(LATER, 10)) == 1
    assert await stores.write(lambda tx: tx.notices.purge(NOW, 10)) == 0
    assert await stores.read(lambda tx: tx.notices.last_id()) == last
    await append(stores, "d")
    assert await subjects(stores, last) == ["d"]


class NewerKind(Enum):
    """What a later version may tell of."""

    BREWED = "brewed"


async def test_what_only_a_newer_server_knows_is_passed_over_and_hides_nothing(stores: Stores) -> None:
    """Two versions on one database, during an upgrade: the older one must go on cutting what it knows of."""

    async def several(tx: Tx) -> None:
        for number in range(7):
            await tx.notices.append(cast("NoticeKind", NewerKind.BREWED), str(number), NOW)

    await append(stores, "a")
    await stores.write(several)
    await append(stores, "b", "c")
    await stores.write(several)
    assert await subjects(stores, 0) == ["a", "b", "c"]
    assert await subjects(stores, 0, limit=2) == ["a", "b"]
    assert await subjects(stores, 1, limit=2) == ["b", "c"]
