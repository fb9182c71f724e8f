"""The relay as one thing: its port, its tunnels, and the loops that mind them.

`Relay` is put together before anything runs, because the web port gives it connections too; `run` binds the port
and works until cancelled. The tunnels themselves live in the nursery that the caller passes: on the way down they
outlive the port and the requests (docs/architecture, composition root).
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial

import trio

from visiona.domain.notices import Notice
from visiona.relay.accepting import accept_forever, bind, url_of
from visiona.relay.admission import Admission
from visiona.relay.certificates import Certificates
from visiona.relay.expiry import expire_forever
from visiona.relay.inventory import Inventory
from visiona.relay.journal import Journal
from visiona.relay.notices import follow_notices
from visiona.relay.reception import Reception
from visiona.relay.registry import Registry
from visiona.relay.settings import RelaySettings
from visiona.services.refusals import Refusals
from visiona.stores.interfaces import Stores
from visiona.tunnel.keepalive import Pinger
from visiona.wire.http1.addresses import Network

logger = logging.getLogger(__name__)


class Relay:
    """Everything about tunnels in one process.

    Args:
        connections: the nursery of the tunnels; it must stay open until they have ended.
        is_stopping: true from the moment the server drains: newcomers are told to come again.
        apply: told of each notice; cuts what it takes away.
        doubt_sessions: told when people's sessions may have ended of which nobody hears.
        refusals: told of what is refused, for the audit log.
        trusted: networks of our own reverse proxies, whose X-Forwarded-For is believed.

    Attributes:
        pinger: for metrics: its `longest_stall_seconds`.
        inventory: `ask(device_id)` after a scan.

    Raises:
        CertificateUnusable: the certificate cannot be used.
    """

    def __init__(
        self,
        settings: RelaySettings,
        stores: Stores,
        registry: Registry,
        connections: trio.Nursery,
        *,
        is_stopping: Callable[[], bool],
        apply: Callable[[Notice], object],
        doubt_sessions: Callable[[], object],
        trusted: Sequence[Network] = (),
        refusals: Refusals | None = None,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._registry = registry
        self._follow = partial(follow_notices, stores, apply, doubt_sessions, settings.notices_seconds)
        self.pinger = Pinger()
        self.journal = Journal(stores)
        self.inventory = Inventory(settings, stores, registry)
        registry.watchers += [self.journal.watch, self.inventory.watch]
        admission = Admission(
            settings,
            stores,
            registry,
            is_stopping=is_stopping,
            alarm=lambda session, text: self.journal.alarm(session.device_id, text),
            refusals=refusals,
        )
        self.reception = Reception(
            settings,
            admission,
            registry,
            self.pinger,
            spawn=connections.start_soon,
            trusted=trusted,
            certificates=_certificates(settings),
        )
        self.serve_upgraded = self.reception.serve_upgraded

    async def run(self, *, task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED) -> None:
        """Binds the port, reports its URLs, and works until cancelled.

        Raises:
            OSError: the address cannot be bound.
            StoreUnavailable: at the start only.
        """
        listeners = await bind(self._settings.listen)
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.journal.run)
                await nursery.start(self.pinger.run)
                await nursery.start(self.inventory.run)
                await nursery.start(partial(expire_forever, self._registry, self._stores.sessions))
                await nursery.start(self._follow)
                nursery.start_soon(accept_forever, listeners, self.reception.greet)
                scheme = "ws" if self._settings.tls_certificate is None else "wss"
                task_status.started([url_of(scheme, listener) for listener in listeners])
        finally:
            for listener in listeners:
                listener.close()


def _certificates(settings: RelaySettings) -> Certificates | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Certificates(settings.tls_certificate, settings.tls_key)
