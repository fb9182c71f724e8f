"""The mail that brings an invitation to its person: what it says, how often it may be sent, and what became of it.

Whoever invites chooses the address, the workspace's name and their own, and so could have this server mail a stranger
what they like. So there are limits for each of the three, a name that could be taken for a link is left out, and
nothing else of the mail is theirs. The link is made of `web.public_url` and never of what a request says.
"""

import hashlib
import html
import re
from collections.abc import Callable

from visiona.domain.access import Actor
from visiona.domain.ids import InvitationId
from visiona.domain.rates import Limit, Take, Window
from visiona.integrations.mail.faults import MailFault
from visiona.integrations.mail.letters import Letter
from visiona.integrations.mail.outbox import Deliver, Fate, Outbox
from visiona.relay.containment import contain
from visiona.services.invitations import NewInvitation
from visiona.stores.rates import RateStore
from visiona.web.answers import Json, without_nothing
from visiona.web.invitation_texts import TEXTS

HOUR, DAY = 3600.0, 86400.0

MAILS_OF_PERSON = Limit("invitation_mails_person", (Window(20, HOUR), Window(60, DAY)), 10_000)
MAILS_OF_WORKSPACE = Limit("invitation_mails_workspace", (Window(50, HOUR), Window(200, DAY)), 10_000)
"""As many as a workspace has room for, in a day."""

MAILS_TO_ADDRESS = Limit("invitation_mails_address", (Window(3, HOUR), Window(6, DAY)), 50_000)
"""From everybody together: whoever is invited again and again is not invited but pestered."""

_LIKE_A_LINK = re.compile(r"://|/|\bwww\b|[^\W_]\.[^\W\d_]{2,}|@", re.IGNORECASE)
"""What a mail program might make a link of by itself."""


class InvitationMail:
    """Sends invitations, if there is an outbox to put them into.

    Args:
        outbox: None: this server sends no mail.
        rates: counts, for all servers on one Redis together.
        enabled: False counts nothing (load tests).
    """

    def __init__(self, outbox: Outbox | None, rates: RateStore, *, enabled: bool = True) -> None:
        self._outbox = outbox
        self._rates = rates
        self._enabled = enabled

    async def send(self, actor: Actor, made: NewInvitation, link: str, language: str) -> Json:
        """Has it sent meanwhile; says for an answer whether it is. Fails for nothing and waits for no mail server."""
        if self._outbox is None:
            return {"mail": "off"}
        if not await self._may(actor, made):
            why = "too many invitations were mailed lately; send the link yourself"
            return {"mail": "limited", "mail_fault": why}
        return _shown(self._outbox.post(letter(actor, made, link, language)))

    def became(self, invitation_id: InvitationId) -> Json:
        """What became of its mail, as far as this process knows, for an answer."""
        fate = self._outbox.fate_or_none(invitation_id) if self._outbox is not None else None
        return _shown(fate) if fate is not None else {}

    async def _may(self, actor: Actor, made: NewInvitation) -> bool:
        if not self._enabled:
            return True
        invitation = made.invitation
        # Not the address itself: counts are no place to look people up in.
        to = hashlib.sha256(invitation.email.encode("utf-8", "replace")).hexdigest()
        wait = await self._rates.take(
            Take(MAILS_OF_PERSON, actor.user_id),
            Take(MAILS_OF_WORKSPACE, invitation.workspace_id),
            Take(MAILS_TO_ADDRESS, to),
        )
        return wait == 0.0


def contained(deliver: Deliver) -> Deliver:
    """The same, but that an error in it is one mail's and nobody else's: it is logged, and the mail has failed."""

    async def safely(letter: Letter) -> None:
        outcome: list[MailFault | None] = []

        async def work() -> None:
            try:
                await deliver(letter)
            except MailFault as fault:
                outcome.append(fault)
            else:
                outcome.append(None)

        await contain("a mail", work, lambda: {"about": letter.key})
        fault = outcome[0] if outcome else MailFault("the mail could not be written", is_lasting=True)
        if fault is not None:
            raise fault

    return safely


def letter(actor: Actor, made: NewInvitation, link: str, language: str) -> Letter:
    """The mail."""
    words = TEXTS[language]
    workspace = _readable(made.workspace.name)
    inviter = _readable(actor.name)
    facts = {
        "who": f"{inviter} <{actor.email}>" if inviter else actor.email,
        "workspace": words["named"].format(name=workspace) if workspace else words["unnamed"],
        "email": made.invitation.email,
        "until": made.invitation.expires_at.strftime("%Y-%m-%d %H:%M UTC"),
        "link": link,
    }
    lines = [words[name] for name in ("asked", "open", "whose", "unknown")]
    return Letter(
        key=made.invitation.id,
        to=made.invitation.email,
        subject=words["subject"].format(**facts),
        text=_filled("\n\n".join([lines[0], lines[1], "{link}", *lines[2:], ""]), facts, str),
        html=_page(words, lines, facts, language),
        language=language,
    )


def _page(words: dict[str, str], lines: list[str], facts: dict[str, str], language: str) -> str:
    body = [f"<p>{html.escape(line)}</p>" for line in lines]
    body.insert(2, '<p><a href="{link}">{link}</a></p>')
    page = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{words["title"]}</title></head>\n'
        '<body style="font-family: sans-serif; line-height: 1.5; max-width: 36em; overflow-wrap: anywhere">\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )
    return _filled(page, facts, html.escape)


def _filled(text: str, facts: dict[str, str], spelled: Callable[[str], str]) -> str:
    """As `str.format`, but that braces elsewhere are text."""
    return re.sub(r"\{(who|workspace|email|until|link)\}", lambda match: spelled(facts[match[1]]), text)


def _readable(name: str) -> str | None:
    return name if name and not _LIKE_A_LINK.search(name) else None


def _shown(fate: Fate) -> Json:
    return without_nothing({"mail": fate.state.value, "mail_fault": fate.why})
