"""Every shape can be told, and no answer may hold what is not in it."""

from typing import is_typeddict

from visiona.web import audit_shapes, model_shapes, people_shapes, shapes, workspace_shapes
from visiona.web.json_schema import Schemas

MODULES = (audit_shapes, model_shapes, people_shapes, shapes, workspace_shapes)
SHAPES = {kind for module in MODULES for kind in vars(module).values() if is_typeddict(kind)}


def test_each_shape_has_a_schema_and_a_sentence() -> None:
    made = Schemas({}, is_closed=True)
    for shape in SHAPES:
        made.of(shape)
        assert (shape.__doc__ or "").endswith("."), shape.__name__
    assert len(SHAPES) > 50


def test_where_a_model_lies_is_in_no_shape() -> None:
    assert all("faa_object_key" not in shape.__annotations__ for shape in SHAPES)
