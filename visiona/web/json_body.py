"""JSON from outside: read strictly, in bounded time, into fields of known types (H-19).

What two parsers could read differently is refused rather than guessed at: duplicate keys, NaN, numbers beyond 64 bits,
half characters, a byte order mark. The body's size was limited before it comes here.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import NoReturn

from quart import request

from visiona.domain.errors import Invalid
from visiona.web.guards import need_same_rights

MAX_INTEGER = 2**63 - 1
MAX_TEXT_CHARACTERS = 4096
"""No field of ours needs more; the finer limits are where the field is used."""


class Fields:
    """The fields of one JSON object. Unknown ones are ignored, as the existing clients expect."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        """Whether the field is there at all, also with null."""
        return name in self._values

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self.text_or_none(name)
        if value is None:
            raise Invalid(f"{name}: this field is needed")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text, or None where the field is absent or null."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise Invalid(f"{name}: write a text")
        if len(value) > MAX_TEXT_CHARACTERS:
            raise Invalid(f"{name}: at most {MAX_TEXT_CHARACTERS} characters")
        return value

    def integer_or_none(self, name: str) -> int | None:
        """A whole number, or None where the field is absent or null."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise Invalid(f"{name}: write a whole number")
        return value

    def texts_or_none(self, name: str) -> Sequence[str] | None:
        """A list of texts, or None where the field is absent or null."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Invalid(f"{name}: write a list of texts")
        return value

    def numbers_or_none(self, name: str) -> Mapping[str, float] | None:
        """An object of numbers, or None where the field is absent or null."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict) or not all(_is_number(item) for item in value.values()):
            raise Invalid(f"{name}: write an object of numbers")
        return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


async def body_fields(*, optional: bool = False) -> Fields:
    """The fields of the current request's body; see `parse_fields`."""
    body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    await need_same_rights()
    return parse_fields(body, request.content_type, optional=optional)


def parse_fields(body: bytes, content_type: str | None, *, optional: bool = False) -> Fields:
    """Reads a request body as one JSON object.

    Args:
        body: the whole body.
        content_type: the header; JSON, or absent with an empty body.
        optional: an empty body counts as an empty object.

    Raises:
        Invalid: what is wrong with it.
    """
    if not body.strip() and optional:
        return Fields({})
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Invalid("send the body as JSON, with Content-Type: application/json")
    value = _parse(body)
    if not isinstance(value, dict):
        raise Invalid("the body must be a JSON object")
    return Fields(value)


def _parse(body: bytes) -> object:
    try:
        text = body.decode("utf-8")
        value: object = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_float,
        )
        if "\\u" in text:
            # An escape can spell half a character, which no UTF-8 can hold, nor any store.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("the body is not valid UTF-8") from None
    except UnicodeEncodeError:
        raise Invalid("the body has a \\u escape that is half a character") from None
    except RecursionError:
        raise Invalid("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Invalid(f"the body is not valid JSON: {error.msg} at character {error.pos}") from None
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Invalid("the body has the same key twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise Invalid(f"the body holds {name}, which is not JSON")


def _integer(digits: str) -> int:
    # The length first: turning a million digits into a number takes quadratic time.
    if len(digits) > 20 or abs(int(digits)) > MAX_INTEGER:
        raise Invalid("the body has a number beyond 64 bits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Invalid("the body has a number that is too large")
    return value
