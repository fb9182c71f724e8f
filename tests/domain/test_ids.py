import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.domain.ids import RANDOM_BYTES, is_uuid, uuid7

MOMENTS = st.integers(min_value=0, max_value=2**48 - 1)
RANDOMNESS = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


@given(MOMENTS, RANDOMNESS)
def test_an_id_is_a_version_7_uuid_that_tells_its_moment(moment: int, randomness: bytes) -> None:
    made = uuid.UUID(uuid7(moment, randomness))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == moment


@given(MOMENTS, MOMENTS, RANDOMNESS, RANDOMNESS)
def test_ids_sort_by_the_moment_they_were_made(first: int, second: int, one: bytes, other: bytes) -> None:
    if first < second:
        assert uuid7(first, one) < uuid7(second, other)


def test_different_randomness_makes_different_ids() -> None:
    assert uuid7(1, b"\x00" * RANDOM_BYTES) != uuid7(1, b"\x00" * (RANDOM_BYTES - 1) + b"\x01")


@given(MOMENTS, RANDOMNESS)
def test_what_we_make_is_spelled_as_we_read_it(moment: int, randomness: bytes) -> None:
    assert is_uuid(uuid7(moment, randomness))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "01890A5D-AC96-774B-BCCE-B302099A8057",
        "{01890a5d-ac96-774b-bcce-b302099a8057}",
        "urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057",
        "01890a5dac96774bbcceb302099a8057",
        "01890a5d-ac96-774b-bcce-b302099a8057\n",
        "01890a5d-ac96-774b-bcce-b302099a805\uff17",
    ],
)
def test_h08_another_spelling_of_an_id_is_none(text: str) -> None:
    assert not is_uuid(text)
