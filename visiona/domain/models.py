"""Models: files that run on accelerators, whose they are, and for which chips.

What is in the file is not known here, only how long it is and its digest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from visiona.domain.ids import ModelId, UserId, WorkspaceId


class ModelSource(Enum):
    """Where a model came from."""

    UPLOADED = "uploaded"
    CONVERTED = "converted"
    BUILTIN = "builtin"


class ModelStatus(Enum):
    """Whether its file is there."""

    PENDING = "pending"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Attributes:
        workspace_id: whose it is; None of a built-in one, which is everybody's.
        user_id: its owner, who brought it; None of a built-in one.
        target_chips: KL520, KL720 … for which it was made.
        file_size: in bytes; of a pending one as announced.
        sha256: of the file, in hex; of a pending one as announced.
        metrics: what was measured of it, by name.
        faa_object_key: where the file lies; it never leaves the server.
    """

    id: ModelId
    workspace_id: WorkspaceId | None
    user_id: UserId | None
    name: str
    version: str
    target_chips: tuple[str, ...]
    file_size: int
    sha256: str
    source: ModelSource
    status: ModelStatus
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    license: str | None = None
    metrics: Mapping[str, float] | None = None
    faa_object_key: str | None = field(default=None, repr=False)
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelFilter:
    """Which models are wanted; each that is given narrows the list."""

    owner: UserId | None = None
    chip: str | None = None
    source: ModelSource | None = None

    def takes(self, model: Model) -> bool:
        """Whether the model is one of those."""
        return (
            (self.owner is None or model.user_id == self.owner)
            and (self.chip is None or self.chip in model.target_chips)
            and (self.source is None or model.source is self.source)
        )


EVERY_MODEL = ModelFilter()
