"""What a store can say instead of answering.

    StoreError
    ├─ StoreUnavailable   the world is down: try again in `retry_after_seconds`
    ├─ StoreConflict      a promise of the schema would be broken; `about` names which
    ├─ StoreBusy          another server holds the same file
    ├─ StoreDamaged       the file is no database, or a broken one; it is left as it is
    └─ SchemaMismatch     the schema is not the one that this program knows

The messages are ours, for a person. What the driver said is in `__cause__`, for the log.
"""


class StoreError(Exception):
    """A store did not answer."""


class StoreUnavailable(StoreError):
    """The store cannot be asked now; nothing was changed, unless that is in doubt.

    Attributes:
        advice: what a person at the command line can do about it.
        is_in_doubt: the connection to a server was lost at the very end of a transaction: all of it was kept, or none.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after_seconds: int = 2,
        advice: str = "nothing was changed, try again",
        is_in_doubt: bool = False,
    ) -> None:
        super().__init__(message)
        self.advice = advice
        self.is_in_doubt = is_in_doubt
        self.retry_after_seconds = retry_after_seconds


class StoreConflict(StoreError):
    """Writing it would break a promise of the schema; nothing was changed.

    Attributes:
        about: the promise's name: `email`, `serial_number`, `token`, `ttl`, `reference`, `model`, `load`, `object_key`, or `other`.
    """

    def __init__(self, message: str, *, about: str = "other") -> None:
        super().__init__(message)
        self.about = about


class StoreBusy(StoreError):
    """Another server serves from the same file."""


class StoreDamaged(StoreError):
    """What is there cannot be read as our database."""


class SchemaMismatch(StoreError):
    """The schema is newer than this program, was edited, or must be migrated while no server runs."""
