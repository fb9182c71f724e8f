"""In which language a page begins: what the browser asks for, among those that there are dictionaries for."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

LANGUAGES: Final = ("en", "zh-TW", "zh-CN")
"""The first is what nobody asked for gets."""

MAX_HEADER_CHARACTERS: Final = 1024
MAX_RANGES: Final = 20
"""Browsers send a handful; a header with hundreds of ranges is not read to its end."""

_TRADITIONAL: Final = ("zh-tw", "zh-hk", "zh-mo", "zh-hant")
"""Regions and the script that are written in traditional characters (BCP 47)."""


@cache
def dictionary(language: str) -> Mapping[str, str]:
    """The console's words in one of LANGUAGES."""
    text = (files("visiona.web.console") / "text" / f"{language}.json").read_text(encoding="utf-8")
    words: dict[str, str] = json.loads(text)
    return words


def preferred(accept_language: str | None) -> str:
    """The language that the header asks for most; RFC 9110 §12.5.4, by lookup as in RFC 4647 §3.4."""
    ranges = (accept_language or "")[:MAX_HEADER_CHARACTERS].split(",")[:MAX_RANGES]
    wanted = [
        (_weight(parameters), tag.strip().lower())
        for tag, _, parameters in (r.partition(";") for r in ranges)
    ]
    for weight, tag in sorted(wanted, key=lambda one: -one[0]):
        if weight > 0 and (language := _spoken(tag)) is not None:
            return language
    return LANGUAGES[0]


def _spoken(tag: str) -> str | None:
    if tag == "en" or tag.startswith("en-"):
        return "en"
    if tag != "zh" and not tag.startswith("zh-"):
        return None
    return "zh-TW" if tag.startswith(_TRADITIONAL) else "zh-CN"


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if not parameters.strip():
        return 1.0
    if name.strip() != "q" or len(value) > 5:
        return 0.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
