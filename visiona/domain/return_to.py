"""Where a person may be sent after signing in: a path of this server, in a spelling that nobody can read otherwise.

Browsers, proxies and libraries disagree about backslashes, control characters, escapes and dots; attackers live on
that. So this is a list of what passes, not of what does not: few characters, no empty and no dot segments, no escape
that hides one of them. Whatever is else becomes the start page (A-05; the advisories are in docs/hardening.md).
"""

import re

MAX_CHARACTERS = 2048
"""Of a path with its query; more does not fit everywhere that it passes."""

# RFC 3986 pchar without `:`, `@` and `;`, which only matter to those who want to be misread.
_SEGMENT = r"(?:[A-Za-z0-9._~!$&'()*+,=-]|%[0-9A-Fa-f]{2})+"
_QUERY = r"(?:[A-Za-z0-9._~!$&'()*+,=;:@/?-]|%[0-9A-Fa-f]{2})*"
_LOCAL = re.compile(rf"((?:/{_SEGMENT})*/?)(?:\?{_QUERY})?(?:#{_QUERY})?")

# Control characters, `/`, `\`, `%` itself, and everything beyond ASCII, whose letters can look like dots
# and slashes. A blank in front of a name is stripped by some.
_HIDING = re.compile(r"%(?:[01][0-9A-Fa-f]|2[5fF]|5[cC]|7[fF]|[89A-Fa-f][0-9A-Fa-f])|/%20")
_HIDING_IN_QUERY = re.compile(r"%(?:[01][0-9A-Fa-f]|7[fF])")
_DOT = re.compile(r"%2[eE]")

_NEVER = ("api/auth/", "idp/")
"""Below the start page: to be sent there again is a loop, or somebody else's errand."""


def local_path(text: str | None, home: str = "/") -> str:
    """The text if it is a path at or below `home`, else `home`.

    Args:
        text: from outside; also from the store, where it was put after the same check.
        home: the start page's path, ending in a slash: `/`, or `/visiona/` where the server stands below a path.
    """
    if text is None or not 0 < len(text) <= MAX_CHARACTERS:
        return home
    found = _LOCAL.fullmatch(text)
    if found is None or not found[1].startswith(home) or _HIDING_IN_QUERY.search(text):
        return home
    path = found[1]
    below = path.removeprefix(home)
    if _HIDING.search(path) or _has_dots(path) or f"{below}/".startswith(_NEVER):
        return home
    return text


def _has_dots(path: str) -> bool:
    return any(segment in {".", ".."} for segment in _DOT.sub(".", path).split("/"))
