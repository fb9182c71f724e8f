"""Why a copy was not made. Nothing was changed then, wherever it was to go."""


class CopyRefused(Exception):
    """Something about the two ends makes it impossible or dangerous.

    Attributes:
        code: for programs: `BACKUP_DAMAGED`, `BACKUP_FOREIGN`, `BACKUP_NEWER`, `EXISTS`, `NOT_EMPTY`,
            `NOT_OURS`, `NOTHING_THERE`, `NOT_THE_SAME`, `IN_USE` or `CANNOT_HOLD`.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


def damaged(what: str) -> CopyRefused:
    """A backup that is not as it was written."""
    return CopyRefused(f"the backup is damaged: {what}; use another one", code="BACKUP_DAMAGED")


def unfitting(what: str) -> CopyRefused:
    """Rows that break a promise of the schema."""
    return CopyRefused(f"the rows do not fit together ({what}); nothing was changed", code="NOT_THE_SAME")
