"""Answers of a part of a file, and to who has it already (RFC 9110 §13 and §14).

One range is answered, of several the whole: nobody who continues a download asks for more than one. A range of a file
that has become another one is the whole of the new one, or 412 for who insists (M-09).
"""

import re
from typing import NamedTuple

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


class Part(NamedTuple):
    """What to answer: the status, and of the file `length` bytes from `start` on."""

    status: int
    start: int
    length: int


NOT_MODIFIED = Part(304, 0, 0)
OTHERWISE = Part(412, 0, 0)
NOT_THERE = Part(416, 0, 0)


def part_asked(
    size: int,
    etag: str,
    *,
    range_text: str | None,
    if_range: str | None,
    if_match: str | None,
    if_none_match: str | None,
) -> Part:
    """Which part the fields of a request ask for."""
    if if_match is not None and not _lists(if_match, etag):
        return OTHERWISE
    if if_none_match is not None and _lists(if_none_match.replace("W/", ""), etag):
        return NOT_MODIFIED
    whole = Part(200, 0, size)
    # A date says nothing about our files: their content is known by its digest alone.
    if range_text is None or (if_range is not None and if_range != etag):
        return whole
    match = _RANGE.fullmatch(range_text.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return whole
    return _part(size, match[1], match[2]) or whole


def _part(size: int, first: str, last: str) -> Part | None:
    if not first:
        length = min(int(last), size)
        return Part(206, size - length, length) if length else NOT_THERE
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return None
    return Part(206, start, end - start) if start < size else NOT_THERE


def _lists(field: str, etag: str) -> bool:
    return field.strip() == "*" or etag in (each.strip() for each in field.split(","))
