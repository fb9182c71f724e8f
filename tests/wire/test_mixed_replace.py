"""Moving pictures as cameras really send them, cut anywhere."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.mixed_replace import (
    MAX_LOOKALIKES,
    MAX_PADDING_BYTES,
    MAX_PART_FIELDS,
    MAX_PART_HEAD_BYTES,
    MAX_PARTS_AT_ONCE,
    MAX_PREAMBLE_BYTES,
    Part,
    PartSplitter,
    boundary_of,
)

LIMIT = 5000


def split(data: bytes, boundary: bytes = b"f", *, step: int = 1 << 20) -> list[Part]:
    splitter = PartSplitter(boundary, max_part_bytes=LIMIT)
    parts: list[Part] = []
    for at in range(0, len(data), step):
        parts += splitter.receive(data[at : at + step])
    return parts


def bodies(data: bytes, boundary: bytes = b"f", *, step: int = 1 << 20) -> list[bytes]:
    return [part.body for part in split(data, boundary, step=step)]


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (b"multipart/x-mixed-replace; boundary=frame", b"frame"),
        (b"multipart/x-mixed-replace;boundary=frame", b"frame"),
        (b"Multipart/X-Mixed-Replace; Boundary=frame", b"frame"),
        (b'multipart/x-mixed-replace; boundary="a b;c"', b"a b;c"),
        (b"multipart/x-mixed-replace; boundary=--myboundary", b"--myboundary"),
        (b"multipart/x-mixed-replace; charset=x; boundary=frame; q=1", b"frame"),
        (b"multipart/x-mixed-replace ; boundary = frame", b"frame"),
        (b"multipart/x-mixed-replace", None),
        (b"multipart/x-mixed-replace; boundary=", None),
        (b'multipart/x-mixed-replace; boundary=""', None),
        (b"multipart/x-mixed-replaced; boundary=frame", None),
        (b"multipart/form-data; boundary=frame", None),
        (b"image/jpeg", None),
        (b"", None),
    ],
)
def test_h15_the_boundary_is_read_as_announced(content_type: bytes, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary


SIZED = b"Content-Type: image/jpeg\r\nContent-Length: 3\r\n\r\n"
TYPED = b"Content-Type: image/jpeg\r\n\r\n"
REAL = {
    "as mjpg-streamer": (b"f", b"--f\r\n%bone\r\n--f\r\n%btwo\r\n--f\r\n" % (SIZED, SIZED)),
    "as an ESP32-CAM: an empty line first": (
        b"f",
        b"\r\n--f\r\n%bone\r\n--f\r\n%btwo\r\n--f\r\n" % (SIZED, SIZED),
    ),
    "without lengths": (b"f", b"--f\r\n%bone\r\n--f\r\n%btwo\r\n--f\r\n" % (TYPED, TYPED)),
    "with bare LF": (
        b"f",
        b"--f\nContent-Type: image/jpeg\n\none\n--f\nContent-Type: image/jpeg\n\ntwo\n--f\n",
    ),
    "with bare LF and lengths": (
        b"f",
        b"--f\nContent-Length: 3\n\none\n--f\nContent-Length: 3\n\ntwo\n--f\n",
    ),
    "announced with its dashes": (b"--f", b"--f\r\n%bone\r\n--f\r\n%btwo\r\n--f\r\n" % (SIZED, SIZED)),
    "announced with its dashes and sent with more": (
        b"--f",
        b"----f\r\n%bone\r\n----f\r\n%btwo\r\n----f\r\n" % (TYPED, TYPED),
    ),
    "no line end after the picture": (b"f", b"--f\r\n%bone--f\r\n%btwo--f\r\n" % (SIZED, SIZED)),
    "blanks after the delimiter": (b"f", b"--f \t\r\n%bone\r\n--f \r\n%btwo\r\n--f\r\n" % (TYPED, TYPED)),
    "a preamble": (b"f", b"hello\r\nworld --f\r\n--f\r\n%bone\r\n--f\r\n%btwo\r\n--f\r\n" % (TYPED, SIZED)),
    "an empty part between": (
        b"f",
        b"--f\r\n%bone\r\n--f\r\n%b\r\n--f\r\n%btwo\r\n--f\r\n" % (TYPED, TYPED, TYPED),
    ),
    "a part of nothing, with its length": (
        b"f",
        b"--f\r\n%bone\r\n--f\r\nContent-Length: 0\r\n\r\n\r\n--f\r\n%btwo\r\n--f\r\n" % (SIZED, SIZED),
    ),
    "parts without fields": (b"f", b"--f\r\n\r\none\r\n--f\r\n\r\ntwo\r\n--f\r\n"),
    "what is nearly the delimiter, in the picture": (
        b"f",
        b"--f\r\n%bone\r\n--f\r\nContent-Length: 3\r\n\r\ntwo\r\n--f\r\n" % SIZED,
    ),
    "closed": (
        b"f",
        b"--f\r\n%bone\r\n--f\r\n%btwo\r\n--f--\r\nepilogue\r\n--f\r\n%bthree\r\n--f\r\n"
        % (TYPED, TYPED, TYPED),
    ),
}


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize("name", REAL)
def test_h15_what_real_cameras_send_is_cut_into_its_parts_wherever_it_is_torn(name: str, step: int) -> None:
    boundary, data = REAL[name]
    assert bodies(data, boundary, step=step) == [b"one", b"two"]


def test_a_picture_may_hold_anything_but_its_delimiter() -> None:
    tricky = b"a--f\r\n\n--fg\r\n--\r\n-\r\n--f-\r\n\r\n--F\r\nb"
    assert bodies(b"--f\r\n%b%b\r\n--f\r\n" % (TYPED, tricky)) == [tricky]
    sized = b"--f\r\nContent-Length: %d\r\n\r\n%b\r\n--f\r\n" % (
        len(tricky) + 7,
        b"x\r\n--f\r\n"[:7] + tricky,
    )
    assert bodies(sized) == [b"x\r\n--f\r\n"[:7] + tricky]


def test_a_part_with_its_length_is_there_before_the_next_one_begins() -> None:
    assert bodies(b"--f\r\n%bone" % SIZED) == [b"one"]
    assert bodies(b"--f\r\n%bone" % TYPED) == []


@pytest.mark.parametrize("step", [1, 5, 1 << 20])
@pytest.mark.parametrize(("length", "first"), [(2, b"tw"), (1, b"t")])
def test_a_length_that_was_too_short_is_believed_no_more(length: int, first: bytes, step: int) -> None:
    wrong = b"--f\r\nContent-Length: %d\r\n\r\ntwo\r\n" % length
    # The first is torn, and from then on the delimiter alone counts.
    assert bodies(wrong * 3 + b"--f\r\n", step=step) == [first, b"two", b"two"]


def test_a_length_that_was_too_long_costs_what_it_covers() -> None:
    wrong = b"--f\r\nContent-Length: 10\r\n\r\ntwo\r\n"
    assert bodies(wrong * 4 + b"--f\r\n")[1:] == [b"two", b"two"]


@pytest.mark.parametrize("length", [b"x", b"-1", b"+3", b"0x3", b"9" * 40, b""])
def test_a_length_that_is_none_is_left_aside(length: bytes) -> None:
    assert bodies(b"--f\r\nContent-Length: %b\r\n\r\none\r\n--f\r\n" % length) == [b"one"]


def test_the_fields_of_a_part_go_on_without_its_length_and_without_what_is_no_field() -> None:
    (part,) = split(
        b"--f\r\nContent-type: Image/JPEG; q=1\r\nX-Timestamp:  5 \r\nno field\r\ncontent-length: 3\r\n"
        b"Bad Name: 1\r\nX-Nul: a\0b\r\n\r\none\r\n--f\r\n"
    )
    assert part.head == b"Content-type: Image/JPEG; q=1\r\nX-Timestamp: 5\r\n"
    assert part.content_type == b"image/jpeg"


def test_h15_a_part_may_be_as_long_as_the_limit_and_no_longer() -> None:
    for fields in (b"", b"Content-Length: %d\r\n"):
        whole = b"x" * LIMIT
        head = fields % LIMIT if fields else b""
        assert bodies(b"--f\r\n%b\r\n%b\r\n--f\r\n" % (head, whole)) == [whole]
        head = fields % (LIMIT + 1) if fields else b""
        with pytest.raises(RemoteProtocolError, match="longer than 5000 bytes"):
            split(b"--f\r\n%b\r\n%b\r\n--f\r\n" % (head, whole + b"x"))


def test_h15_a_part_without_an_end_is_refused_while_it_comes() -> None:
    splitter = PartSplitter(b"f", max_part_bytes=LIMIT)
    splitter.receive(b"--f\r\n\r\n")
    sent = b""
    with pytest.raises(RemoteProtocolError):
        for _ in range(LIMIT):
            sent += b"y" * 10
            splitter.receive(b"y" * 10)
    assert len(sent) <= LIMIT + 100
    # The head of the part is there too, so that what was not handed on can go on as it is.
    assert splitter.unfinished == b"\r\n" + sent


def test_what_does_not_begin_with_the_boundary_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="does not begin"):
        split(b"x" * (MAX_PREAMBLE_BYTES + 1))
    with pytest.raises(RemoteProtocolError, match="does not begin"):
        split(b"--other\r\n\r\n" + b"line\r\n" * 1000)
    assert bodies(b"x" * (MAX_PREAMBLE_BYTES - 2) + b"\r\n--f\r\n\r\none\r\n--f\r\n") == [b"one"]


def test_the_head_of_a_part_has_an_end() -> None:
    with pytest.raises(RemoteProtocolError, match="does not end"):
        split(b"--f\r\nX: " + b"x" * MAX_PART_HEAD_BYTES)


def test_h15_lines_before_the_first_boundary_are_looked_at_once_also_where_they_come_byte_by_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each byte had all lines before it looked at anew: 4 KB cost half a minute."""
    looks, look = 0, PartSplitter._delimiter_end

    def counted(self: PartSplitter, at: int, delimiter: bytes) -> int:
        nonlocal looks
        looks += 1
        return look(self, at, delimiter)

    monkeypatch.setattr(PartSplitter, "_delimiter_end", counted)
    lines = b"\n" * MAX_PREAMBLE_BYTES
    assert split(lines, b"--f", step=1) == []
    assert looks <= 4 * len(lines)
    assert bodies(b"\r\n" * 100 + b"--f\r\n\r\none\r\n--f\r\n", b"--f", step=1) == [b"one"]


