"""Refused deeds for the audit log: bounded, so that a flood of them fills neither the memory nor the disk.

A refusal changes nothing, so there is no transaction to write it in. It is put in a short queue, at once and without
waiting, and a loop of the server's (ops/upkeep.py) writes what is there. What goes beyond the bounds is only counted;
one line says how many of each kind there were. Nobody is let in or kept out because of any of this.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

from visiona.domain.audit import AuditEntry, Deed, Outcome
from visiona.domain.ids import UserId
from visiona.domain.rates import KeyedLimiter, Window, address_key
from visiona.services.audit import NO_DETAILS, NOWHERE, Origin, current_origin, entry_of
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores, Tx

MAX_ADDRESSES = 10_000
"""Remembered, at most about 2 KiB each."""

OF_ADDRESS = (Window(5, 60.0), Window(30, 3600.0))
"""Lines that one address may cause. Who guesses is seen at the first of them."""

OF_ALL = (Window(60, 60.0), Window(600, 3600.0), Window(3000, 86400.0))
"""Lines that everybody together may cause: at half a kibibyte, 1.5 MiB a day and 0.5 GiB in a year of attack."""

ONCE_SECONDS = 3600.0
"""A program that goes on knocking with one dead token is one line an hour."""

MAX_WAITING = 200
"""Lines not written yet; the database may be away."""

COUNTED_SECONDS = 600.0
"""How often the line with the numbers is written, while there is something to count."""


class Refusals:
    """What was refused and is not written yet.

    Args:
        now: the wall clock.
        clock: monotonic seconds.
    """

    def __init__(self, now: Callable[[], datetime], clock: Callable[[], float]) -> None:
        self._now = now
        self._clock = clock
        self._waiting: list[AuditEntry] = []
        self._left_out: Counter[str] = Counter()
        self._counted_at = clock()
        self._of_address = KeyedLimiter(OF_ADDRESS, MAX_ADDRESSES)
        self._of_all = KeyedLimiter(OF_ALL, 1)
        self._once = KeyedLimiter([Window(1, ONCE_SECONDS)], MAX_ADDRESSES)

    def note(
        self,
        deed: Deed,
        why: str,
        *,
        subject: UserId | None = None,
        once: str | None = None,
        origin: Origin | None = None,
        details: Mapping[str, object] = NO_DETAILS,
    ) -> None:
        """Takes down that something was refused; see audit.note_refused.

        Args:
            origin: from where, if that is not the current request.
        """
        seconds, origin = self._clock(), origin or current_origin()
        source = address_key(origin.address)
        if once is not None and self._once.take(f"{deed} {source} {once}", seconds):
            return
        if self._of_address.wait_seconds(source, seconds) or self._of_all.wait_seconds("", seconds):
            self._left_out[deed] += 1
            return
        self._of_address.charge(source, seconds)
        self._of_all.charge("", seconds)
        entry = entry_of(
            self._now(),
            deed,
            origin=origin,
            outcome=Outcome.REFUSED,
            subject=subject,
            details={"why": why, **details},
        )
        self._keep(entry)

    async def write_out(self, stores: Stores, *, is_last: bool = False) -> None:
        """Writes what waits; while the database is away it goes on waiting, as far as there is room.

        Args:
            is_last: the numbers are written too, though their minute is not over.
        """
        counted = self._take_counts(is_due=is_last)
        entries, self._waiting = [*self._waiting, *counted], []
        if not entries:
            return

        async def write(tx: Tx) -> None:
            await tx.audit.append(*entries)

        try:
            await stores.write(write)
        except StoreUnavailable:
            newer, self._waiting = self._waiting, []
            for entry in [*entries, *newer]:
                self._keep(entry)
            raise

    @property
    def waiting_count(self) -> int:
        """How many lines are not written yet."""
        return len(self._waiting)

    def _keep(self, entry: AuditEntry) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(entry)
        else:
            self._left_out[entry.deed] += int(entry.details.get("count", 1))

    def _take_counts(self, *, is_due: bool) -> list[AuditEntry]:
        """A line for each kind of which some were left out."""
        seconds = self._clock()
        if not self._left_out or (seconds - self._counted_at < COUNTED_SECONDS and not is_due):
            return []
        counts, self._left_out, self._counted_at = self._left_out, Counter(), seconds
        return [
            entry_of(
                self._now(),
                Deed(deed),
                origin=NOWHERE,
                outcome=Outcome.REFUSED,
                details={"why": "more of the same kind, not listed one by one", "count": count},
            )
            for deed, count in counts.items()
        ]
