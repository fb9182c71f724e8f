"""What the API says of models and is told of them; see shapes.py."""

from typing import Annotated, Literal, NotRequired, TypedDict

from visiona.domain.loads import Fault, LoadState
from visiona.domain.models import ModelSource, ModelStatus
from visiona.web.json_schema import Says
from visiona.web.shapes import Count, Id, Moment, PageQuery, Sha256, Text


class ModelItem(TypedDict):
    """A model's record."""

    id: Id
    name: str
    description: NotRequired[str]
    version: str
    target_chips: list[str]
    file_size: Count
    sha256: Sha256
    source: ModelSource
    status: ModelStatus
    license: NotRequired[str]
    metrics: NotRequired[dict[str, float]]
    workspace_id: NotRequired[Id]
    owner: NotRequired[Id]
    created_at: Moment
    updated_at: Moment


class ModelQuery(PageQuery):
    """Filters combine."""

    owner: NotRequired[Annotated[str, Says(description="An id, or `me`.")]]
    chip: NotRequired[str]
    source: NotRequired[ModelSource]


class ModelWish(TypedDict):
    """A model that is announced."""

    name: Text
    version: Text
    target_chips: list[Text]
    file_size: Annotated[int, Says(minimum=1)]
    sha256: Sha256
    source: NotRequired[Literal["uploaded", "converted"]]
    description: NotRequired[Text]
    license: NotRequired[Text]
    metrics: NotRequired[dict[str, float]]
    workspace_id: NotRequired[Id]


class AnnouncedModel(TypedDict):
    """A model, and where its file goes; without a link its file is here already."""

    model: ModelItem
    upload_url: NotRequired[str]
    expires_at: NotRequired[Moment]
    resumable: NotRequired[
        Annotated[bool, Says(description="Whether the file may come in parts (Content-Range).")]
    ]


class Brought(TypedDict):
    """How much of a file is here."""

    received_bytes: Count
    size: Count
    complete: bool


class LoadWish(TypedDict):
    """Where a model goes: `accelerator` by the agent's own id; if it is absent, the only one that fits."""

    device_id: Id
    accelerator: NotRequired[Text]


class LoadItem(TypedDict):
    """A model on its way to an accelerator, or there; `code` and `message` say why a failed one failed."""

    id: Id
    model_id: Id
    model_name: str
    model_version: str
    device_id: Id
    accelerator: str
    chip: str
    state: LoadState
    sent_bytes: Count
    total_bytes: Count
    progress: NotRequired[Annotated[int, Says(minimum=0, maximum=100)]]
    waiting_for_device: bool
    code: NotRequired[Fault]
    message: NotRequired[str]
    current: bool
    created_at: Moment
    updated_at: Moment
