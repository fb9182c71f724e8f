"""Forgetting what nobody asks for any more."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from visiona.services.audit_settings import DEFAULT_AUDIT
from visiona.stores.interfaces import Stores, Tx

KEEP_PAIRING_TOKENS = timedelta(days=30)
"""After their end; so long a list shows what became of them."""

KEEP_SESSION_TOKENS = timedelta(days=365)
"""After their end; so long an agent that comes back is told EXPIRED and not UNKNOWN."""

KEEP_ACCESS_TOKENS = timedelta(days=90)
KEEP_EVENTS = timedelta(days=180)

KEEP_LOADS = timedelta(days=180)
"""After their end; what is on an accelerator now is kept for as long as it is there."""

KEEP_NOTICES = timedelta(days=1)
"""A server reads them within a second; one that was away starts from the newest."""

BATCH_ROWS = 500
"""One transaction forgets this many: about five milliseconds during which everything else waits."""


async def purge_expired(
    stores: Stores, now: datetime, keep_audit: timedelta = DEFAULT_AUDIT.keep
) -> dict[str, int]:
    """Forgets old tokens, sessions, events, loads, notices and audit entries, in small transactions; says how many of each.

    Cancelling is safe: what is left is for the next time.
    """
    return {
        # Session tokens before pairing tokens, which they refer to.
        "session_tokens": await _purge(
            stores, lambda tx: tx.session_tokens.purge(now - KEEP_SESSION_TOKENS, BATCH_ROWS)
        ),
        "pairing_tokens": await _purge(
            stores, lambda tx: tx.pairing_tokens.purge(now - KEEP_PAIRING_TOKENS, BATCH_ROWS)
        ),
        "access_tokens": await _purge(
            stores, lambda tx: tx.access_tokens.purge(now - KEEP_ACCESS_TOKENS, BATCH_ROWS)
        ),
        "one_time_links": await _purge(stores, lambda tx: tx.one_time_links.purge(now, BATCH_ROWS)),
        "invitations": await _purge(stores, lambda tx: tx.invitations.purge(now, BATCH_ROWS)),
        "device_events": await _purge(
            stores, lambda tx: tx.device_events.purge(now - KEEP_EVENTS, BATCH_ROWS)
        ),
        "model_loads": await _purge(stores, lambda tx: tx.model_loads.purge(now - KEEP_LOADS, BATCH_ROWS)),
        "audit_entries": await _purge(stores, lambda tx: tx.audit.purge(now - keep_audit, BATCH_ROWS)),
        "notices": await _purge(stores, lambda tx: tx.notices.purge(now - KEEP_NOTICES, BATCH_ROWS)),
        # Last: they may be elsewhere, and an outage there is to keep nothing in the database.
        "sessions": await _purge_all(lambda: stores.sessions.purge(now, BATCH_ROWS)),
        "pending_logins": await _purge_all(lambda: stores.pending_logins.purge(now, BATCH_ROWS)),
    }


async def _purge(stores: Stores, batch: Callable[[Tx], Awaitable[int]]) -> int:
    return await _purge_all(lambda: stores.write(batch))


async def _purge_all(batch: Callable[[], Awaitable[int]]) -> int:
    total = 0
    while True:
        forgotten = await batch()
        total += forgotten
        if forgotten < BATCH_ROWS:
            return total
