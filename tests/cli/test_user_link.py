import json
import os
import re
from pathlib import Path

import pytest
from visiona.cli.ready_file import SERVER_FILE

from tests.cli.conftest import Run

TOKEN = r"vAo_[0-9a-f]{64}"


def add(visiona: Run, email: str = "ada@example.com") -> None:
    assert visiona("user", "add", email, "--password-stdin", stdin="correct horse battery").code == 0


def test_a_link_is_printed_alone_so_that_a_script_can_take_it(visiona: Run) -> None:
    add(visiona)
    made = visiona("user", "link", "Ada@example.com")
    assert made.code == 0
    assert re.fullmatch(rf"http://127\.0\.0\.1:3721/idp/link/{TOKEN}\n", made.out)
    assert made.out.strip() not in made.err
    as_json = visiona("user", "link", "ada@example.com", "--json").json
    assert set(as_json) == {"link", "expires_at"}
    assert as_json["link"] != made.out.strip()


@pytest.mark.parametrize(
    ("arguments", "base"),
    [
        (["--url", "http://127.0.0.1:5000"], "http://127.0.0.1:5000"),
        (["--set", "web.public_url=https://x.example/sub/"], "https://x.example/sub"),
        (["--set", "web.listen=[::1]:5000"], "http://[::1]:5000"),
        (["--set", "web.public_url=https://x.example", "--url", "http://h:1/"], "http://h:1"),
    ],
)
def test_a_link_leads_to_where_the_server_is(visiona: Run, arguments: list[str], base: str) -> None:
    add(visiona)
    assert visiona("user", "link", "ada@example.com", *arguments).out.startswith(f"{base}/idp/link/vAo_")


@pytest.mark.parametrize(
    ("arguments", "base"),
    [
        (["--set", "web.listen=127.0.0.1:0"], "http://127.0.0.1:4567"),
        (["--set", "web.public_url=https://x.example"], "https://x.example"),
        (["--url", "http://127.0.0.1:5000"], "http://127.0.0.1:5000"),
    ],
)
def test_a_link_leads_to_the_port_that_the_running_server_took(
    visiona: Run, state_dir: Path, arguments: list[str], base: str
) -> None:
    add(visiona)
    said = {"pid": os.getpid(), "web": "http://127.0.0.1:4567"}
    (state_dir / SERVER_FILE).write_text(json.dumps(said), encoding="utf-8")
    assert visiona("user", "link", "ada@example.com", *arguments).out.startswith(f"{base}/idp/link/vAo_")


def test_the_first_link_exists_while_nobody_has_a_password(visiona: Run) -> None:
    made = visiona("user", "link", "--first")
    assert re.fullmatch(rf"http://127\.0\.0\.1:3721/idp/first/{TOKEN}\n", made.out)
    add(visiona)
    refused = visiona("user", "link", "--first")
    assert (refused.code, "visiona user link EMAIL" in refused.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["nobody@example.com"], 4, "NOT_FOUND"),
        ([], 2, "EMAIL"),
        (["ada@example.com", "--first"], 2, "not allowed"),
        (["ada@example.com", "--set", "web.listen=127.0.0.1:0"], 2, "--url"),
        (["ada@example.com", "--url", "ftp://x"], 2, "http://"),
        (["ada@example.com", "--set", "oidc.issuer=https://id.example"], 1, "OTHER_PROVIDER"),
        (["ada@example.com", "--set", "database.url=memory:"], 1, "NO_DATABASE"),
    ],
)
def test_mistakes_are_sentences(visiona: Run, arguments: list[str], code: int, word: str) -> None:
    add(visiona)
    refused = visiona("user", "link", *arguments)
    assert (refused.code, refused.out) == (code, "")
    assert word in refused.err


def test_a_disabled_account_has_no_link(visiona: Run) -> None:
    add(visiona)
    visiona("user", "disable", "ada@example.com")
    refused = visiona("user", "link", "ada@example.com")
    assert (refused.code, "visiona user enable" in refused.err) == (1, True)
