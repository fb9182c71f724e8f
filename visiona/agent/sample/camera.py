"""The synthetic camera: a box that wanders over a test picture, and a frame counter, so that nobody takes two frames
for one. A frame is a pure function of its number; what an accelerator would detect in it is too.
"""

from functools import lru_cache
from itertools import accumulate

from visiona.agent.sample.jpeg import TILE, Colour, encode

COLUMNS, ROWS = 48, 36
WIDTH, HEIGHT = COLUMNS * TILE, ROWS * TILE
FRAMES_PER_SECOND = 10
BOX_COLUMNS, BOX_ROWS = 8, 6

_BAR_COLOURS: tuple[Colour, ...] = (
    (70, 70, 78),
    (82, 78, 60),
    (56, 78, 82),
    (58, 80, 60),
    (80, 60, 80),
    (82, 60, 60),
)
_BOX: Colour = (255, 196, 0)
_INK: Colour = (240, 240, 240)

# Each digit is three columns of five rows, a row as three bits.
_DIGITS = ("75557", "22222", "71747", "71717", "55711", "74717", "74757", "71111", "75757", "75717")


@lru_cache(maxsize=4)
def frame(number: int) -> bytes:
    """The JPEG of a frame; viewers of the same moment share one."""
    bar_columns = COLUMNS // len(_BAR_COLOURS)
    tiles = [[_BAR_COLOURS[column // bar_columns] for column in range(COLUMNS)] for _ in range(ROWS)]
    left, top = box(number)
    for row in range(top, top + BOX_ROWS):
        tiles[row][left : left + BOX_COLUMNS] = [_BOX] * BOX_COLUMNS
    _write_number(tiles, number)
    return encode(tiles)


def box(number: int) -> tuple[int, int]:
    """Left column and top row of the box: it bounces off the edges, at different pace each way."""
    return _bounce(number, COLUMNS - BOX_COLUMNS), _bounce(number * 2 // 3, ROWS - BOX_ROWS)


def detections(number: int) -> dict[str, object]:
    """What an accelerator would say of the frame, in pixels."""
    left, top = box(number)
    where = {"x": left * TILE, "y": top * TILE, "width": BOX_COLUMNS * TILE, "height": BOX_ROWS * TILE}
    confidence = round(0.9 + number % 10 / 100, 2)
    return {"frame": number, "objects": [{"label": "box", "confidence": confidence, "boundingBox": where}]}


def _bounce(step: int, span: int) -> int:
    return span - abs(step % (2 * span) - span)


def _write_number(tiles: list[list[Colour]], number: int) -> None:
    text = f"{number % 1_000_000:06d}"
    for left, digit in zip(accumulate([4] * (len(text) - 1), initial=1), text, strict=True):
        for row, bits in enumerate(_DIGITS[int(digit)], start=ROWS - 6):
            for column in range(3):
                if int(bits) >> (2 - column) & 1:
                    tiles[row][left + column] = _INK
