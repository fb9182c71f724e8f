"""Why a copy was not made. Nothing was changed then, wherever it was to go."""

from visiona.stores.errors import StoreUnavailable


class CopyRefused(Exception):
    """Something about the two ends makes it impossible or dangerous.

    Attributes:
        code: for programs: `BACKUP_DAMAGED`, `BACKUP_FOREIGN`, `BACKUP_NEWER`, `EXISTS`, `NOT_EMPTY`,
            `NOT_OURS`, `NOTHING_THERE`, `NOT_THE_SAME`, `IN_USE`, `NO_ROOM` or `CANNOT_HOLD`.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class CommitUncertain(StoreUnavailable):
    """The connection was lost while a database committed: whether the rows are there is not known."""


def damaged(what: str) -> CopyRefused:
    """A backup that is not as it was written."""
    return CopyRefused(f"the backup is damaged: {what}; use another one", code="BACKUP_DAMAGED")


def no_room(place: str, size: int, free: int, advice: str) -> CopyRefused:
    """A disk that would be full before the end, and nothing was begun."""
    return CopyRefused(
        f"the model files need {in_units(size)} in {place}, where {in_units(free)} are free{advice}",
        code="NO_ROOM",
    )


def in_units(size: int) -> str:
    """Bytes as people read them."""
    amount, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}" if unit != "B" else f"{size} B"


def unfitting(what: str) -> CopyRefused:
    """Rows that break a promise of the schema."""
    return CopyRefused(f"the rows do not fit together ({what}); nothing was changed", code="NOT_THE_SAME")
