"""What the API says of deeds; see shapes.py."""

from typing import Annotated, Literal, NotRequired, TypedDict

from visiona.web.json_schema import Says
from visiona.web.shapes import Id, Moment, PageQuery


class AuditItem(TypedDict):
    """A deed: who did what, from where."""

    id: Id
    at: Moment
    deed: str
    outcome: str
    user_id: NotRequired[Id]
    email: NotRequired[str]
    credential_id: NotRequired[str]
    through: str
    address: NotRequired[str]
    request_id: NotRequired[str]
    workspace_id: NotRequired[Id]
    subject: NotRequired[str]
    details: dict[str, str]


class AuditQuery(PageQuery):
    """Filters combine."""

    deed: NotRequired[str]
    user: NotRequired[Annotated[str, Says(min_length=1, max_length=128)]]
    subject: NotRequired[Annotated[str, Says(min_length=1, max_length=128)]]
    workspace: NotRequired[Annotated[str, Says(min_length=1, max_length=128)]]
    since: NotRequired[Moment]
    until: NotRequired[Moment]


class AuditExportQuery(AuditQuery):
    """As for the list; limit and cursor count for nothing."""

    format: NotRequired[Literal["ndjson", "csv"]]
