"""What the API says of the caller: who it is, sign-ins, access tokens; see shapes.py."""

from typing import Annotated, NotRequired, TypedDict

from visiona.domain.access import Role, Scope
from visiona.web.json_schema import Says
from visiona.web.shapes import Count, Id, Moment, Text


class SessionLimits(TypedDict):
    """When a sign-in ends, by which limit."""

    expires_at: Moment
    absolute_expires_at: Moment
    idle_seconds: Count


class OwnSession(SessionLimits):
    """The session that asks."""

    id: Id


class SessionItem(SessionLimits):
    """One of the caller's sign-ins."""

    id: Id
    current: bool
    created_at: Moment
    last_seen_at: Moment
    user_agent: str
    address: str
    issuer: str


class MyWorkspace(TypedDict):
    """A workspace, as it is named in /api/auth/me."""

    id: Id
    name: str
    role: Role


class Me(TypedDict):
    """Who is calling, and until when."""

    sub: Id
    email: str
    name: str
    workspaces: list[MyWorkspace]
    personal_workspace_id: Id
    scopes: list[Scope]
    expires_at: NotRequired[Moment]
    session: NotRequired[OwnSession]


class AccessTokenItem(TypedDict):
    """A personal access token, without its text."""

    id: Id
    name: str
    token_prefix: str
    scopes: list[Scope]
    created_at: Moment
    expires_at: NotRequired[Moment]
    last_used_at: NotRequired[Moment]
    revoked_at: NotRequired[Moment]


class NewAccessToken(AccessTokenItem):
    """A personal access token with its text, which is shown this once."""

    token: str


class AccessTokenWish(TypedDict):
    """A token to be made; without scopes it gets all of the caller's, and null is no end."""

    name: Text
    scopes: NotRequired[list[Scope]]
    ttl_seconds: NotRequired[Annotated[int | None, Says(minimum=1, maximum=316_224_000)]]


class SignOut(TypedDict):
    """Where to sign out of the identity provider too, if there is a place."""

    logout_url: NotRequired[str]
