"""What a whole run leaves behind: every log, every word of the command line, every database; and what was secret."""

import re
from collections.abc import Iterator
from pathlib import Path

TOKEN_IN_FULL = re.compile(rb"vA[aciopsACIOPS]_[0-9A-Za-z]{5,}")
"""More of a token than the eight characters that a log may show."""

LISTED_IN_FULL = re.compile(rb"vA[aciopsACIOPS]_[0-9A-Za-z]{9,}")
"""More than the twelve that lists of tokens show, and that the database keeps for them."""


WINDOW = 16
"""Characters of a secret in a row that cannot be there by chance."""


class Evidence:
    """Collected by the helpers while tests run; judged by test_scrub.py when all of them have."""

    def __init__(self) -> None:
        self._secrets: dict[bytes, str] = {}
        self._files: list[Path] = []
        self._words: list[tuple[str, bytes]] = []

    def secret(self, value: str, what: str) -> str:
        """Remembers a value that must be found nowhere, neither whole nor a good part of it; gives it back."""
        # Without its kind and with what follows what may be shown: a cut at any place is still seen.
        body = re.sub(r"^vA[a-z]_", "", value)
        for at in (0, 8, len(body) - WINDOW):
            self._secrets[body[max(0, at) :][:WINDOW].encode()] = what
        return value

    def file(self, path: Path) -> Path:
        """A log or a database, read at the end."""
        self._files.append(path)
        return path

    def words(self, who: str, text: str) -> None:
        """What a command printed, without what it was asked to tell its asker."""
        self._words.append((who, text.encode()))

    @property
    def secret_count(self) -> int:
        return len(self._secrets)

    def pieces(self) -> Iterator[tuple[str, bytes]]:
        """Everything: where, and the bytes."""
        for pattern in self._files:
            for path in sorted(pattern.parent.glob(pattern.name)):
                yield str(path), path.read_bytes()
        yield from self._words

    def leaks(self) -> list[str]:
        """What was found that must not be there: where, what, and the bytes around it."""
        found = []
        for where, data in self.pieces():
            # In a database other columns stand right behind those twelve: there only the values are looked for.
            if ".db" not in where:
                pattern = LISTED_IN_FULL if where.startswith("visiona ") else TOKEN_IN_FULL
                found += [
                    f"{where}: a token: {_around(data, match.start())}" for match in pattern.finditer(data)
                ]
            found += [
                f"{where}: {what}: {_around(data, data.index(value))}"
                for value, what in self._secrets.items()
                if value in data
            ]
        return found


def _around(data: bytes, at: int) -> str:
    return data[max(0, at - 80) : at + 90].decode(errors="replace")
