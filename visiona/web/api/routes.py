"""All routes of the API, for the site that serves them."""

from collections.abc import Callable
from datetime import datetime

from quart import Blueprint

from visiona.ops.health import HealthBoard
from visiona.relay.model_loads import Loads
from visiona.relay.registry import Registry
from visiona.services.clock import now as wall_clock
from visiona.stores.interfaces import Stores
from visiona.web.api.audit import audit_routes
from visiona.web.api.auth import auth_routes
from visiona.web.api.cameras import camera_routes
from visiona.web.api.devices import Settle, at_once, device_routes
from visiona.web.api.health import health_routes
from visiona.web.api.invitations import invitation_routes
from visiona.web.api.live import live_routes
from visiona.web.api.model_loads import load_routes
from visiona.web.api.models import ModelParts, model_routes
from visiona.web.api.moving import moving_routes
from visiona.web.api.pairing import pairing_routes
from visiona.web.api.sessions import session_routes
from visiona.web.api.tokens import token_routes
from visiona.web.api.workspaces import workspace_routes
from visiona.web.invitation_mail import InvitationMail
from visiona.web.live_feed import LiveFeed
from visiona.web.openapi import openapi_routes
from visiona.web.rate_limits import ExchangeLimits
from visiona.web.revoking import Revoking
from visiona.web.snapshots import Snapshots


def api_routes(
    stores: Stores,
    registry: Registry,
    revoking: Revoking,
    limits: ExchangeLimits,
    board: HealthBoard,
    feed: LiveFeed,
    *,
    models: ModelParts,
    loads: Loads,
    snapshots: Snapshots,
    invitation_mail: InvitationMail,
    relay_url: str,
    base_url: Callable[[], str],
    settle: Settle = at_once,
    now: Callable[[], datetime] = wall_clock,
) -> list[Blueprint]:
    """Each noun's blueprint, given what it uses; call it inside the event loop."""
    return [
        health_routes(board, lambda of: sum(live.session.workspace_id in of for live in registry.all())),
        auth_routes(stores, now),
        session_routes(stores, revoking, now),
        token_routes(stores, revoking, now),
        pairing_routes(stores, registry, revoking, limits, feed, relay_url, now),
        device_routes(stores, registry, revoking, settle, feed, now),
        camera_routes(stores, registry, snapshots, now),
        moving_routes(stores, registry, revoking, feed, now),
        model_routes(stores, models, now),
        load_routes(stores, loads, registry.calls, feed, now),
        live_routes(feed),
        audit_routes(stores, now),
        workspace_routes(stores, revoking, now),
        invitation_routes(stores, revoking, base_url, invitation_mail, now),
        openapi_routes(),
    ]
