import itertools

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visiona.wire.errors import LocalProtocolError, RemoteProtocolError
from visiona.wire.http1.body import MAX_CHUNK_LINE_BYTES, MAX_TRAILER_BYTES, BodyReader, chunk, last_chunk
from visiona.wire.http1.fields import Header
from visiona.wire.http1.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, Sized
from visiona.wire.http1.head import MAX_HEADERS

from tests.wire.http1.support import ODD_BYTES


def read_in_pieces(reader: BodyReader, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """The body, and what was left of the pieces."""
    body = b""
    for index, piece in enumerate(pieces):
        parts, consumed = reader.receive(piece)
        assert all(parts)
        body += b"".join(parts)
        assert consumed == len(piece) or reader.done
        if reader.done:
            return body, piece[consumed:] + b"".join(pieces[index + 1 :])
    return body, b""


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def test_no_body_takes_nothing() -> None:
    reader = BodyReader(NO_BODY)
    assert reader.done
    assert reader.receive(b"GET /next") == ([], 0)
    reader.end_of_stream()


def test_a_sized_body_ends_at_its_length_and_leaves_the_next_request() -> None:
    reader = BodyReader(Sized(5))
    assert reader.receive(b"ab") == ([b"ab"], 2)
    assert not reader.done
    assert reader.receive(b"") == ([], 0)
    assert reader.receive(memoryview(b"cdeGET /")) == ([b"cde"], 3)
    assert reader.done
    assert reader.receive(b"GET /") == ([], 0)
    reader.end_of_stream()


def test_an_empty_sized_body_is_done_at_once() -> None:
    assert BodyReader(Sized(0)).done


def test_a_body_until_the_close_is_done_at_the_close() -> None:
    reader = BodyReader(UNTIL_CLOSE)
    assert reader.receive(b"abc") == ([b"abc"], 3)
    assert reader.receive(b"") == ([], 0)
    assert not reader.done
    reader.end_of_stream()
    assert reader.done


@pytest.mark.parametrize(
    ("framing", "data"), [(Sized(5), b"abcd"), (CHUNKED, b"3\r\nabc\r\n"), (CHUNKED, b"0\r\n")]
)
def test_t33_a_body_that_is_short_is_an_error_and_not_an_end(framing: Framing, data: bytes) -> None:
    reader = BodyReader(framing)
    reader.receive(data)
    with pytest.raises(RemoteProtocolError) as caught:
        reader.end_of_stream()
    assert caught.value.kind == "truncated"


def test_chunks_come_out_as_they_arrive() -> None:
    reader = BodyReader(CHUNKED)
    assert reader.receive(b"5\r\nab") == ([b"ab"], 5)
    assert reader.receive(b"c") == ([b"c"], 1)
    assert reader.receive(b'de\r\n3;x="y"\r\nfgh\r\n') == ([b"de", b"fgh"], 18)
    assert reader.receive(b"0\r\nX-Sum: 1\r\n\r\nGET /") == ([], 15)
    assert reader.done
    assert reader.trailers == ((b"X-Sum", b"1"),)


BODY = b"5\r\nabcde\r\n00a;x\r\n0123456789\r\nA\r\nABCDEFGHIJ\r\n0\r\nX-Sum: 1\r\nX-More:\r\n\r\n"


@pytest.mark.parametrize("place", range(len(BODY) + 1))
def test_t36_chunks_may_be_cut_at_every_byte(place: int) -> None:
    reader = BodyReader(CHUNKED)
    assert read_in_pieces(reader, [BODY[:place], BODY[place:] + b"NEXT"]) == (
        b"abcde0123456789ABCDEFGHIJ",
        b"NEXT",
    )
    assert reader.trailers == ((b"X-Sum", b"1"), (b"X-More", b""))


def test_t36_chunks_may_come_byte_by_byte() -> None:
    reader = BodyReader(CHUNKED)
    assert read_in_pieces(reader, cut(BODY, list(range(len(BODY))))) == (b"abcde0123456789ABCDEFGHIJ", b"")
    assert reader.done


BROKEN = {
    "h01_bare_lf_after_the_size": b"5\nabcde\r\n0\r\n\r\n",
    "h01_bare_cr_after_the_size": b"5\rabcde\r\n0\r\n\r\n",
    "h01_space_after_the_size": b"5 \r\nabcde\r\n0\r\n\r\n",
    "h01_space_before_the_size": b" 5\r\nabcde\r\n0\r\n\r\n",
    "h01_plus": b"+5\r\nabcde\r\n0\r\n\r\n",
    "h01_minus": b"-5\r\nabcde\r\n0\r\n\r\n",
    "h01_0x": b"0x5\r\nabcde\r\n0\r\n\r\n",
    "h01_underscore": b"1_0\r\n",
    "h01_no_size": b"\r\nabcde\r\n0\r\n\r\n",
    "h01_only_an_extension": b";x\r\nabcde\r\n",
    "h01_size_of_2_63": b"8000000000000000\r\n",
    "h01_size_overflow_17_digits": b"10000000000000005\r\nabcde\r\n0\r\n\r\n",
    "h01_lf_in_the_extension_cve_2025_22871": b"5;a\nb\r\nabcde\r\n0\r\n\r\n",
    "h01_lf_ends_the_extension_cve_2025_55315": b"5;\nabcde\r\n0\r\n\r\n",
    "h01_cr_in_the_extension_cve_2025_55315": b"5;a\rb\r\nabcde\r\n0\r\n\r\n",
    "h01_nul_in_the_extension": b"5;a\0b\r\nabcde\r\n",
    "h01_terminator_is_any_two_bytes_cve_2025_43859": b"5\r\nabcdeXX0\r\n\r\n",
    "h01_terminator_is_lf_cve_2025_43859": b"5\r\nabcde\n0\r\n\r\n",
    "h01_terminator_is_cr_x_cve_2025_43859": b"5\r\nabcde\rX0\r\n\r\n",
    "h01_terminator_is_missing_cve_2025_43859": b"5\r\nabcde0\r\n\r\n",
    "h01_last_chunk_ended_by_lf": b"0\r\n\n",
    "h01_trailer_ended_by_lf": b"0\r\nX-A: 1\n\r\n",
    "h01_trailer_with_a_bare_cr": b"0\r\nX-A: 1\r2\r\n\r\n",
    "h01_trailer_without_a_colon": b"0\r\nX-A\r\n\r\n",
    "h01_trailer_with_a_space_before_the_colon": b"0\r\nX-A : 1\r\n\r\n",
    "h01_trailer_folded": b"0\r\nX-A: 1\r\n 2\r\n\r\n",
    "h01_trailer_with_nul": b"0\r\nX-A: \0\r\n\r\n",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 1000])
