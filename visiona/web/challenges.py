"""A device that asks for a password (401): which of its questions a browser may be shown.

The browser asks in this site's name, and for a picture or a script's request just as for a page: a device could have
the console ask for a password, and be given one of ours. And what is called Negotiate or NTLM it answers by itself,
with who is signed in at the computer. So a person is asked only where they opened the device's own page, and only for
what is typed. Programs, which come with a token, are told everything.
"""

import re
from dataclasses import replace

from visiona.domain.access import Actor, Via
from visiona.wire.http1.head import RequestHead, ResponseHead

UNAUTHORISED = 401
"""Browsers heed no other status."""

_CHALLENGE = b"www-authenticate"
_ANSWERED_UNASKED = re.compile(rb"(?:^|[,\s])(?:negotiate|ntlm|nego2|kerberos)(?:$|[,\s])", re.IGNORECASE)


def without_challenges(answer: ResponseHead, asked: RequestHead, actor: Actor) -> ResponseHead:
    """The answer without the questions that this client's browser must not be shown."""
    if answer.status != UNAUTHORISED or actor.via is Via.TOKEN or answer.get(_CHALLENGE) is None:
        return answer
    is_page = _is_page(asked)
    kept = tuple(
        (name, value)
        for name, value in answer.headers
        if name.lower() != _CHALLENGE or (is_page and not _ANSWERED_UNASKED.search(value))
    )
    return replace(answer, headers=kept)


def _is_page(asked: RequestHead) -> bool:
    """Whether a person opened this; without Sec-Fetch-Mode (plain http) by what only navigations say they accept."""
    mode = asked.get(b"sec-fetch-mode")
    if mode is not None:
        return mode == b"navigate" and asked.get(b"sec-fetch-dest") in {None, b"document"}
    return b"text/html" in (asked.get(b"accept") or b"")
