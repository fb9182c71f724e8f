"""The composition root: opens stores, nurseries and servers, and closes them in the right order.

Leaving the nurseries, innermost first, is the shutdown: people's requests end while their tunnels are still up,
tunnels are told goodbye next, loops stop after that, and stores close last, for the end of a tunnel is written down.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import trio

from visiona.config import Settings
from visiona.integrations.mail.outbox import Outbox
from visiona.integrations.mail.settings import MailSettings
from visiona.integrations.mail.smtp import MailServer
from visiona.ops.figures import sources
from visiona.ops.health import HealthBoard, check_forever
from visiona.ops.internal import serve_internal
from visiona.ops.log_writer import WriterStatistics
from visiona.ops.metrics import Metrics
from visiona.ops.stalls import StallWatch, watching_stalls
from visiona.ops.systemd import Notifier, feed_watchdog
from visiona.ops.upkeep import keep_status, purge_forever, sweep_forever, write_refusals_forever
from visiona.relay.cameras import Cameras
from visiona.relay.deadlines import Sweeper
from visiona.relay.listener import Relay
from visiona.relay.model_loads import Loads
from visiona.relay.registry import Registry
from visiona.services.clock import now
from visiona.services.minting import mint_id
from visiona.services.models import Quota
from visiona.services.refusals import Refusals
from visiona.stores.files.interfaces import FileStore
from visiona.stores.files.opening import open_files
from visiona.stores.interfaces import Stores
from visiona.stores.opening import open_stores
from visiona.web.api.models import ModelParts
from visiona.web.api.routes import api_routes
from visiona.web.bff.opening import open_bff
from visiona.web.bff.place import Place
from visiona.web.callers import Callers
from visiona.web.console.routes import console_routes
from visiona.web.cookies import SessionCookie, session_cookie_name
from visiona.web.door import open_door
from visiona.web.idp.addresses import first_admin_url
from visiona.web.idp.loopback import builtin_transport
from visiona.web.idp.opening import open_provider
from visiona.web.idp.routes import provider_routes
from visiona.web.invitation_mail import InvitationMail, contained
from visiona.web.live_feed import LiveFeed
from visiona.web.proxy import Proxy
from visiona.web.proxy_access import Access
from visiona.web.proxy_crossing import Outside
from visiona.web.rate_limits import ExchangeLimits
from visiona.web.relay_url import relay_url_from
from visiona.web.revoking import Revoking
from visiona.web.session_key import session_key
from visiona.web.site import build_site
from visiona.web.snapshots import Snapshots
from visiona.web.storage import Storage
from visiona.web.upload_links import UploadLinks


@dataclass(frozen=True, slots=True)
class Bound:
    """Where the server accepts, as URLs by which this machine reaches it.

    Attributes:
        first_link: where the first account is made; None where somebody can sign in already, or signs in elsewhere.
            Whoever has it becomes the administrator: it is for a person's eyes alone.
    """

    web: str
    relay: str
    internal: str
    first_link: str | None = field(default=None, repr=False)


async def run(
    settings: Settings,
    *,
    stop: trio.Event,
    ready: Callable[[Bound], None],
    logs: Callable[[], WriterStatistics] | None = None,
) -> None:
    """Serves until `stop` is set and what was in flight has ended.

    Args:
        settings: everything that can be set.
        stop: begins the drain.
        ready: told what was bound, once everything accepts.
        logs: what the metrics page shows of the log.

    Raises:
        OSError: an address cannot be bound.
        StoreBusy, SchemaMismatch, StoreDamaged, StoreUnavailable: the stores cannot be opened.
    """
    notifier = Notifier(settings.manager.notify_socket)
    with watching_stalls() as stalls:
        async with open_stores(settings.stores, exclusive=True) as stores:
            folder = None if settings.stores.is_memory else settings.state_dir
            async with open_files(settings.storage, folder) as files:
                await _serve(settings, stores, files, Watchers(notifier, stalls, logs), stop, ready)
    notifier.close()


@dataclass(frozen=True, slots=True)
class Watchers:
    """Who looks at this process from outside, and with what."""

    notifier: Notifier
    stalls: StallWatch
    logs: Callable[[], WriterStatistics] | None


async def _serve(
    settings: Settings,
    stores: Stores,
    files: FileStore,
    watchers: Watchers,
    stop: trio.Event,
    ready: Callable[[Bound], None],
) -> None:
    registry, board, sweeper = Registry(), HealthBoard(), Sweeper()
    key = session_key(settings.session.key, settings.state_dir, is_kept=not settings.stores.is_memory)
    cookie = SessionCookie(session_cookie_name(settings.web.public_url), key)
    callers = Callers(stores, cookie=cookie, ttl_seconds=settings.web.caller_cache_seconds)
    cameras = Cameras(sweeper, settings=settings.relay.cameras())
    revoking = Revoking(callers, registry, cameras, now)
    refusals = Refusals(now, trio.current_time)
    async with trio.open_nursery() as background:
        async with trio.open_nursery() as connections:
            relay = Relay(
                settings.relay,
                stores,
                registry,
                connections,
                is_stopping=stop.is_set,
                apply=revoking.apply,
                doubt_sessions=callers.doubt_sessions,
                trusted=settings.web.trusted_proxies,
                refusals=refusals,
            )
            relay_bound = await background.start(relay.run)
            await background.start(sweeper.run)
            await background.start(check_forever, settings.health, board, registry, stores.pings)
            metrics = Metrics(
                sources(registry, relay, sweeper, cameras, board, watchers.stalls, watchers.logs)
            )
            internal = settings.internal
            internal_bound = await background.start(
                serve_internal, internal.listen, board, metrics, internal.hosts
            )
            background.start_soon(feed_watchdog, watchers.notifier, settings.manager.watchdog_usec)
            await background.start(write_refusals_forever, stores, refusals)
            background.start_soon(purge_forever, stores, settings.audit.keep)
            background.start_soon(sweep_forever, stores, files)

            relay_url = relay_url_from(settings.relay.public_url, settings.web.public_url, relay_bound[0])
            limits = ExchangeLimits(stores.rates, enabled=settings.web.rate_limits)
            inventory = relay.inventory
            feed = LiveFeed(registry.calls)
            registry.watchers.append(feed.watch)
            loads = Loads(
                stores,
                files,
                registry,
                holder=mint_id(now()),
                ask=inventory.ask,
                return_seconds=settings.relay.load_return_seconds,
                is_alone=not settings.stores.is_postgres,
                is_kept=not settings.stores.is_memory,
            )
            registry.watchers.append(loads.watch)
            await background.start(loads.run)
            inventory.watchers.append(feed.answered)
            access = Access(
                callers,
                registry,
                stores,
                lambda live: inventory.ask(live.device_id),
                inventory.settled,
                refusals,
            )
            web_bound: list[str] = []
            place = Place(settings.web.public_url, lambda: web_bound[0])
            models = _models(settings, files, key)
            routes = api_routes(
                stores,
                registry,
                revoking,
                limits,
                board,
                feed,
                models=models,
                loads=loads,
                snapshots=Snapshots(registry, cameras, sweeper),
                invitation_mail=InvitationMail(
                    await _outbox(settings.mail, background), stores.rates, enabled=settings.web.rate_limits
                ),
                relay_url=relay_url,
                base_url=lambda: place.base,
                settle=access.settle,
            )
            site = build_site(
                settings.web, callers, [*routes, console_routes(settings.web, callers)], refusals
            )
            storage = Storage(
                site,
                stores,
                files,
                models.links,
                now,
                settings.storage.upload_idle_seconds,
                settings.web.trusted_proxies,
            )
            outside = Outside.from_web(settings.web)
            proxy = Proxy(storage, access, sweeper, outside=outside, cameras=cameras)
            builtin = builtin_transport(site)
            own_provider = await open_provider(
                settings.oidc,
                stores,
                place,
                None if settings.stores.is_memory else settings.state_dir,
                rate_limits=settings.web.rate_limits,
            )
            for blueprint in provider_routes(own_provider) if own_provider is not None else []:
                site.register_blueprint(blueprint)
            async with open_bff(
                settings.oidc,
                settings.session,
                stores,
                place,
                revoking,
                cookie,
                builtin,
                rate_limits=settings.web.rate_limits,
            ) as sign_in:
                for blueprint in sign_in:
                    site.register_blueprint(blueprint)
                async with trio.open_nursery() as doors:
                    serve_web = partial(open_door, cameras=cameras)
                    web_bound += await doors.start(
                        serve_web, settings.web, proxy, access, sweeper, relay.serve_upgraded, stop
                    )
                    first_link = (
                        await first_admin_url(stores, place, now()) if own_provider is not None else None
                    )
                    watchers.notifier.ready()
                    background.start_soon(
                        keep_status, watchers.notifier, lambda: f"{len(registry)} devices online"
                    )
                    ready(Bound(web_bound[0], relay_bound[0], internal_bound[0], first_link))
                    await stop.wait()
                    board.drain()
                    feed.close()
                    loads.close()
                    watchers.notifier.stopping("requests in flight may finish")
            # Every answer has been sent while its tunnel was still up; now agents are told to come back later.
            registry.say_goodbye()
            connections.cancel_scope.deadline = trio.current_time() + settings.relay.goodbye_seconds
        background.cancel_scope.cancel()


async def _outbox(settings: MailSettings, background: trio.Nursery) -> Outbox | None:
    if not settings.is_on:
        return None
    outbox = Outbox(contained(MailServer(settings).deliver))
    await background.start(outbox.run)
    return outbox


def _models(settings: Settings, files: FileStore, key: bytes) -> ModelParts:
    storage = settings.storage
    quota = Quota(storage.quota_models, storage.quota_bytes, storage.max_file_bytes)
    return ModelParts(files, UploadLinks(key, settings.web.public_url), quota)
