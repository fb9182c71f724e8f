from enum import Enum
from typing import Annotated, Literal, NotRequired, TypedDict

import pytest
from visiona.web.json_schema import Says, Schema, Schemas


class Colour(Enum):
    RED = "red"


class Leaf(TypedDict):
    """A leaf."""

    size: int


class Tree(TypedDict):
    leaves: list[Leaf]
    colour: NotRequired[Colour]
    above: NotRequired["Tree"]


def schemas(*, is_closed: bool = True) -> Schemas:
    return Schemas({}, is_closed=is_closed)


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Literal["a", "b"], {"enum": ["a", "b"]}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Colour, {"type": "string", "enum": ["red"]}),
        (Annotated[int, Says(minimum=0, maximum=3)], {"type": "integer", "minimum": 0, "maximum": 3}),
        (
            Annotated[str, Says(format="uuid", example="x")],
            {"type": "string", "format": "uuid", "examples": ["x"]},
        ),
    ],
)
def test_a_type_is_spelled_as_schema(kind: object, schema: Schema) -> None:
    assert schemas().of(kind) == schema


def test_an_object_stands_once_under_its_name() -> None:
    made = schemas()
    assert made.of(Tree) == made.of(Tree) == {"$ref": "#/components/schemas/Tree"}
    assert made.named["Leaf"] == {
        "type": "object",
        "properties": {"size": {"type": "integer"}},
        "required": ["size"],
        "additionalProperties": False,
        "description": "A leaf.",
    }
    assert made.named["Tree"]["required"] == ["leaves"]
    assert made.named["Tree"]["properties"]["above"] == {"$ref": "#/components/schemas/Tree"}


def test_what_we_are_told_may_have_more_fields_than_we_know() -> None:
    made = schemas(is_closed=False)
    made.of(Leaf)
    assert "additionalProperties" not in made.named["Leaf"]


def test_the_fields_of_a_query_say_which_must_be_there() -> None:
    assert schemas().fields(Tree)["leaves"][1] is True
    assert schemas().fields(Tree)["colour"] == ({"type": "string", "enum": ["red"]}, False)


def test_a_type_that_is_not_known_is_an_error_where_the_document_is_made() -> None:
    with pytest.raises(TypeError, match="bytes"):
        schemas().of(bytes)
