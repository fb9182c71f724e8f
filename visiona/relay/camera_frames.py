"""Pictures of cameras: one as its viewers get it, and the last of each camera, kept in memory for whoever asks later."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from visiona.domain.ids import DeviceId, WorkspaceId
from visiona.wire.mixed_replace import Part

SHOWN_TYPES: Final = frozenset(
    {b"image/jpeg", b"image/png", b"image/webp", b"image/gif", b"image/bmp", b"image/avif"}
)
"""Pictures that are nothing else: SVG is a program as well."""

_BEGINNINGS: Final = {
    b"image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    b"image/gif": re.compile(rb"GIF8[79]a"),
    b"image/bmp": re.compile(rb"BM"),
    b"image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    b"image/avif": re.compile(rb"....ftyp", re.DOTALL),
}
"""What is called a picture and does not begin as one is none: a page, maybe, that a browser might take it for."""

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"

JPEG_PADDING_BYTES = 1024
"""Some cameras fill up after the end of the picture."""


class Picture(NamedTuple):
    """A whole picture, and when it came."""

    content_type: bytes
    body: bytes
    at: datetime


class PicturePlace(NamedTuple):
    """Whose picture it is: a device that moves to another workspace takes none along."""

    workspace_id: WorkspaceId
    device_id: DeviceId
    target: bytes


class Frame(NamedTuple):
    """One part of a moving picture.

    Attributes:
        data: as it goes to each viewer: fields, picture, and the delimiter of the next part. Browsers show a part when
            they see its end, so the end is not kept back until the next picture comes.
        body_at, body_bytes: where the picture is in it.
    """

    data: bytes
    body_at: int
    body_bytes: int
    content_type: bytes
    at: datetime

    @property
    def is_good(self) -> bool:
        """Whether it is a picture that can be shown alone, and whole as far as that can be seen."""
        return is_good(self.content_type, self.data, self.body_at, self.body_at + self.body_bytes)

    @property
    def picture(self) -> Picture:
        """The picture alone, as a copy."""
        body = self.data[self.body_at : self.body_at + self.body_bytes]
        return Picture(self.content_type, body, self.at)


def frame_of(part: Part, delimiter: bytes, at: datetime) -> Frame:
    """A part, with its length stated and its end following at once."""
    head = b"%bContent-Length: %d\r\n\r\n" % (part.head, len(part.body))
    data = b"".join((head, part.body, b"\r\n", delimiter, b"\r\n"))
    content_type = part.content_type or (b"image/jpeg" if part.body.startswith(_JPEG_START) else b"")
    return Frame(data, len(head), len(part.body), content_type, at)


def is_good(content_type: bytes, data: bytes, start: int, end: int) -> bool:
    """Whether this is a picture, and not torn as far as that can be seen without decoding it."""
    if content_type != b"image/jpeg":
        beginning = _BEGINNINGS.get(content_type)
        return beginning is not None and beginning.match(data, start, end) is not None
    has_end = data.rfind(_JPEG_END, max(start, end - JPEG_PADDING_BYTES), end) > start
    return data.startswith(_JPEG_START, start) and has_end


@dataclass(slots=True)
class FrameCounts:
    """Of all cameras together.

    Attributes:
        came, lost: frames since the process began: those that came, and those that a viewer was too slow for.
        held_bytes: of the last frame of each that is shared now, and of what came of the next.
    """

    came: int = 0
    lost: int = 0
    held_bytes: int = 0


MAX_KEPT_OF_DEVICE = 32
"""Whoever asks one device for a thousand targets takes the pictures of no other device away."""


class KeptPictures:
    """The last good picture of each camera, the longest untouched dropped first. They do not outlive the process."""

    def __init__(self, *, max_count: int, max_bytes: int) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[PicturePlace, Frame | Picture] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        """Of all of them."""
        return self._bytes

    def keep(self, place: PicturePlace, frame: Frame | Picture) -> None:
        """Takes the place of the picture before it."""
        if (before := self._kept.pop(place, None)) is not None:
            self._bytes -= _size(before)
        else:
            self._make_room_of(place.device_id)
        self._kept[place] = frame
        self._bytes += _size(frame)
        while self._kept and (len(self._kept) > self._max_count or self._bytes > self._max_bytes):
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _size(dropped)

    def last_or_none(self, place: PicturePlace) -> Picture | None:
        """The camera's last good picture, if it is still here."""
        kept = self._kept.get(place)
        return kept.picture if isinstance(kept, Frame) else kept

    def drop(self, place: PicturePlace) -> None:
        """Drops that camera's picture."""
        if (dropped := self._kept.pop(place, None)) is not None:
            self._bytes -= _size(dropped)

    def forget(self, device_id: DeviceId, stays_in: WorkspaceId | None = None) -> None:
        """Drops all of a device, save those that were taken where it is now."""
        for place in [place for place in self._kept if place.device_id == device_id]:
            if place.workspace_id != stays_in:
                self.drop(place)

    def _make_room_of(self, device_id: DeviceId) -> None:
        its = [place for place in self._kept if place.device_id == device_id]
        if len(its) >= MAX_KEPT_OF_DEVICE:
            self.drop(its[0])


def _size(kept: Frame | Picture) -> int:
    return len(kept.data) if isinstance(kept, Frame) else len(kept.body)
