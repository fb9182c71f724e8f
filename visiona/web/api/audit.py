"""The audit log: who did what, from where. Members see what they did themselves, who looks after a workspace sees what
happened in it, administrators of the server see everything.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from quart import Blueprint, Response, request

from visiona.domain.access import Scope
from visiona.domain.audit import AuditFilter, Deed
from visiona.domain.errors import Invalid
from visiona.domain.ids import UserId, WorkspaceId
from visiona.services.audit import list_audit
from visiona.services.audit_export import FORMATS, export_audit, shown
from visiona.stores.interfaces import Stores
from visiona.web.answers import listed, page_asked
from visiona.web.audit_shapes import AuditExportQuery, AuditItem, AuditQuery
from visiona.web.described import described
from visiona.web.guards import current_actor

PAGE = 100
"""Entries of a page where no limit is given."""

MAX_FILTER_CHARACTERS = 128
"""Longer than any id or word there is."""


def audit_routes(stores: Stores, now: Callable[[], datetime]) -> Blueprint:
    """The routes."""
    routes = Blueprint("audit", __name__)

    @routes.get("/api/audit")
    @described(answer=AuditItem, query=AuditQuery, is_paged=True)
    async def list_entries() -> Response:
        """What was done, the newest first, as far as the caller may see it."""
        actor = current_actor(Scope.AUDIT_READ)
        limit, cursor = page_asked()
        page = await list_audit(
            stores, actor, _wanted(), limit=PAGE if limit is None else limit, cursor=cursor
        )
        return listed(page, shown)

    @routes.get("/api/audit/export")
    @described(media=("application/x-ndjson", "text/csv"), query=AuditExportQuery)
    async def export() -> Response:
        """The same as a file, whole: as NDJSON, or with `format=csv` as a table."""
        actor = current_actor(Scope.AUDIT_READ)
        name = request.args.get("format", "ndjson")
        if name not in FORMATS:
            raise Invalid(f"format: one of {', '.join(FORMATS)}")
        pieces = await export_audit(stores, actor, _wanted(), name, now())
        response = Response(pieces, status=200, content_type=FORMATS[name])
        stamp = now().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        response.headers["Content-Disposition"] = f'attachment; filename="visiona-audit-{stamp}.{name}"'
        return response

    return routes


def _wanted() -> AuditFilter:
    """The query's filter; raises Invalid."""
    deed = _text("deed")
    if deed is not None and deed not in set(Deed):
        raise Invalid(f"deed: there is none of this name; use one of {', '.join(Deed)}")
    user, workspace = _text("user"), _text("workspace")
    return AuditFilter(
        deed=deed,
        user_id=UserId(user) if user is not None else None,
        subject=_text("subject"),
        workspace_id=WorkspaceId(workspace) if workspace is not None else None,
        since=_moment("since"),
        until=_moment("until"),
    )


def _text(name: str) -> str | None:
    text = request.args.get(name)
    if text is not None and not (0 < len(text) <= MAX_FILTER_CHARACTERS and text.isprintable()):
        raise Invalid(f"{name}: 1 to {MAX_FILTER_CHARACTERS} characters")
    return text


def _moment(name: str) -> datetime | None:
    text = request.args.get(name)
    if text is None:
        return None
    return moment_of(text, name)


def moment_of(text: str, name: str) -> datetime:
    """A moment in RFC 3339, with its zone; a date alone is its beginning in UTC. Raises Invalid."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is None and len(text) == len("2026-01-02"):
        moment = moment.replace(tzinfo=UTC)
    if moment is None or moment.tzinfo is None:
        raise Invalid(f"{name}: a moment such as 2026-01-02T03:04:05Z, or a date")
    return moment
