import pytest
from visiona.web.access_log import safe_path

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/x/vAs_{HEX}", "/x/vAs_0123…"),
        (f"/x/vAs_{HEX[:30]}%{ord(HEX[30]):x}{HEX[31:]}/y", "/x/vAs_0123…/y"),
        (f"/x/%76As%5f{HEX}", "/x/vAs_0123…"),
        (f"/x?token=vAs_{HEX}", "/x"),
        ("/a%2Fb%20c", "/a%2Fb%20c"),
        ("/" + "a" * 1000, "/" + "a" * 255),
    ],
)
def test_p10_a_path_is_shown_without_its_query_and_without_tokens(path: str, shown: str) -> None:
    assert safe_path(path) == shown
