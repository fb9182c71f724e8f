import re

from visiona.web.console.languages import LANGUAGES
from visiona.web.invitation_texts import ENGLISH, TEXTS


def test_every_language_says_the_same_with_the_same_places() -> None:
    assert tuple(TEXTS) == LANGUAGES
    for words in TEXTS.values():
        assert words.keys() == ENGLISH.keys()
        for name, text in words.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", ENGLISH[name])), name
