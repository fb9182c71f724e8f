"""Walking lists: a page for a caller, or all of a list without ever asking for more than a page at once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from visiona.domain.errors import Invalid
from visiona.domain.pages import MAX_PAGE, Page, Position, cursor_of
from visiona.stores.interfaces import Stores, Tx

T = TypeVar("T")


def checked_limit(limit: int) -> int:
    """The limit itself; raises Invalid beyond 1 … MAX_PAGE."""
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"limit: a number from 1 to {MAX_PAGE}")
    return limit


def page_of(found: Sequence[T], limit: int, position: Callable[[T], Position]) -> Page[T]:
    """The page out of up to `limit + 1` items that were found: the one too many says that there is a next page."""
    items = tuple(found[:limit])
    return Page(items, cursor_of(position(items[-1])) if len(found) > limit else None)


async def all_items(
    stores: Stores,
    question: Callable[[Tx, int, Position | None], Awaitable[list[T]]],
    position: Callable[[T], Position],
) -> list[T]:
    """Everything, asked for page by page, each page an operation of its own: others get their turn in between."""
    items: list[T] = []
    while True:
        before = position(items[-1]) if items else None

        async def page(tx: Tx, before: Position | None = before) -> list[T]:
            return await question(tx, MAX_PAGE, before)

        found = await stores.read(page)
        items += found
        if len(found) < MAX_PAGE:
            return items
