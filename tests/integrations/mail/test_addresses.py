import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.integrations.mail.addresses import is_sendable, on_the_wire


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("bob@example.com", "bob@example.com"),
        ("o'neil+x=y@mail.example", "o'neil+x=y@mail.example"),
        ("bob@localhost", "bob@localhost"),
        ("björn@bücher.example", "björn@xn--bcher-kva.example"),
        ("使用者@例子.測試", "使用者@xn--fsqu00a.xn--g6w251d"),
    ],
)
def test_a_domain_goes_in_ascii_and_a_name_as_it_is(address: str, expected: str) -> None:
    assert on_the_wire(address) == expected


@given(st.text())
def test_what_passes_has_nothing_that_ends_a_command(text: str) -> None:
    for address in (text, f"{text}@example.com", f"bob@{text}"):
        if is_sendable(address):
            sent = on_the_wire(address)
            assert sent is not None
            assert sent.isprintable()
            assert not set(sent) & set(' <>()[]\\",;:')
            assert sent.count("@") == 1
