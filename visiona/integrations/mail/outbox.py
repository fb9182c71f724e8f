"""Mails on their way out: taken at once, sent meanwhile, tried again where that may help, and given up in the end.

They are kept in memory alone, for what they say (a link that lets somebody in) is kept nowhere: a server that stops
leaves what it has not sent, and says how many those were. Nothing here waits for a mail server but the outbox itself.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import NamedTuple

import trio

from visiona.integrations.mail.faults import MailFault
from visiona.integrations.mail.letters import Letter

log = logging.getLogger(__name__)

RETRY_SECONDS = (30.0, 180.0, 900.0)
"""A server that is restarted, one that wants a stranger to come again (greylisting), and one that is mended."""

MAX_WAITING = 200
"""Mails that are on their way, about 10 KiB each."""

MAX_REMEMBERED = 2000
"""Of how many mails it is known what became of them; beyond, the oldest is forgotten."""

Deliver = Callable[[Letter], Awaitable[None]]


class MailState(StrEnum):
    """What became of a mail. For programs: a word never changes."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


class Fate(NamedTuple):
    """What became of a mail, and the sentence why it failed or waits to be tried again."""

    state: MailState
    why: str | None = None


class Outbox:
    """The mails of this process; run it, and post.

    Args:
        deliver: hands one mail over, in bounded time; raises MailFault.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._fates: OrderedDict[str, Fate] = OrderedDict()
        self._waiting = 0
        self._nursery: trio.Nursery | None = None

    def post(self, letter: Letter) -> Fate:
        """Takes a mail without waiting for anything; failed where too many wait."""
        if self._nursery is None or self._waiting >= MAX_WAITING:
            return self._note(
                letter, Fate(MailState.FAILED, "too many mails wait to be sent; send the link yourself")
            )
        self._waiting += 1
        self._nursery.start_soon(self._carry, letter)
        return self._note(letter, Fate(MailState.QUEUED))

    def fate_or_none(self, key: str) -> Fate | None:
        """What became of the mail about this; None if it is not known (any more)."""
        return self._fates.get(key)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Sends until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            if self._waiting:
                log.warning("mails were not sent before the server stopped", extra={"mails": self._waiting})

    async def _carry(self, letter: Letter) -> None:
        fate = await self._tried(letter)
        self._waiting -= 1
        self._note(letter, fate)

    async def _tried(self, letter: Letter) -> Fate:
        for pause in (*RETRY_SECONDS, None):
            try:
                await self._deliver(letter)
            except MailFault as fault:
                ends = fault.is_lasting or pause is None
                extra = {"about": letter.key, "said": fault.said, "tries_again": not ends}
                log.warning("a mail was not sent: %s", fault.sentence, extra=extra)
                if pause is None or fault.is_lasting:
                    return Fate(MailState.FAILED, _told(fault))
                self._note(letter, Fate(MailState.QUEUED, _told(fault)))
                await trio.sleep(pause)
            else:
                log.info("a mail was sent", extra={"about": letter.key})
                break
        return Fate(MailState.SENT)

    def _note(self, letter: Letter, fate: Fate) -> Fate:
        self._fates[letter.key] = fate
        self._fates.move_to_end(letter.key)
        if len(self._fates) > MAX_REMEMBERED:
            self._fates.popitem(last=False)
        return fate


def _told(fault: MailFault) -> str:
    """For whoever has the mail sent. Where the mail server is and how it is set is the operator's alone."""
    if fault.of_address:
        return "the mail server does not take mail for this address"
    return "the mail server cannot be used at the moment; the server's log says why"
