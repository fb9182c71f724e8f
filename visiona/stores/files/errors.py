"""What a file store can say instead of doing it. What is broken otherwise is StoreUnavailable, as with every store."""

from visiona.stores.errors import StoreError


class FileStoreError(StoreError):
    """A file store refused."""


class NoRoom(FileStoreError):
    """The disk is full, or would be fuller than the reserve allows; what had come of the file is gone."""


class UploadBusy(FileStoreError):
    """Somebody else is bringing the same file at this moment."""


class Withdrawn(FileStoreError):
    """The file was deleted while it was brought: nobody waits for it."""


class WrongContent(FileStoreError):
    """What came is not what was announced; what had come is gone.

    Attributes:
        about: `size` or `sha256`.
    """

    def __init__(self, message: str, *, about: str) -> None:
        super().__init__(message)
        self.about = about