def test_h15_a_part_has_few_fields() -> None:
    for count, found in ((MAX_PART_FIELDS, [b"one"]), (MAX_PART_FIELDS + 1, None)):
        data = b"--f\r\n" + b"a: b\r\n" * count + b"\r\none\r\n--f\r\n"
        if found is not None:
            assert bodies(data) == found
            continue
        with pytest.raises(RemoteProtocolError, match="fields"):
            bodies(data)


@pytest.mark.parametrize("part", [b"--f\r\n\r\nx\r\n", b"--f\r\n\r\n"])
def test_h15_parts_that_are_next_to_nothing_are_no_pictures(part: bytes) -> None:
    splitter = PartSplitter(b"f", max_part_bytes=LIMIT)
    for _ in range(3):
        splitter.receive(part * (MAX_PARTS_AT_ONCE - 1))
    assert splitter.part_count >= 3 * (MAX_PARTS_AT_ONCE - 1) - 1
    with pytest.raises(RemoteProtocolError, match="too small"):
        splitter.receive(part * (MAX_PARTS_AT_ONCE + 2))


def test_h15_what_looks_like_the_end_of_a_part_may_be_in_it_but_not_without_end() -> None:
    for count in (MAX_LOOKALIKES, MAX_LOOKALIKES + 1):
        body = b"x" + b"\n--fx" * count
        data = b"--f\r\n\r\n%b\r\n--f\r\n" % body
        if count == MAX_LOOKALIKES:
            assert bodies(data * 2) == [body, body]
            continue
        with pytest.raises(RemoteProtocolError, match="looks like"):
            bodies(data)


