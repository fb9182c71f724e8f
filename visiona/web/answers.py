"""How answers are spelled: the envelope, moments, lists."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from quart import Response, request

from visiona.domain.errors import Invalid
from visiona.domain.pages import MAX_PAGE, Page, Position, cursor_of, position_of

T = TypeVar("T")
Json = Mapping[str, object]


def ok(data: object, status: int = 200) -> Response:
    """A success with its data."""
    return plain({"success": True, "data": data}, status)


def plain(body: Json, status: int = 200) -> Response:
    """JSON without the envelope, for probes."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status=status, content_type="application/json; charset=utf-8")


def event_stream(stream: AsyncIterator[bytes]) -> Response:
    """Server-sent events, for as long as they come."""
    response = Response(stream, content_type="text/event-stream; charset=utf-8")
    response.headers["X-Accel-Buffering"] = "no"
    # Quart ends an answer after 60 s unless it is told that this one takes as long as it takes.
    response.timeout = None
    return response


def no_content() -> Response:
    """Done, and nothing to say."""
    response = Response(b"", status=204)
    del response.headers["Content-Type"]
    return response


def moment(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, as `2026-01-02T03:04:05.678901Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None


def without_nothing(item: Json) -> Json:
    """Leaves out what is None: fields marked `?` in the contract are absent, not null."""
    return {name: value for name, value in item.items() if value is not None}


def page_asked() -> tuple[int | None, str | None]:
    """The query's `limit` and `cursor`; raises Invalid."""
    text = request.args.get("limit")
    if text is None:
        return None, request.args.get("cursor")
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_PAGE):
        raise Invalid(f"limit: between 1 and {MAX_PAGE}")
    return int(text), request.args.get("cursor")


def listed(page: Page[T], shown: Callable[[T], Json], *, bare: bool = False) -> Response:
    """A list: `{"items", "next_cursor"}`, or for a kept list without a limit the bare array."""
    items = [shown(item) for item in page.items]
    return ok(items if bare else {"items": items, "next_cursor": page.next_cursor})


def page_of(items: Sequence[T], position: Callable[[T], Position]) -> Page[T]:
    """The page asked for out of a whole list that is in order, the newest first; all of it without a limit."""
    limit, cursor = page_asked()
    if cursor is not None:
        last = position_of(cursor)
        items = [item for item in items if _key(position(item)) < _key(last)]
    size = limit if limit is not None else len(items)
    found = tuple(items[:size])
    more = len(items) > size
    return Page(found, cursor_of(position(found[-1])) if more else None)


def _key(position: Position) -> tuple[datetime, str]:
    return position.at, position.id
