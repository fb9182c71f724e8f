"""People sign in at the built-in provider of a running server, with a browser's cookies and forms."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from tests.e2e.client import until
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, clean_environment, in_process, running_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PASSWORD = "hunter2 and some more"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, evidence: Evidence) -> Iterator[Server]:
    """Nobody has an account there yet."""
    evidence.secret(PASSWORD, "a password")
    with running_server(tmp_path_factory.mktemp("sign-in"), evidence) as server:
        yield server


def link(server: Server, *who: str) -> str:
    """A one-time link, as the command prints it."""
    said = in_process("--set", f"state_dir={server.state}", "user", "link", *who, "--url", server.web)
    assert said.code == 0, said
    server.evidence.secret(said.out.strip().rpartition("/")[2], "a one-time link")
    return said.out.strip()


def submit(browser: httpx.Client, page: httpx.Response, **fields: str) -> httpx.Response:
    found = re.search(r'name="form" value="([^"]+)"', page.text)
    assert found, page.text
    return browser.post(page.url, data={"form": unescape(found[1]), **fields})


def who_is(browser: httpx.Client, server: Server) -> str:
    return str(browser.get(f"{server.web}/api/auth/me").json()["data"]["email"])


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True, headers={"Accept": "text/html"}, trust_env=False) as browser:
        yield browser


def test_the_first_account_is_made_with_a_link_then_people_sign_in_with_passwords_and_links(
    server: Server, browser: httpx.Client
) -> None:
    until(lambda: server.lines("nobody can sign in yet", "visiona user link --first"), "it is said")
    first = link(server, "--first")
    page = browser.get(first)
    made = submit(browser, page, email="ada@example.org", password=PASSWORD, again=PASSWORD)
    assert (made.status_code, str(made.url)) == (200, f"{server.web}/")
    assert who_is(browser, server) == "ada@example.org"
    [user] = server.run("user", "list", "--json").json
    assert user["is_admin"] is True
    assert browser.get(first).status_code == 410

    browser.cookies.clear()
    assert browser.get(f"{server.web}/api/auth/me").status_code == 401
    page = browser.get(f"{server.web}/api/auth/login")
    assert 'name="password"' in page.text
    page = submit(browser, page, email="ada@example.org", password="wrong " + PASSWORD)
    assert page.status_code == 403
    home = submit(browser, page, email="Ada@Example.org", password=PASSWORD)
    assert (home.status_code, str(home.url)) == (200, f"{server.web}/")
    assert who_is(browser, server) == "ada@example.org"

    browser.cookies.clear()
    submit(browser, browser.get(link(server, "ada@example.org")))
    assert who_is(browser, server) == "ada@example.org"


def test_a_new_password_ends_what_the_old_one_began(server: Server, browser: httpx.Client) -> None:
    server.person("bob")
    submit(browser, browser.get(link(server, "bob@example.org")))
    assert who_is(browser, server) == "bob@example.org"
    assert server.run("user", "passwd", "bob@example.org", "--password-stdin", stdin=PASSWORD).code == 0
    until(lambda: browser.get(f"{server.web}/api/auth/me").status_code == 401, "the session is over", 5.0)


def test_people_sign_in_while_the_keys_are_replaced(server: Server, browser: httpx.Client) -> None:
    server.person("carol")
    before = browser.get(f"{server.web}/idp/jwks").json()["keys"]
    kid = server.run("idp", "rotate-keys", "--json").json["kid"]
    after = browser.get(f"{server.web}/idp/jwks").json()["keys"]
    assert [key["kid"] for key in after] == [kid, *(key["kid"] for key in before)]
    submit(browser, browser.get(link(server, "carol@example.org")))
    assert who_is(browser, server) == "carol@example.org"


def test_with_another_issuer_there_is_no_provider_here(evidence: Evidence, tmp_path: Path) -> None:
    with running_server(tmp_path, evidence, "oidc.issuer=http://127.0.0.1:1/other") as server:
        assert not server.lines("nobody can sign in yet")
        for path in ("authorize", "jwks", "token", ".well-known/openid-configuration", "link/x"):
            assert httpx.get(f"{server.web}/idp/{path}", trust_env=False).status_code == 404
        assert not (server.state / "idp-keys.json").exists()


def test_whoever_starts_it_in_a_terminal_sees_the_link_once_and_no_log_does(tmp_path: Path) -> None:
    terminal, its_end = pty.openpty()
    settings = [
        f"state_dir={tmp_path}",
        *(f"{name}.listen=127.0.0.1:0" for name in ("web", "relay", "internal")),
    ]
    order = [
        sys.executable,
        "-m",
        "visiona",
        "serve",
        *(part for each in settings for part in ("--set", each)),
    ]
    with subprocess.Popen(order, stderr=its_end, env=clean_environment()) as process:
        os.close(its_end)
        seen = b""
        while b": ready" not in seen:
            seen += os.read(terminal, 65536)
        process.terminate()
        assert process.wait(20) == 0
    os.close(terminal)
    [found] = re.findall(rb"http://127\.0\.0\.1:\d+/idp/first/vAo_[0-9a-f]{64}", seen)
    assert found
    assert b"visiona user link" not in seen