def test_blanks_after_a_delimiter_have_an_end() -> None:
    blanks = b" " * MAX_PADDING_BYTES
    assert bodies(b"--f\r\n\r\none\r\n--f%b\r\n\r\n\r\n--f\r\n" % blanks) == [
        b"one\r\n--f%b\r\n\r\n" % blanks
    ]


@given(
    st.lists(
        st.tuples(st.binary(min_size=1, max_size=60), st.booleans(), st.sampled_from([b"\r\n", b"\n"])),
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
def test_any_parts_come_out_as_they_went_in_however_they_are_torn(
    parts: list[tuple[bytes, bool, bytes]], chance: random.Random
) -> None:
    # A trailing line end would belong to the delimiter, where no length says otherwise.
    wanted = [body.replace(b"--bound", b"").rstrip(b"\r\n") or b"-" for body, _, _ in parts]
    data = b"--bound\r\n"
    for body, (_, sized, end) in zip(wanted, parts, strict=True):
        length = b"Content-Length: %d%b" % (len(body), end) if sized else b""
        data += b"Content-Type: image/jpeg%b%b%b%b%b--bound%b" % (end, length, end, body, end, end)
    splitter = PartSplitter(b"bound", max_part_bytes=LIMIT)
    found: list[bytes] = []
    while data:
        size = chance.randint(1, 40)
        found += [part.body for part in splitter.receive(data[:size])]
        data = data[size:]
    assert found == [body for body in wanted if not _looks_empty(body)]


def _looks_empty(body: bytes) -> bool:
    return not body


@given(
    st.lists(
        st.sampled_from([b"--f", b"\r\n", b"\n", b"\r", b"-", b" ", b"x", b"Content-Length: 2", b"\r\n\r\n"])
    )
)
def test_tearing_never_changes_what_is_found(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert bodies(data) == bodies(data, step=1)
