"""Where SQLite and PostgreSQL differ: the whole list.

The texts elsewhere are the same for both. A word between @ signs in a migration is replaced from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """One database's words.

    Attributes:
        words: what stands for each `@word@` of a migration.
        conflicts: part of an integrity error's text → which promise was broken (`StoreConflict.about`).
            The first that occurs wins.
    """

    name: str
    words: Mapping[str, str]
    conflicts: tuple[tuple[str, str], ...]

    def spell(self, text: str) -> str:
        """The migration's text in this dialect."""
        for word, meaning in self.words.items():
            text = text.replace(f"@{word}@", meaning)
        return text

    def about(self, error_text: str) -> str:
        """Which promise an integrity error is about."""
        return next((about for part, about in self.conflicts if part in error_text), "other")


SQLITE = Dialect(
    name="sqlite",
    words={"auto_id": "INTEGER PRIMARY KEY AUTOINCREMENT"},
    conflicts=(
        ("users_email", "email"),
        ("devices.serial_number", "serial_number"),
        ("workspaces.personal_of", "workspace"),
        ("memberships.user_id", "member"),
        ("identities.", "identity"),
        ("user_sessions.", "session"),
        ("pending_logins.", "state"),
        ("one_time_links.link_hash", "link"),
        (".token_hash", "token"),
        ("_tokens.id", "token"),
        ("_ttl", "ttl"),
        ("FOREIGN KEY", "reference"),
    ),
)
