import pytest
from visiona.domain.errors import Invalid
from visiona.web.qr import MAX_TEXT_BYTES, qr_svg


def test_a_text_becomes_a_drawing_without_scripts_or_links() -> None:
    drawn = qr_svg("visiona agent pair vAc_0123 --relay https://visiona.example")
    assert drawn.startswith("<svg ")
    assert "viewBox=" in drawn
    assert not {"<script", "href", "vAc_"} & set(drawn.split('"'))


def test_the_code_is_black_on_white_in_the_dark_too() -> None:
    drawn = qr_svg("x")
    assert "#fff" in drawn
    assert "#000" in drawn


@pytest.mark.parametrize("text", ["", "x" * (MAX_TEXT_BYTES + 1), "é" * (MAX_TEXT_BYTES // 2 + 1)])
def test_what_no_telephone_reads_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        qr_svg(text)


def test_the_longest_text_is_drawn() -> None:
    assert qr_svg("x" * MAX_TEXT_BYTES)
