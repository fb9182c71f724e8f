"""Text that people and agents write and other people see: names, serial numbers, tags, versions.

What could act rather than be read is taken out: control characters (a log line or a header could be broken), the
bidirectional and invisible format characters (a name could pretend to be another), lone surrogates (JSON can carry
them, UTF-8 cannot).
"""

import unicodedata

from visiona.domain.errors import Invalid

MAX_NAME_CHARACTERS = 120
"""Longer names fit no card of the console."""

MAX_SERIAL_CHARACTERS = 128
"""The longest serial number in the field has 64; a UUID with decoration fits too."""

MAX_TAGS = 32
MAX_TAG_CHARACTERS = 64

# Cc control, Cf format (bidi overrides, zero width), Cs surrogates, Co private use, Cn unassigned, Zl/Zp separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def label(text: str, max_characters: int = MAX_NAME_CHARACTERS) -> str:
    """What is left of the text when it may only be read; cut at the limit, possibly empty."""
    seen = "".join(c if unicodedata.category(c) not in _UNSEEN else " " for c in text[: 4 * max_characters])
    return " ".join(seen.split())[:max_characters].rstrip()


def label_or_none(text: str | None, max_characters: int = MAX_NAME_CHARACTERS) -> str | None:
    """As `label`; None where nothing is left."""
    return (label(text, max_characters) or None) if text is not None else None


def name(text: str) -> str:
    """A name somebody chose; raises Invalid where nothing readable is left or it is too long."""
    chosen = label(text, MAX_NAME_CHARACTERS + 1)
    if not chosen or len(chosen) > MAX_NAME_CHARACTERS:
        raise Invalid(f"name: write 1 to {MAX_NAME_CHARACTERS} characters")
    return chosen


def serial_number(text: str) -> str:
    """A serial number as it identifies a device: exact, so what would have to be altered raises Invalid."""
    serial = text.strip()
    if not serial or len(serial) > MAX_SERIAL_CHARACTERS or label(serial, MAX_SERIAL_CHARACTERS) != serial:
        raise Invalid(f"serial_number: write 1 to {MAX_SERIAL_CHARACTERS} printable characters")
    return serial


def tags(texts: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Tags in the order given, each once; raises Invalid for too many, too long or empty ones."""
    if len(texts) > MAX_TAGS:
        raise Invalid(f"tags: at most {MAX_TAGS}")
    chosen = tuple(dict.fromkeys(label(text, MAX_TAG_CHARACTERS + 1) for text in texts))
    if any(not 1 <= len(tag) <= MAX_TAG_CHARACTERS for tag in chosen):
        raise Invalid(f"tags: write 1 to {MAX_TAG_CHARACTERS} characters each")
    return chosen
