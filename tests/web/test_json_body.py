"""H-19: JSON that two parsers could read differently, or that costs more to read than to send."""

import time

import pytest
from visiona.domain.errors import Invalid
from visiona.web.json_body import Fields, parse_fields

from tests.web.world import World

HOSTILE = {
    "deep list": b"[" * 100_000,
    "deep list, closed": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": -Infinity}',
    "number without end": b'{"a": 1e999}',
    "big integer": b'{"a": ' + b"9" * 500_000 + b"}",
    "integer beyond 64 bits": b'{"a": 9223372036854775808}',
    "duplicate keys": b'{"name": "a", "name": "b"}',
    "duplicate keys inside": b'{"x": [{"name": "a", "name": "b"}]}',
    "invalid UTF-8": b'{"name": "\xff"}',
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"name": "a"}',
    "half a character": b'{"name": "\\ud800"}',
    "half a character in a key": b'{"\\udfff": 1}',
    "a list": b"[]",
    "a text": b'"name"',
    "null": b"null",
    "two values": b'{"name": "a"} {"name": "b"}',
    "comment": b'{"name": "a"} // yes',
    "single quotes": b"{'name': 'a'}",
    "control character": b'{"name": "a\nb"}',
    "NUL": b'{"name": "a"}\x00',
    "nothing": b"",
    "a megabyte of key": b'{"' + b"k" * 1_000_000 + b'": 1',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_h19_is_refused_in_bounded_time(body: bytes) -> None:
    begin = time.perf_counter()
    with pytest.raises(Invalid):
        parse_fields(body, "application/json")
    assert time.perf_counter() - begin < 2.0


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_h19_is_400_in_an_envelope(body: bytes) -> None:
    world = World()
    answer = await world.ask(
        "POST", "/api/pairing/exchange", data=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "text/json",
    ],
)
def test_h19_another_content_type_is_refused(kind: str | None) -> None:
    with pytest.raises(Invalid, match="Content-Type"):
        parse_fields(b'{"name": "a"}', kind)


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_json_whatever_the_case(kind: str) -> None:
    assert parse_fields(b'{"name": "\\u00e4"}', kind).text("name") == "ä"


def test_an_empty_body_is_an_empty_object_where_that_is_allowed() -> None:
    assert parse_fields(b" ", None, optional=True).text_or_none("name") is None
    with pytest.raises(Invalid):
        parse_fields(b"{", None, optional=True)


def test_fields_have_types() -> None:
    fields = Fields(
        {
            "text": "a",
            "number": 3,
            "truth": True,
            "list": ["a"],
            "mixed": ["a", 1],
            "null": None,
            "long": "x" * 5000,
        }
    )
    assert fields.text("text") == "a"
    assert fields.integer_or_none("number") == 3
    assert fields.texts_or_none("list") == ["a"]
    assert (
        fields.text_or_none("null")
        is fields.integer_or_none("absent")
        is fields.texts_or_none("absent")
        is None
    )
    assert fields.has("null")
    assert not fields.has("absent")
    for ask, name in (
        (fields.text, "null"),
        (fields.text, "number"),
        (fields.text, "long"),
        (fields.integer_or_none, "truth"),
        (fields.integer_or_none, "text"),
        (fields.texts_or_none, "mixed"),
        (fields.texts_or_none, "text"),
    ):
        with pytest.raises(Invalid, match=name):
            ask(name)
