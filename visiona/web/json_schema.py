"""Types of Python's as JSON Schema (2020-12, as OpenAPI 3.1 has it): TypedDicts, lists, texts and numbers.

The shapes of the API (shapes.py) are written as types; this says the same to programs. What it does not know is an
error where the document is made, not a gap in it.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, is_typeddict

Schema = dict[str, object]

_WORDS: Mapping[object, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    object: {},
}


@dataclass(frozen=True)
class Says:
    """What a type alone does not say; each that is given becomes the keyword of that name."""

    format: str | None = None
    pattern: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    description: str | None = None
    example: object = None

    def keywords(self) -> Schema:
        """As JSON Schema spells them."""
        named = {
            "format": self.format,
            "pattern": self.pattern,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "minLength": self.min_length,
            "maxLength": self.max_length,
            "description": self.description,
            "examples": [self.example] if self.example is not None else None,
        }
        return {name: value for name, value in named.items() if value is not None}


class Schemas:
    """Schemas by the names of their types, as they are met.

    Args:
        is_closed: whether an object may have no other fields than those that are named. True for what we say, False for
            what we are told: fields that we do not know are passed over.
    """

    def __init__(self, named: dict[str, Schema], *, is_closed: bool) -> None:
        self.named = named
        self._is_closed = is_closed

    def of(self, kind: Any) -> Schema:  # noqa: ANN401 - any type of Python's
        """The schema of a type; TypedDicts by reference. TypeError for a type that is not known here."""
        if kind in _WORDS:
            return dict(_WORDS[kind])
        if is_typeddict(kind):
            return self._reference(kind)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {"type": "string", "enum": [each.value for each in kind]}
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Annotated:
            (says,) = (each for each in arguments[1:] if isinstance(each, Says))
            return {**self.of(arguments[0]), **says.keywords()}
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if origin in {Union, types.UnionType}:
            return {"anyOf": [self.of(each) for each in arguments]}
        raise TypeError(f"no schema is known for {kind!r}")

    def fields(self, kind: type) -> dict[str, tuple[Schema, bool]]:
        """The fields of a TypedDict: schema, and whether it must be there."""
        hints = typing.get_type_hints(kind, include_extras=True)
        needed: frozenset[str] = vars(kind)["__required_keys__"]
        return {name: (self.of(_bare(hint)), name in needed) for name, hint in hints.items()}

    def _reference(self, kind: type) -> Schema:
        name = kind.__name__
        if name not in self.named:
            self.named[name] = {}  # so that one that holds itself ends
            self.named[name] = self._object(kind)
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, kind: type) -> Schema:
        fields = self.fields(kind)
        schema: Schema = {
            "type": "object",
            "properties": {name: field for name, (field, _) in fields.items()},
            "required": [name for name, (_, is_needed) in fields.items() if is_needed],
        }
        if self._is_closed:
            schema["additionalProperties"] = False
        if (text := (kind.__doc__ or "").strip()) and not text.startswith("dict("):
            schema["description"] = text
        return schema


def _bare(hint: Any) -> Any:  # noqa: ANN401 - any type of Python's
    """Without the word for a field that may be absent."""
    return get_args(hint)[0] if get_origin(hint) in {typing.NotRequired, typing.Required} else hint
