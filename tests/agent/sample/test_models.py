import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from visiona.agent.sample.accelerators import Refused
from visiona.agent.sample.models import MAX_FILES, Models, Span, joined, span_of

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


async def pieces(data: bytes) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(data), 1000):
        yield data[at : at + 1000]


async def bring(models: Models, start: int, end: int, content: bytes = CONTENT) -> None:
    await models.write(SHA256, Span(start, end), len(content), pieces(content[start:end]))


async def test_ranges_come_in_any_order_and_again_and_make_a_model() -> None:
    models = Models()
    await bring(models, 5000, 10240)
    await bring(models, 0, 3000)
    assert models.received(SHA256).spans == [Span(0, 3000), Span(5000, 10240)]
    with pytest.raises(Refused, match="not all"):
        await models.finish(SHA256, "detector")
    await bring(models, 2000, 6000)
    with pytest.raises(Refused, match="no model"):
        models.model(SHA256)
    held = await models.finish(SHA256, "detector")
    assert held.path.read_bytes() == CONTENT
    assert models.model(SHA256).name == "detector"
    await bring(models, 0, 100, b"\0" * len(CONTENT))
    assert held.path.read_bytes() == CONTENT, "a model does not change any more"


async def test_m10_another_file_than_was_said_is_no_model_and_is_forgotten() -> None:
    models = Models()
    await bring(models, 0, len(CONTENT), b"\0" * len(CONTENT))
    with pytest.raises(Refused) as refused:
        await models.finish(SHA256, "detector")
    assert refused.value.status == 422
    with pytest.raises(Refused):
        models.received(SHA256)


@pytest.mark.parametrize("sent", [50, 150])
async def test_another_length_than_was_said_is_refused(sent: int) -> None:
    with pytest.raises(Refused, match="came than was said"):
        async with aclosing(pieces(CONTENT[:sent])) as some:
            await Models().write(SHA256, Span(0, 100), len(CONTENT), some)


async def test_the_oldest_makes_room() -> None:
    models = Models()
    digests = [hashlib.sha256(bytes([number])).hexdigest() for number in range(MAX_FILES + 1)]
    for digest in digests:
        await models.write(digest, Span(0, 1), 2, pieces(b"x"))
    with pytest.raises(Refused):
        models.received(digests[0])
    assert models.received(digests[1]).spans == [Span(0, 1)]
    with pytest.raises(Refused, match="SHA-256"):
        await models.write("../../x", Span(0, 1), 2, pieces(b"x"))


@pytest.mark.parametrize(
    "text", [None, "", "bytes 0-9/*", "bytes 9-0/10", "bytes 0-10/10", "bytes 0-1/99999999999"]
)
def test_what_is_no_content_range_is_refused(text: str | None) -> None:
    with pytest.raises(Refused):
        span_of(text)


def test_spans_are_joined() -> None:
    assert span_of("bytes 0-9/10") == (Span(0, 10), 10)
    assert joined([Span(5, 6), Span(0, 2), Span(2, 4), Span(1, 3)]) == [Span(0, 4), Span(5, 6)]
