"""What is missing of a file, and what a device's words come to. Whole pushes are in test_model_loads.py."""

from hypothesis import given
from hypothesis import strategies as st
from visiona.relay.model_push import MAX_PART_BYTES, MIN_PART_BYTES, Span, _parts, missing, payload, refused

SIZE = 1000

edges = st.integers(-50, SIZE + 50)
spans = st.lists(st.builds(Span, edges, edges), max_size=20)


@given(spans)
def test_what_is_missing_is_exactly_what_is_not_there_whatever_a_device_says(received: list[Span]) -> None:
    there = {at for span in received for at in range(max(0, span.start), min(SIZE, span.end))}
    gaps = missing(received, SIZE)
    assert [at for span in gaps for at in range(span.start, span.end)] == sorted(set(range(SIZE)) - there)
    assert all(span.start < span.end for span in gaps)


def test_parts_are_no_smaller_than_worth_a_round_trip_and_no_larger_than_is_good_to_lose() -> None:
    for size, streams in (
        (1, 4),
        (MIN_PART_BYTES + 1, 4),
        (8_000_000, 4),
        (100_000_000, 4),
        (100_000_000, 1),
    ):
        parts = _parts([Span(0, size)], streams)
        assert [part.start for part in parts] == [0, *(part.end for part in parts[:-1])]
        assert parts[-1].end == size
        assert all(part.end - part.start <= MAX_PART_BYTES for part in parts)
        assert all(part.end - part.start >= MIN_PART_BYTES for part in parts[:-1])
    assert len(_parts([Span(0, 8_000_000)], 4)) == 4


def test_an_agents_words_cannot_break_a_line() -> None:
    said = refused(413, {"error": {"message": "no\r\nX: y\x1b[31m" + "z" * 1000}}, "refuses the model")
    assert said.message.isprintable()
    assert len(said.message) < 300
    assert "without a reason" in refused(500, ["?"], "refuses the model").message
    assert payload({"data": [1]}) == payload("x") == payload(None) == {}