def test_a_chunk_that_two_parsers_could_cut_differently_is_refused(data: bytes, piece_bytes: int) -> None:
    reader = BodyReader(CHUNKED)
    with pytest.raises(RemoteProtocolError) as caught:
        read_in_pieces(reader, [data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)])
    assert (caught.value.kind, caught.value.status) in {("chunk", 400), ("field", 400)}
    assert not reader.done


def test_the_largest_size_is_waited_for_without_memory() -> None:
    reader = BodyReader(CHUNKED)
    assert reader.receive(b"7fffffffffffffff\r\nab") == ([b"ab"], 20)


@pytest.mark.parametrize("piece_bytes", [1, 10_000])
def test_an_extension_at_the_limit_is_skipped_and_beyond_it_refused(piece_bytes: int) -> None:
    def read(extension_bytes: int) -> None:
        data = b"1;" + b"x" * extension_bytes + b"\r\na\r\n"
        reader = BodyReader(CHUNKED)
        for at in range(0, len(data), piece_bytes):
            reader.receive(data[at : at + piece_bytes])

    read(MAX_CHUNK_LINE_BYTES - 2)
    with pytest.raises(RemoteProtocolError):
        read(MAX_CHUNK_LINE_BYTES - 1)


def test_t50_trailers_are_limited_in_number_and_in_bytes() -> None:
    reader = BodyReader(CHUNKED)
    reader.receive(b"0\r\n" + b"X: 1\r\n" * MAX_HEADERS)
    with pytest.raises(RemoteProtocolError):
        reader.receive(b"X: 1\r\n")
    reader = BodyReader(CHUNKED)
    with pytest.raises(RemoteProtocolError) as caught:
        reader.receive(b"0\r\nX: " + b"a" * MAX_TRAILER_BYTES)
    assert caught.value.status == 431
    reader = BodyReader(CHUNKED)
    reader.receive(b"0\r\nX: " + b"a" * (MAX_TRAILER_BYTES - 5) + b"\r\n")
    with pytest.raises(RemoteProtocolError):
        reader.receive(b"Y: 1\r\n")


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(0, 300), max_size=8))
def test_what_we_write_is_read_back_wherever_it_is_cut(pieces: list[bytes], places: list[int]) -> None:
    trailers = ((b"X-A", b"1"), (b"X-B", b""))
    data = b"".join(map(chunk, pieces)) + last_chunk(trailers)
    reader = BodyReader(CHUNKED)
    assert read_in_pieces(reader, cut(data, places)) == (b"".join(pieces), b"")
    assert reader.done
    assert reader.trailers == trailers


def test_an_empty_piece_is_no_chunk() -> None:
    assert chunk(b"") == b""
    assert last_chunk() == b"0\r\n\r\n"


@pytest.mark.parametrize(
    "trailer", [(b"X A", b"1"), (b"X", b"1\r\nY: 2"), (b"", b"1"), (b"X", b" 1"), (b"X:", b"1")]
)
def test_h03_a_trailer_that_would_be_read_back_differently_is_not_written(trailer: Header) -> None:
    with pytest.raises(LocalProtocolError):
        last_chunk((trailer,))


def h11_body(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]] | None:
    """The body and trailers, if h11 reads these bytes as one whole chunked body and nothing more."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    body = b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return (
                    (body, [(name, value) for name, value in event.headers])
                    if not connection.trailing_data[0]
                    else None
                )
            elif event is h11.NEED_DATA:
                return None
    except h11.RemoteProtocolError:
        return None


_SPOILT = st.builds(
    lambda pieces, extension, trailer, at, gone, odd: (
        (
            whole := b"".join(b"%x%b\r\n%b\r\n" % (len(p), extension, p) for p in pieces)
            + b"0\r\n"
            + trailer
            + b"\r\n"
        )[: int(at * len(whole))]
        + odd
        + whole[int(at * len(whole)) + gone :]
    ),
    st.lists(st.binary(min_size=1, max_size=12), max_size=3),
    st.sampled_from([b"", b";a", b';a="b"', b" ", b"\t;a"]),
    st.sampled_from([b"", b"X-A: 1\r\n", b"X: a\r\n b\r\n"]),
    st.floats(0, 1),
    st.integers(0, 2),
    st.one_of(st.just(b""), ODD_BYTES, st.sampled_from([b"0", b"1", b"a", b";"])),
)


@given(_SPOILT, st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=500, deadline=None)
def test_h01_what_we_read_as_a_chunked_body_h11_reads_the_same(data: bytes, places: list[int]) -> None:
    reader = BodyReader(CHUNKED)
    try:
        body, rest = read_in_pieces(reader, cut(data, places))
    except RemoteProtocolError:
        return
    if reader.done and not rest:
        assert h11_body(data) == (body, [(name.lower(), value) for name, value in reader.trailers])
