import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.web.idp.texts import TEXTS, language_of


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("*", "en"),
        ("de", "en"),
        ("en-GB,zh-TW;q=0.9", "en"),
        ("zh-TW,zh;q=0.9,en-US;q=0.8", "zh-TW"),
        ("zh-Hant", "zh-TW"),
        ("zh-HK", "zh-TW"),
        ("zh-Hant-CN", "zh-TW"),
        ("zh", "zh-CN"),
        ("zh-CN", "zh-CN"),
        ("zh-Hans-HK", "zh-CN"),
        ("zh-SG", "zh-CN"),
        ("de-AT, de;q=0.9, zh-tw;q=0.8, en;q=0.7", "zh-TW"),
        ("en;q=0.1, zh-CN;q=0.2", "zh-CN"),
        ("zh-TW;q=0, en", "en"),
        ("zh-TW;q=nonsense, en;q=0.1", "en"),
        ("zh-TW;q=99999999999", "en"),
    ],
)
def test_the_header_chooses_the_language(header: str, language: str) -> None:
    assert language_of(header) == language


def test_what_the_client_asks_for_is_stronger() -> None:
    assert language_of("en", "xx zh-Hant-TW en") == "zh-TW"
    assert language_of("zh-CN", "xx") == "zh-CN"


@given(st.text(max_size=100), st.text(max_size=50))
def test_any_text_has_a_language(header: str, ui_locales: str) -> None:
    assert language_of(header, ui_locales) in TEXTS


@pytest.mark.parametrize("language", ["zh-TW", "zh-CN"])
def test_every_language_says_everything_with_the_same_values(language: str) -> None:
    english, other = TEXTS["en"], TEXTS[language]
    assert set(other) == set(english)
    for name, text in english.items():
        assert re.findall(r"{\w+}", other[name]) == re.findall(r"{\w+}", text), name
        assert other[name].isprintable()
