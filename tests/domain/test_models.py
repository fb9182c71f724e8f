from dataclasses import replace
from datetime import UTC, datetime

import pytest
from visiona.domain.ids import ModelId, UserId, WorkspaceId
from visiona.domain.models import EVERY_MODEL, Model, ModelFilter, ModelSource, ModelStatus

ADA = UserId("ada")
NOW = datetime(2030, 1, 1, tzinfo=UTC)
MODEL = Model(
    id=ModelId("m"),
    workspace_id=WorkspaceId("w"),
    user_id=ADA,
    name="yolo",
    version="1",
    target_chips=("KL520", "KL720"),
    file_size=1,
    sha256="0" * 64,
    source=ModelSource.UPLOADED,
    status=ModelStatus.READY,
    created_at=NOW,
    updated_at=NOW,
    faa_object_key="secret/place",
)


@pytest.mark.parametrize(
    ("wanted", "is_taken"),
    [
        (EVERY_MODEL, True),
        (ModelFilter(owner=ADA), True),
        (ModelFilter(owner=UserId("bob")), False),
        (ModelFilter(chip="KL720"), True),
        (ModelFilter(chip="KL72"), False),
        (ModelFilter(source=ModelSource.UPLOADED), True),
        (ModelFilter(source=ModelSource.BUILTIN), False),
        (ModelFilter(ADA, "KL520", ModelSource.UPLOADED), True),
        (ModelFilter(ADA, "KL630", ModelSource.UPLOADED), False),
    ],
)
def test_filters_combine(wanted: ModelFilter, is_taken: bool) -> None:
    assert wanted.takes(MODEL) is is_taken


def test_an_owners_filter_takes_no_built_in_model() -> None:
    builtin = replace(MODEL, source=ModelSource.BUILTIN, workspace_id=None, user_id=None)
    assert EVERY_MODEL.takes(builtin)
    assert not ModelFilter(owner=ADA).takes(builtin)


def test_where_the_file_lies_is_not_shown() -> None:
    assert "secret/place" not in repr(MODEL)
