import pytest
from visiona.domain.request_ids import request_id_or_none


@pytest.mark.parametrize(
    "header", ["a", "7", "mine-1_2.3:4", "a" * 64, "01a1ffb9-316d-7c34-8de5-bb91a51d4f6a"]
)
def test_a_well_formed_id_is_kept(header: str) -> None:
    assert request_id_or_none(header) == header


@pytest.mark.parametrize(
    "header",
    [None, "", "a" * 65, "-a", "a b", "a\n", "a\r\nX: y", "ä", "x=1", "vAp_0123", "a-vAs_0", "../a"],
)
def test_h03_what_could_break_a_line_or_be_a_token_is_not(header: str | None) -> None:
    assert request_id_or_none(header) is None
