"""Pairing: one-time tokens for people, their exchange for agents. Every name and status here is kept."""

from collections.abc import Callable
from datetime import datetime

from quart import Blueprint, Response, g

from visiona.domain.access import Actor, Scope
from visiona.domain.errors import Conflict, Invalid, NotFound, PairingRefused
from visiona.domain.ids import WorkspaceId
from visiona.domain.notices import NoticeKind
from visiona.domain.pages import Position
from visiona.relay.registry import LiveTunnel, Registry
from visiona.services.exchange_token import DeviceClaims, exchange
from visiona.services.pair_device import (
    ListedToken,
    create_pairing_token,
    list_pairing_tokens,
    revoke_pairing_token,
)
from visiona.stores.interfaces import Stores
from visiona.web.answers import Json, listed, moment, no_content, ok, page_asked, page_of, without_nothing
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.json_body import Fields, body_fields
from visiona.web.live_feed import LiveFeed
from visiona.web.qr import qr_svg
from visiona.web.rate_limits import ExchangeLimits
from visiona.web.revoking import Revoking
from visiona.web.shapes import (
    Exchanged,
    ExchangeWish,
    NewPairingToken,
    PairingStatus,
    PairingTokenItem,
    PairingTokenWish,
    QrPicture,
    QrWish,
)


def pairing_routes(
    stores: Stores,
    registry: Registry,
    revoking: Revoking,
    limits: ExchangeLimits,
    feed: LiveFeed,
    relay_url: str,
    now: Callable[[], datetime],
) -> Blueprint:
    """The routes.

    Args:
        stores: tokens and devices.
        registry: whose device is connected now.
        revoking: cuts what a revoked token keeps alive.
        limits: on the one public route.
        feed: tells who waits for a token to be used.
        relay_url: the public base that agents dial.
        now: the wall clock.
    """
    routes = Blueprint("pairing", __name__)
    _add_exchange(routes, stores, limits, feed, relay_url, now)

    @routes.post("/api/pairing/token")
    @described(answer=NewPairingToken, body=PairingTokenWish, body_is_optional=True, refusals=(NotFound,))
    async def create() -> Response:
        """Make a one-time pairing token of 15 minutes; its text is in this answer alone."""
        actor = current_actor(Scope.PAIRING)
        fields = await body_fields(optional=True)
        workspace = fields.text_or_none("workspace_id")
        made = await create_pairing_token(
            stores,
            actor,
            now(),
            name=fields.text_or_none("name"),
            workspace_id=WorkspaceId(workspace) if workspace else None,
        )
        return ok({"id": made.token.id, "token": made.text, "expires_at": moment(made.token.expires_at)})

    @routes.post("/api/pairing/qr")
    @described(answer=QrPicture, body=QrWish)
    async def draw() -> Response:
        """A text, such as the line to paste with a token in it, as a QR code; by POST, for a token is in no URL."""
        current_actor(Scope.PAIRING)
        fields = await body_fields()
        return ok({"svg": qr_svg(fields.text("text"))})

    @routes.get("/api/pairing/status")
    @described(answer=PairingStatus)
    async def status() -> Response:
        """The caller's device that connected last."""
        return ok(_status(_newest_of(registry, current_actor(Scope.PAIRING)), now()))

    @routes.get("/api/pairing/tokens")
    @described(answer=PairingTokenItem, is_kept_list=True)
    async def list_tokens() -> Response:
        """The caller's pairing and session tokens, also used, revoked and expired ones."""
        actor = current_actor(Scope.PAIRING)
        tokens = await list_pairing_tokens(stores, actor.user_id)
        page = page_of(tokens, lambda token: Position(token.created_at, token.id))
        return listed(page, _shown, bare=page_asked()[0] is None)

    @routes.delete("/api/pairing/tokens/<id_or_token>")
    @described(status=204)
    async def revoke(id_or_token: str) -> Response:
        """Take a token back, named by its id or its text."""
        actor = current_actor(Scope.PAIRING)
        ended = await revoke_pairing_token(stores, actor.user_id, id_or_token, now())
        for token_id in ended:
            revoking.at_once(NoticeKind.SESSION_TOKEN_REVOKED, token_id)
        return no_content()

    return routes


def _add_exchange(
    routes: Blueprint,
    stores: Stores,
    limits: ExchangeLimits,
    feed: LiveFeed,
    relay_url: str,
    now: Callable[[], datetime],
) -> None:
    @routes.post("/api/pairing/exchange")
    @described(answer=Exchanged, body=ExchangeWish, refusals=(PairingRefused, Conflict))
    async def exchange_token() -> Response:
        """Exchange a pairing token for a session token and a device."""
        # First the body, however slowly it comes: an attempt is taken from everybody's, and must be able to pair.
        fields = await body_fields()
        token = fields.text("pairing_token")
        await limits.attempt(g.address)
        try:
            done = await exchange(
                stores,
                token,
                now(),
                _claims(fields),
                idempotency_key=fields.text_or_none("idempotency_key"),
            )
        except (PairingRefused, Invalid):
            await limits.failed(g.address)
            raise
        feed.redeemed(done.user_id, done.pairing_token_id, done.device_id)
        return ok(
            {
                "session_token": done.session_token,
                "account": done.account,
                "relay_url": relay_url,
                "expires_at": moment(done.expires_at),
                "device_id": done.device_id,
            }
        )


def _claims(fields: Fields) -> DeviceClaims:
    return DeviceClaims(
        name=fields.text_or_none("name"),
        serial_number=fields.text_or_none("serial_number"),
        device_type=fields.text_or_none("device_type"),
        agent_version=fields.text_or_none("agent_version"),
        instance=fields.text_or_none("instance"),
    )


def _newest_of(registry: Registry, actor: Actor) -> LiveTunnel | None:
    """The caller's own tunnel that came up last: what a person who is pairing a unit waits for."""
    mine = [live for live in registry.all() if live.session.user_id == actor.user_id and live.tunnel.is_open]
    return max(mine, key=lambda live: live.connected_at, default=None)


def _status(live: LiveTunnel | None, now: datetime) -> Json:
    if live is None:
        return {"connected": False}
    return without_nothing(
        {
            "connected": True,
            "connected_at": moment(live.connected_at),
            "last_seen_at": moment(now),
            "device_id": live.device_id,
            "agent_version": live.agent_version,
        }
    )


def _shown(token: ListedToken) -> Json:
    return without_nothing(
        {
            "id": token.id,
            "token_prefix": token.token_prefix,
            "kind": token.kind,
            "name": token.name,
            "device_id": token.device_id,
            "created_at": moment(token.created_at),
            "expires_at": moment(token.expires_at),
            "used_at": moment(token.used_at),
            "revoked_at": moment(token.revoked_at),
        }
    )
