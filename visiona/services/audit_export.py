"""The audit log as a file: one JSON object a line, or a table for a spreadsheet. Piece by piece, however long it is.

A spreadsheet takes a cell that begins with one of a few characters for a formula, and part of what is in the log was
chosen by others (names, browsers): such a cell gets an apostrophe before it, as OWASP advises.
"""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

from visiona.domain.access import Actor
from visiona.domain.audit import AuditEntry, AuditFilter, Deed
from visiona.domain.pages import MAX_PAGE, Page
from visiona.services.audit import list_audit, note
from visiona.stores.interfaces import Stores, Tx

FORMATS: Mapping[str, str] = {
    "ndjson": "application/x-ndjson; charset=utf-8",
    "csv": "text/csv; charset=utf-8; header=present",
}
"""Each format and its media type."""

COLUMNS = (
    *("at", "deed", "outcome", "email", "user_id", "through", "credential_id", "address", "request_id"),
    *("workspace_id", "subject", "details", "id"),
)
"""Of the table."""

_BEGINS_FORMULA = re.compile("(^|[;,]\\s*)(?=[=+@\t\r\uff1d\uff0b\uff0d\uff20-])")
"""What begins a formula, also in its wide spelling (https://owasp.org/www-community/attacks/CSV_Injection): at the beginning
of a cell, and behind what begins another cell where lists are separated otherwise (a semicolon in much of Europe)."""


async def export_audit(
    stores: Stores, actor: Actor | None, wanted: AuditFilter, file_format: str, now: datetime
) -> AsyncIterator[bytes]:
    """All of what the caller may see and wants, the newest first, in pieces; that it was taken is noted first.

    Args:
        actor: None for the operator.
        file_format: one of FORMATS.

    Raises:
        StoreUnavailable: also in the middle; what came until then is not the whole.
    """

    async def taken(tx: Tx) -> None:
        await note(tx, now, Deed.AUDIT_EXPORTED, format=file_format)

    await stores.write(taken)
    first = await list_audit(stores, actor, wanted, limit=MAX_PAGE)
    return _pieces(stores, actor, wanted, file_format, first)


async def _pieces(
    stores: Stores, actor: Actor | None, wanted: AuditFilter, file_format: str, page: Page[AuditEntry]
) -> AsyncIterator[bytes]:
    is_table = file_format == "csv"
    if is_table:
        yield _table([COLUMNS])
    while True:
        yield _table([_row(entry) for entry in page.items]) if is_table else _lines(page.items)
        if page.next_cursor is None:
            return
        page = await list_audit(stores, actor, wanted, limit=MAX_PAGE, cursor=page.next_cursor)


def shown(entry: AuditEntry) -> dict[str, object]:
    """An entry for programs; what is not known is left out."""
    item = {
        "id": entry.id,
        "at": _moment(entry.at),
        "deed": entry.deed,
        "outcome": entry.outcome,
        "user_id": entry.user_id,
        "email": entry.email,
        "credential_id": entry.credential_id,
        "through": entry.through,
        "address": entry.address or None,
        "request_id": entry.request_id or None,
        "workspace_id": entry.workspace_id,
        "subject": entry.subject,
        "details": dict(entry.details),
    }
    return {name: value for name, value in item.items() if value is not None}


def _lines(entries: tuple[AuditEntry, ...]) -> bytes:
    lines = (json.dumps(shown(entry), ensure_ascii=False, separators=(",", ":")) for entry in entries)
    return "".join(f"{line}\n" for line in lines).encode()


def _row(entry: AuditEntry) -> list[str]:
    fields = shown(entry)
    fields["details"] = "; ".join(f"{name}={value}" for name, value in entry.details.items())
    return [str(fields.get(column, "")) for column in COLUMNS]


def _table(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _harmless(cell: str) -> str:
    return _BEGINS_FORMULA.sub(r"\1'", cell)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
