"""A baseline JPEG of flat 8×8 tiles (ITU-T T.81), written without any imaging library.

Each tile is one colour, so each block is one DC coefficient and an end of block; that is all of the standard this
needs. The DC table is the one of its Annex K.3.1; the AC table has one code, for the end of block.
"""

from collections.abc import Sequence
from itertools import chain

TILE = 8
Colour = tuple[int, int, int]

_DC_COUNTS = (0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)
_DC_CATEGORIES = tuple(range(12))
_AC_COUNTS = (1, *(0,) * 15)
_END_OF_BLOCK = "0"
_DC_QUANTUM = 8
"""A flat tile's DC coefficient is 8 × (value − 128); divided by this, it is the value itself."""


def encode(tiles: Sequence[Sequence[Colour]]) -> bytes:
    """The picture of these rows of red-green-blue tiles. All rows are equally long; at most 8191 each way."""
    return b"".join((b"\xff\xd8", _tables(), _frame(len(tiles[0]), len(tiles)), _scan(tiles), b"\xff\xd9"))


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body


def _tables() -> bytes:
    jfif = _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    quanta = _segment(0xDB, bytes((0, _DC_QUANTUM, *(1,) * 63)))
    dc = _segment(0xC4, bytes((0x00, *_DC_COUNTS, *_DC_CATEGORIES)))
    ac = _segment(0xC4, bytes((0x10, *_AC_COUNTS, 0x00)))
    return jfif + quanta + dc + ac


def _frame(columns: int, rows: int) -> bytes:
    components = bytes(chain.from_iterable((number, 0x11, 0) for number in (1, 2, 3)))
    return _segment(
        0xC0, b"\x08" + (rows * TILE).to_bytes(2) + (columns * TILE).to_bytes(2) + b"\x03" + components
    )


def _scan(tiles: Sequence[Sequence[Colour]]) -> bytes:
    before = [0, 0, 0]
    bits: list[str] = []
    for colour in chain.from_iterable(tiles):
        for component, value in enumerate(_ycc(colour)):
            bits.append(_DIFFERENCES[value - before[component]])
            before[component] = value
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    # A 0xFF in the data is followed by a zero, or it would be a marker.
    data = int(text, 2).to_bytes(len(text) // 8).replace(b"\xff", b"\xff\0")
    selectors = bytes(chain.from_iterable((number, 0x00) for number in (1, 2, 3)))
    return _segment(0xDA, b"\x03" + selectors + b"\x00\x3f\x00") + data


def _ycc(colour: Colour) -> tuple[int, int, int]:
    """JFIF's colours, shifted to be centred at 0 as the transform wants them."""
    red, green, blue = colour
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return _level(luma - 128), _level((blue - luma) * 0.564), _level((red - luma) * 0.713)


def _level(value: float) -> int:
    return max(-128, min(127, round(value)))


def _huffman_codes(counts: Sequence[int], symbols: Sequence[int]) -> dict[int, str]:
    """Annex C: codes of one length count up, and the next length begins at twice the next."""
    codes: dict[int, str] = {}
    code, remaining = 0, iter(symbols)
    for length, count in enumerate(counts, start=1):
        for _ in range(count):
            codes[next(remaining)] = f"{code:0{length}b}"
            code += 1
        code *= 2
    return codes


def _differences() -> dict[int, str]:
    """Every possible difference between two DC values, as the bits of a whole block."""
    codes = _huffman_codes(_DC_COUNTS, _DC_CATEGORIES)
    table = {0: codes[0] + _END_OF_BLOCK}
    for difference in chain(range(-255, 0), range(1, 256)):
        size = abs(difference).bit_length()
        bits = difference if difference > 0 else difference + (1 << size) - 1
        table[difference] = f"{codes[size]}{bits:0{size}b}{_END_OF_BLOCK}"
    return table


_DIFFERENCES = _differences()
