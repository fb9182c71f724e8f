"""What a log line may not carry: secrets are masked, control characters are made visible.

Pure text in, text out; used on every message, argument, extra and traceback before it leaves the process. It errs
on the side of masking: a harmless word after `token=` is lost, a secret in an unforeseen spelling of these is not.
"""

import re
from collections.abc import Callable

MASK = "***"

SECRET_NAMES = frozenset(
    {"authorization", "cookie", "password", "secret", "session", "set-cookie", "set_cookie", "token"}
)
"""Extras of these names are masked whole, whatever they hold; `token_prefix` and the like are not among them."""

_QUOTED_OR_WORD = r"""(?:"[^"]*"|'[^']*'|[^\s,;&"'<>)}\]]+)"""
_ALREADY_MASKED = r"vA[ciops]_\w{4}…"

_SUSPECTS = (
    "vac_",
    "vas_",
    "vap_",
    "vao_",
    "vai_",
    "%5f",
    "token",
    "cookie",
    "visiona_",
    "passw",
    "pwd",
    "apikey",
    "api_key",
    "api-key",
    "secret",
    "authorization",
    "bearer",
    "basic",
    "signature",
    "://",
)
"""Text without any of these, in lower case, needs no closer look, which is nearly every line."""

_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # Pairing, session and personal tokens keep the eight characters that the product shows anyway.
    (re.compile(r"(vA[ciops])(?:_|%5f)([0-9a-z]{4})(?:[0-9a-z_-]|%[0-9a-f]{2})+", re.IGNORECASE), r"\1_\2…"),
    # Cookies by header, in a header line or in a list of pairs; then ours by name, wherever they stand.
    (re.compile(r"""(\b(?:set-)?cookie["']\s*[:,]\s*b?)("[^"]*"|'[^']*')""", re.IGNORECASE), r"\1" + MASK),
    (re.compile(r"(\b(?:set-)?cookie\s*[:=]\s*)[^\r\n]+", re.IGNORECASE), r"\1" + MASK),
    (re.compile(r"""((?:__Host-|__Secure-)?visiona_\w+=)[^\s;,"']+""", re.IGNORECASE), r"\1" + MASK),
    (re.compile(rf"\b(bearer|basic)(\s+)(?!{_ALREADY_MASKED})[^\s,;\"']+", re.IGNORECASE), r"\1\2" + MASK),
    (
        re.compile(
            rf"""(["']?\b\w*(?:passw(?:or)?d|pwd|api[_-]?key|secret)["']?\s*[:=]\s*b?){_QUOTED_OR_WORD}""",
            re.IGNORECASE,
        ),
        r"\1" + MASK,
    ),
    (
        re.compile(
            rf"""((?:["']?\b|_)token["']?\s*[:=]\s*b?)(?!["']?{_ALREADY_MASKED}){_QUOTED_OR_WORD}""",
            re.IGNORECASE,
        ),
        r"\1" + MASK,
    ),
    # Of a link that is a credential by itself: ours to bring a file by, and those of an object store.
    (re.compile(r"(signature=)[^\s&\"'<>)}\]]+", re.IGNORECASE), r"\1" + MASK),
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+@"), r"\1" + MASK + "@"),
)

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""C0 and C1 controls (a terminal obeys them), line separators (a reader splits at them), bidirectional overrides (they
show a line other than it is), and surrogates (they cannot be written as UTF-8)."""


def is_harmless(text: str) -> bool:
    """Whether the text is fit to be written as it is. Quick: an access line is made for each request."""
    # Whatever must be spelled out is not printable to Python either.
    return text.isprintable() and not _is_suspect(text)


def mask_secrets(text: str) -> str:
    """The text without tokens, cookies, passwords and credentials in addresses."""
    if not _is_suspect(text):
        return text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def neutralise(text: str) -> str:
    r"""The text on one line: every control character becomes its `\x1b` or `\u202e` spelling."""
    return _UNSAFE.sub(_spell_out, text)


def clean(text: str, max_characters: int) -> str:
    """Masked, on one line, and no longer than the limit; what was cut is said."""
    if len(text) > max_characters:
        text = f"{text[:max_characters]}… ({len(text) - max_characters} characters more)"
    return neutralise(mask_secrets(text))


def _is_suspect(text: str) -> bool:
    lowered = text.lower()
    for suspect in _SUSPECTS:  # noqa: SIM110 - a generator costs three times as much, for every line
        if suspect in lowered:
            return True
    return False


def _spell_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    )
