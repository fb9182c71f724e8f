"""The encoder against a decoder of its own kind: flat tiles only, written from the standard's other side."""

import random

import pytest
from visiona.agent.sample.jpeg import TILE, Colour, encode

GREY = [(value, value, value) for value in (0, 1, 64, 127, 128, 129, 200, 255)]


def segments(picture: bytes) -> tuple[dict[int, list[bytes]], bytes]:
    """marker → bodies, and the entropy-coded data."""
    assert picture[:2] == b"\xff\xd8"
    assert picture[-2:] == b"\xff\xd9"
    at, found = 2, {}
    while True:
        assert picture[at] == 0xFF
        marker, length = picture[at + 1], int.from_bytes(picture[at + 2 : at + 4])
        found.setdefault(marker, []).append(picture[at + 4 : at + 2 + length])
        at += 2 + length
        if marker == 0xDA:
            return found, picture[at:-2].replace(b"\xff\0", b"\xff")


def codes_of(table: bytes) -> dict[str, int]:
    codes, code, symbols = {}, 0, iter(table[17:])
    for length, count in enumerate(table[1:17], start=1):
        for _ in range(count):
            codes[f"{code:0{length}b}"] = next(symbols)
            code += 1
        code <<= 1
    return codes


def decode(picture: bytes) -> list[list[tuple[int, int, int]]]:
    """Rows of (Y, Cb, Cr) per tile."""
    found, data = segments(picture)
    frame = found[0xC0][0]
    rows, columns = int.from_bytes(frame[1:3]) // TILE, int.from_bytes(frame[3:5]) // TILE
    dc, ac = (codes_of(table) for table in found[0xC4])
    assert ac == {"0": 0}
    quantum = found[0xDB][0][1]
    bits = "".join(f"{byte:08b}" for byte in data)
    at, values, before = 0, [], [0, 0, 0]
    for index in range(rows * columns * 3):
        end = at + 1
        while bits[at:end] not in dc:
            end += 1
        size = dc[bits[at:end]]
        word, at = bits[end : end + size], end + size
        difference = int(word, 2) - (0 if word[0] == "1" else (1 << size) - 1) if size else 0
        assert bits[at] == "0"
        at += 1
        before[index % 3] += difference
        values.append(before[index % 3] * quantum // 8 + 128)
    assert set(bits[at:]) <= {"1"}
    assert len(bits) - at < 8
    tiles = [tuple(values[index : index + 3]) for index in range(0, len(values), 3)]
    return [tiles[row * columns : (row + 1) * columns] for row in range(rows)]


@pytest.mark.parametrize("columns", [1, 2, 8])
def test_grey_comes_back_as_it_was(columns: int) -> None:
    tiles: list[list[Colour]] = [GREY[start : start + columns] for start in range(0, len(GREY), columns)]
    assert decode(encode(tiles)) == [[(value[0], 128, 128) for value in row] for row in tiles]


def test_colours_come_back_within_rounding() -> None:
    rows = decode(encode([[(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 196, 0)]]))
    for (luma, blue, red), (r, g, b) in zip(
        rows[0], [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 196, 0)], strict=True
    ):
        assert luma + 1.402 * (red - 128) == pytest.approx(r, abs=4)
        assert luma - 0.344 * (blue - 128) - 0.714 * (red - 128) == pytest.approx(g, abs=4)
        assert luma + 1.772 * (blue - 128) == pytest.approx(b, abs=4)


def test_the_frame_says_its_size_in_pixels() -> None:
    frame = segments(encode([[(0, 0, 0)] * 5] * 3))[0][0xC0][0]
    assert (int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])) == (3 * TILE, 5 * TILE)


def test_the_data_holds_no_marker() -> None:
    chance = random.Random(2)
    corners = [0, 255]
    stuffed = 0
    for _ in range(50):
        row: list[Colour] = [
            (chance.choice(corners), chance.choice(corners), chance.choice(corners)) for _ in range(64)
        ]
        picture = encode([row])
        data = picture[picture.index(b"\xff\xda") + 14 : -2]
        assert data.count(b"\xff") == data.count(b"\xff\0")
        stuffed += data.count(b"\xff")
        assert len(decode(picture)[0]) == 64
    assert stuffed > 0
