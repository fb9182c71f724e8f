import jsonschema_rs
import pytest
from visiona.web.examples import EXAMPLES
from visiona.web.json_schema import Schemas


@pytest.mark.parametrize("shape", EXAMPLES, ids=lambda shape: shape.__name__)
def test_an_example_is_as_its_shape_says(shape: type) -> None:
    made = Schemas({}, is_closed=True)
    schema = {**made.of(shape), "components": {"schemas": made.named}}
    found = list(jsonschema_rs.validator_for(schema, validate_formats=True).iter_errors(EXAMPLES[shape]))
    assert [error.message for error in found] == []
