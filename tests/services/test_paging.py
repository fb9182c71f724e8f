import pytest
from visiona.domain.errors import Invalid
from visiona.domain.pages import MAX_PAGE, Position, position_of
from visiona.services import paging
from visiona.services.paging import all_items, checked_limit, page_of
from visiona.stores.interfaces import Stores, Tx

from tests.support.nouns import NOW, new_id


def position(item: str) -> Position:
    return Position(NOW, item)


@pytest.mark.parametrize("limit", [1, MAX_PAGE])
def test_a_limit_within_bounds_is_taken(limit: int) -> None:
    assert checked_limit(limit) == limit


@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1])
def test_a_limit_out_of_bounds_is_refused(limit: int) -> None:
    with pytest.raises(Invalid, match="limit"):
        checked_limit(limit)


def test_the_one_too_many_says_that_there_is_more() -> None:
    items = [new_id() for _ in range(3)]
    page = page_of(items, 2, position)
    assert page.items == tuple(items[:2])
    assert page.next_cursor is not None
    assert position_of(page.next_cursor) == Position(NOW, items[1])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_last_page_has_no_next(count: int) -> None:
    items = [new_id() for _ in range(count)]
    assert page_of(items, 2, position).next_cursor is None


@pytest.mark.parametrize("count", [0, 1, 3, 7, 9])
async def test_everything_is_walked_page_by_page(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(paging, "MAX_PAGE", 3)
    items = sorted((new_id() for _ in range(count)), reverse=True)
    sizes: list[int] = []

    async def question(_: Tx, size: int, before: Position | None) -> list[str]:
        older = [item for item in items if before is None or item < before.id][:size]
        sizes.append(len(older))
        return older

    assert await all_items(stores, question, position) == items
    assert max(sizes) <= 3
