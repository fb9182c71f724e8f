"""Personal access tokens of the caller."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from quart import Blueprint, Response

from visiona.domain.access import Actor, Scope, Via
from visiona.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from visiona.domain.ids import TokenId, is_uuid
from visiona.domain.notices import NoticeKind
from visiona.domain.pages import Position
from visiona.domain.tokens import ACCESS_TOKEN_TTL, AccessToken
from visiona.services.tokens import create_access_token, list_access_tokens, revoke_access_token
from visiona.stores.interfaces import Stores
from visiona.web.answers import Json, listed, moment, no_content, ok, page_of, without_nothing
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.json_body import Fields, body_fields
from visiona.web.people_shapes import AccessTokenItem, AccessTokenWish, NewAccessToken
from visiona.web.revoking import Revoking


def token_routes(stores: Stores, revoking: Revoking, now: Callable[[], datetime]) -> Blueprint:
    """The routes."""
    routes = Blueprint("tokens", __name__)

    @routes.get("/api/auth/tokens")
    @described(answer=AccessTokenItem, is_paged=True)
    async def list_tokens() -> Response:
        """The caller's personal access tokens, never their text."""
        actor = current_actor(Scope.ACCOUNT)
        tokens = await list_access_tokens(stores, actor.user_id)
        return listed(page_of(tokens, lambda token: Position(token.created_at, token.id)), _shown)

    @routes.post("/api/auth/tokens")
    @described(answer=NewAccessToken, status=201, body=AccessTokenWish, refusals=(Conflict,))
    async def create_token() -> Response:
        """Make a personal access token; its text is in this answer alone."""
        actor = current_actor(Scope.ACCOUNT)
        fields = await body_fields()
        scopes, at = _scopes(fields.texts_or_none("scopes"), actor), now()
        parent = TokenId(actor.credential_id) if actor.via is Via.TOKEN else None
        # Where nothing is asked, as long as one may ask for.
        most = actor.expires_at - at if parent is not None and actor.expires_at is not None else None
        made = await create_access_token(
            stores,
            actor.user_id,
            fields.text("name"),
            scopes,
            at,
            ttl=_ttl(fields, most),
            made_with=parent,
        )
        return ok({**_shown(made.token), "token": made.text}, 201)

    @routes.delete("/api/auth/tokens/<token_id>")
    @described(status=204)
    async def revoke_token(token_id: str) -> Response:
        """End a personal access token, those made with it, and what runs on them, at once."""
        actor = current_actor(Scope.ACCOUNT)
        if not is_uuid(token_id):
            raise NotFound("there is no such token")
        for ended in await revoke_access_token(stores, TokenId(token_id), now(), user_id=actor.user_id):
            revoking.at_once(NoticeKind.TOKEN_REVOKED, ended)
        return no_content()

    return routes


def _scopes(names: Sequence[str] | None, actor: Actor) -> frozenset[Scope]:
    """The scopes asked for; those of the caller where none are named, and never more than those."""
    if names is None:
        return actor.scopes
    known = {scope.value: scope for scope in Scope}
    if unknown := [name for name in names if name not in known]:
        raise Invalid(f"scopes: {unknown[0][:40]!r} is none; use {', '.join(known)}")
    chosen = frozenset(known[name] for name in names)
    if chosen - actor.scopes:
        # Or a token that may only make tokens could make one that may do everything.
        raise NotAllowed("a token cannot give scopes that it does not have")
    return chosen


def _ttl(fields: Fields, most: timedelta | None) -> timedelta | None:
    """How long the new token lives: the default or `most`, what is asked, or with an explicit null for ever."""
    seconds = fields.integer_or_none("ttl_seconds")
    if seconds is None and fields.has("ttl_seconds"):
        return None
    if seconds is None:
        return ACCESS_TOKEN_TTL if most is None else min(ACCESS_TOKEN_TTL, most)
    if not 0 < seconds <= 10 * 366 * 86400:
        raise Invalid("ttl_seconds: more than 0 and at most ten years, or null for no end")
    return timedelta(seconds=seconds)


def _shown(token: AccessToken) -> Json:
    return without_nothing(
        {
            "id": token.id,
            "name": token.name,
            "token_prefix": token.prefix,
            "scopes": sorted(scope.value for scope in token.scopes),
            "created_at": moment(token.created_at),
            "expires_at": moment(token.expires_at),
            "last_used_at": moment(token.last_used_at),
            "revoked_at": moment(token.revoked_at),
        }
    )
