import csv
import io
import json
from dataclasses import replace

import pytest
from visiona.domain.audit import EVERY_ENTRY, AuditFilter, Deed
from visiona.domain.errors import NotAllowed
from visiona.services import audit_export
from visiona.services.audit_export import COLUMNS, export_audit
from visiona.services.members import remove_member
from visiona.services.users import disable_user
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, an_entry, put
from tests.support.shared import a_team

HOSTILE = ("=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\uff1dHYPERLINK()", "plain", 'a "quoted", line')


async def whole(stores: Stores, home: Home, file_format: str, wanted: AuditFilter = EVERY_ENTRY) -> bytes:
    return b"".join(
        [piece async for piece in await export_audit(stores, home.actor, wanted, file_format, LATER)]
    )


async def test_each_line_is_an_entry(stores: Stores, home: Home) -> None:
    entries = [
        replace(an_entry(user_id=home.user.id, subject="雨"), details={"name": text}) for text in HOSTILE
    ]
    await put(stores, *entries)
    lines = [json.loads(line) for line in (await whole(stores, home, "ndjson")).splitlines()]
    assert lines[0]["deed"] == Deed.AUDIT_EXPORTED or lines[0]["subject"] == "雨"
    listed = [line for line in lines if line["deed"] == "sign_in"]
    assert [line["id"] for line in listed] == [entry.id for entry in entries[::-1]]
    assert [line["details"]["name"] for line in listed] == list(HOSTILE[::-1])
    assert listed[0]["at"] == "2030-01-01T00:00:00Z"
    assert "workspace_id" not in listed[0]


async def test_no_cell_of_the_table_is_a_formula(stores: Stores, home: Home) -> None:
    await put(stores, *[an_entry(user_id=home.user.id, subject=text) for text in HOSTILE])
    text = (await whole(stores, home, "csv", AuditFilter(deed="sign_in"))).decode()
    heading, *rows = csv.reader(io.StringIO(text, newline=""))
    assert tuple(heading) == COLUMNS
    subjects = [row[COLUMNS.index("subject")] for row in rows]
    assert [each.removeprefix("'") for each in subjects] == list(HOSTILE[::-1])
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\uff1d"))]


async def test_nor_where_a_semicolon_separates_cells(stores: Stores, home: Home) -> None:
    """As a spreadsheet reads it in much of Europe."""
    entries = [
        replace(an_entry(user_id=home.user.id), details={"name": f"Lab{between}=HYPERLINK(A1)"})
        for between in (";", "; ", ';"";', ",", ";;")
    ]
    await put(stores, *entries)
    text = (await whole(stores, home, "csv", AuditFilter(deed="sign_in"))).decode()
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=";") for cell in row]
    assert "=HYPERLINK" in "".join(cells)
    assert not [cell for cell in cells if cell.lstrip(' "').startswith(("=", "+", "-", "@"))]


async def test_who_is_removed_while_they_export_gets_no_more_of_it(
    stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_export, "MAX_PAGE", 5)
    lab, admin, _ = await a_team(stores, home)
    others = [an_entry(user_id=home.user.id, workspace_id=lab.id) for _ in range(20)]
    await put(stores, *others)
    pieces = await export_audit(stores, admin.actor, AuditFilter(deed="sign_in"), "ndjson", NOW)
    got = len((await anext(pieces)).splitlines())
    assert got == 5
    await remove_member(stores, home.actor, lab.id, admin.user.id, NOW)
    # The first page was taken before; what it leads to is theirs no more.
    assert sum([len(piece.splitlines()) async for piece in pieces]) == 0
    again = await export_audit(stores, admin.actor, AuditFilter(deed="sign_in"), "ndjson", NOW)
    await disable_user(stores, admin.user.id, NOW)
    with pytest.raises(NotAllowed):
        await export_audit(stores, admin.actor, AuditFilter(deed="sign_in"), "ndjson", NOW)
    await again.aclose()


@pytest.mark.parametrize("file_format", ["ndjson", "csv"])
async def test_a_long_log_comes_whole_and_in_pieces(
    stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    monkeypatch.setattr(audit_export, "MAX_PAGE", 10)
    entries = [an_entry(user_id=home.user.id) for _ in range(95)]
    await put(stores, *entries)
    wanted = AuditFilter(deed="sign_in")
    pieces = [piece async for piece in await export_audit(stores, home.actor, wanted, file_format, NOW)]
    assert len(pieces) == 10 + (file_format == "csv")
    text = b"".join(pieces).decode()
    assert all(entry.id in text for entry in entries)


async def test_that_it_was_taken_is_on_record(stores: Stores, home: Home) -> None:
    await export_audit(stores, None, EVERY_ENTRY, "csv", NOW)
    text = b"".join([piece async for piece in await export_audit(stores, None, EVERY_ENTRY, "ndjson", LATER)])
    assert [json.loads(line)["details"]["format"] for line in text.splitlines()] == ["ndjson", "csv"]
