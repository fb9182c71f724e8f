"""Where state is kept."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

DATABASE_FILE = "visiona.db"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Settings of the stores.

    Attributes:
        url: `sqlite:///absolute/path`, `memory:`, or None for `visiona.db` in the state directory.
        state_dir: the folder that is ours to write.
        synchronous: `normal`: a crash of the program loses nothing, a power cut perhaps the last second;
            `full`: neither loses anything, and every write waits for the disk.
    """

    url: str | None
    state_dir: Path
    synchronous: str = "normal"

    def check(self) -> list[str]:
        """Every fault at once, each a sentence that names the key."""
        faults = []
        if self.synchronous not in {"normal", "full"}:
            faults.append('database.synchronous: write "normal" or "full"')
        if self.url is not None and self.url.startswith(("postgresql://", "postgres://")):
            faults.append(
                "database.url: this version cannot use PostgreSQL yet; "
                'write "sqlite:///absolute/path", or leave it out for a file in the state directory'
            )
        elif self.url is not None and self.url != "memory:" and not _is_sqlite(self.url):
            faults.append('database.url: write "sqlite:///absolute/path" or "memory:", or leave it out')
        return faults

    @property
    def is_memory(self) -> bool:
        """Whether nothing is to be kept."""
        return self.url == "memory:"

    @property
    def database_file(self) -> Path:
        """The SQLite file."""
        if self.url is None:
            return self.state_dir / DATABASE_FILE
        return Path("/" + unquote(self.url.removeprefix("sqlite:///")).lstrip("/"))


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite:///") and len(url) > len("sqlite:///") and not url.endswith("/")
