"""Throws bytes at the reader of moving pictures.

Only RemoteProtocolError may come out of it, what it holds stays bounded, and a body that is cut anywhere has the same
parts. What it hands on can be read back.
"""

import random
import sys

from harness.rounds import run_rounds
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.mixed_replace import (
    MAX_PART_HEAD_BYTES,
    MAX_PREAMBLE_BYTES,
    Part,
    PartSplitter,
    boundary_of,
)

LIMIT = 300
PIECES = [
    *(
        b"--f",
        b"f",
        b"\r\n",
        b"\n",
        b"\r",
        b"-",
        b"--",
        b" ",
        b"\t",
        b"\0",
        b"\xff\xd8",
        b"\xff\xd9",
        b"x" * 50,
    ),
    *(
        b"Content-Length: 3",
        b"Content-Length: 0",
        b"content-length: 400",
        b"Content-Type: image/jpeg",
        b":",
        b"abc",
    ),
    *(b"\r\n\r\n", b"\r\n--f\r\n", b"\n--f\n", b"--f\r\nContent-Length: 3\r\n\r\nabc\r\n", b"--f--"),
]
TYPES = [
    b"multipart/x-mixed-replace; boundary=",
    b'"',
    b";",
    b"f",
    b" ",
    b"boundary",
    b"=",
    b"\xff",
    b"a" * 210,
]


def split(data: bytes, boundary: bytes, cuts: list[int]) -> tuple[list[Part], bool]:
    """The parts, and whether it was refused."""
    splitter, parts = PartSplitter(boundary, max_part_bytes=LIMIT), []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        try:
            parts += splitter.receive(data[start:end])
        except RemoteProtocolError:
            return parts, True
        held = len(splitter.unfinished)
        assert held <= max(MAX_PREAMBLE_BYTES, MAX_PART_HEAD_BYTES + LIMIT) + (end - start) + 100, held
    return parts, False


def one_round(chance: random.Random) -> None:
    """One body, whole and torn."""
    boundary_of(b"".join(chance.choices(TYPES, k=chance.randint(0, 6))))
    boundary = chance.choice([b"f", b"--f", b"-", b"\xff\xd9"])
    data = b"--f\r\n" * chance.randint(0, 1) + b"".join(chance.choices(PIECES, k=chance.randint(0, 60)))
    cuts = sorted(chance.randint(0, len(data)) for _ in range(chance.randint(0, 20)))
    whole, torn = split(data, boundary, []), split(data, boundary, cuts)
    # What is refused may have been refused before the parts of the same piece were handed on.
    if not whole[1] or not torn[1]:
        assert whole == torn, (whole, torn)
    for part in torn[0]:
        assert 0 < len(part.body) <= LIMIT
        again = b"--f\r\n%bContent-Length: %d\r\n\r\n%b\r\n--f\r\n" % (part.head, len(part.body), part.body)
        assert split(again, b"f", [])[0] == [part]


if __name__ == "__main__":
    sys.exit(run_rounds([one_round]))
