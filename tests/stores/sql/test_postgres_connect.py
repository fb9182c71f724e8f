import pytest
from visiona.stores.errors import StoreUnavailable
from visiona.stores.sql.postgres_connect import check_facts


@pytest.mark.parametrize("number", [140000, 140012, 160004, 180001])
def test_a_server_of_our_time_is_fine(number: int) -> None:
    check_facts(number, "some", "UTF8")


def test_s01_a_server_that_is_too_old_is_refused_with_a_sentence() -> None:
    with pytest.raises(
        StoreUnavailable, match=r"PostgreSQL 13\.22 \(Debian\), and 14 is the oldest"
    ) as caught:
        check_facts(130022, "13.22 (Debian)", "UTF8")
    assert caught.value.advice == "upgrade it"


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_s01_a_database_in_another_encoding_is_refused_with_a_sentence(encoding: str) -> None:
    with pytest.raises(StoreUnavailable, match=f"encoded in {encoding}") as caught:
        check_facts(160000, "16.0", encoding)
    assert "ENCODING 'UTF8'" in caught.value.advice
