import re

import pytest
from visiona.domain.access import Role, Scope
from visiona.domain.audit import Deed, Outcome, Through
from visiona.domain.causes import Cause
from visiona.domain.devices import AcceleratorStatus, EventKind
from visiona.domain.loads import Fault, LoadState
from visiona.domain.models import ModelSource
from visiona.integrations.mail.outbox import MailState
from visiona.web.console.files import load_assets
from visiona.web.console.languages import LANGUAGES, dictionary, preferred

KEY = re.compile(r"""(?:\bt|\bpieces|\bsay)\(\s*"([a-zA-Z][\w.:-]*)\"""")
PLURAL = re.compile(r"""\btn\(\s*"([\w.]+)\"""")


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        (None, "en"),
        ("", "en"),
        ("de-DE,de;q=0.9", "en"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-TW"),
        ("zh-Hant-HK", "zh-TW"),
        ("zh-CN", "zh-CN"),
        ("zh", "zh-CN"),
        ("zh-Hans-SG,en", "zh-CN"),
        ("en;q=0.5, zh-TW;q=0.8", "zh-TW"),
        ("zh-TW;q=0,en;q=0.1", "en"),
        ("fr, zh-CN;q=0.3", "zh-CN"),
        ("zh-TW;q=2", "en"),
        ("zh-TW;q=nan,en", "en"),
        ("zh-TW;q=x", "en"),
        ("zhx,xx-zh", "en"),
        (",;q=,zh-TW" + ",a" * 5000, "zh-TW"),
        ("x," * 30 + "zh-TW", "en"),
    ],
)
def test_a_page_begins_in_the_language_that_is_asked_for_most(asked: str | None, spoken: str) -> None:
    assert preferred(asked) == spoken


def test_every_word_is_used() -> None:
    scripts = [asset.body.decode() for name, asset in load_assets().by_name.items() if name.endswith(".js")]
    whole = {text for script in scripts for text in re.findall(r'"([a-z]\w*(?:\.[\w:]+)+)"', script)}
    begun = tuple(text for script in scripts for text in re.findall(r"`([a-z][\w.]*\.)\$\{", script))
    unused = {
        key
        for key in dictionary("en")
        if key not in whole and re.sub(r"\.(one|other)$", "", key) not in whole and not key.startswith(begun)
    }
    assert unused == {"app.needsScripts"}  # in the page itself (pages.py)


def test_the_dictionaries_say_the_same_things() -> None:
    english = dictionary("en")
    for language in LANGUAGES[1:]:
        words = dictionary(language)
        assert set(words) == set(english)
        for key, sentence in words.items():
            assert set(re.findall(r"{\w+}", sentence)) == set(re.findall(r"{\w+}", english[key])), key
            assert sentence.strip() == sentence
            assert sentence


def test_each_word_that_the_scripts_use_is_there() -> None:
    words = dictionary("en")
    scripts = [asset.body.decode() for name, asset in load_assets().by_name.items() if name.endswith(".js")]
    used = {key for script in scripts for key in KEY.findall(script)}
    assert len(used) > 100
    assert used - set(words) == set()
    counted = {
        f"{key}.{form}" for script in scripts for key in PLURAL.findall(script) for form in ("one", "other")
    }
    assert counted - set(words) == set()


def test_each_word_of_the_api_that_is_shown_has_its_words() -> None:
    words = dictionary("en")
    wanted = {f"cause.{cause.value}" for cause in Cause}
    wanted |= {f"event.{kind.value}" for kind in EventKind}
    wanted |= {f"accelerator.{status.value}" for status in AcceleratorStatus}
    wanted |= {f"fault.{fault.value}" for fault in Fault}
    wanted |= {
        f"{part}.{state.value}" for part in ("load.state", "load.now", "load.said") for state in LoadState
    }
    wanted -= {"load.now.active", "load.now.failed"}
    wanted |= {f"source.{source.value}" for source in ModelSource}
    wanted |= {f"role.{role.value}" for role in Role} | {f"members.now.{role.value}" for role in Role}
    wanted |= {f"workspace.{role.value}Text" for role in Role}
    wanted |= {f"scope.{scope.value}" for scope in Scope}
    wanted |= {f"deed.{deed.value}" for deed in Deed} | {f"through.{way.value}" for way in Through}
    wanted |= {f"mail.{state.value}" for state in MailState} - {"mail.off"}
    wanted |= {f"outcome.{outcome.value}" for outcome in Outcome} - {"outcome.ok"}
    assert wanted - set(words) == set()
