from dataclasses import replace
from pathlib import Path

import pytest
from visiona.integrations.mail.settings import MailSettings

GOOD = MailSettings(
    host="mail.example.com", user="visiona", password="hush", from_address="visiona@example.com"
)


def test_nothing_said_is_no_mail() -> None:
    assert (MailSettings().is_on, MailSettings().check()) == (False, [])
    assert GOOD.is_on
    assert GOOD.check() == []
    assert "hush" not in repr(GOOD)


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_is_the_usual_one(tls: str, port: int) -> None:
    assert replace(GOOD, tls=tls).port_or_usual == port
    assert replace(GOOD, port=2525).port_or_usual == 2525


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"host": None}, "host is missing"),
        ({"host": "mail.example.com:587"}, "port is a key of its own"),
        ({"host": "smtp://mail"}, "host must be"),
        ({"port": 0}, "port must be"),
        ({"from_address": None}, "from_address must be"),
        ({"from_address": "visiona <a@b.c>"}, "from_address must be"),
        ({"user": None}, "belong together"),
        ({"password": None}, "belong together"),
        ({"tls": "none"}, "in clear"),
        ({"password": "hüsh"}, "ASCII"),
        ({"ca_file": Path("/nowhere.pem")}, "there is no file /nowhere.pem"),
        ({"timeout_seconds": 0.5}, "timeout_seconds"),
    ],
)
def test_each_fault_is_one_sentence(wrong: dict[str, object], words: str) -> None:
    (fault,) = replace(GOOD, **wrong).check()
    assert words in fault
    assert "hush" not in fault
    assert "hüsh" not in fault


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_to_this_machine_a_password_may_go_in_clear(host: str) -> None:
    assert replace(GOOD, host=host, tls="none").check() == []
