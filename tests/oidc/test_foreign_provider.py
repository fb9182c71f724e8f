"""Signing in and out through an identity provider that is not ours, as a public and as a confidential client."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from tests.e2e.client import until
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server
from tests.oidc.browser import Browser, Form
from tests.oidc.installed import HERE, node

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]

SECRET = "a secret: of +%/ every kind"


class Foreign:
    """The provider's process."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("wb")
        order = [node(), "provider.mjs"]
        self.process = subprocess.Popen(
            order, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        self.issuer: str = self._said()["issuer"]

    def serve(self, client: dict[str, Any]) -> None:
        pipe = self._pipe(self.process.stdin)
        pipe.write(json.dumps({"clients": [client]}) + "\n")
        pipe.flush()
        assert self._said() == {"ready": True}

    def stop(self) -> None:
        self._pipe(self.process.stdin).close()
        self.process.wait(10)
        self._pipe(self.process.stdout).close()
        self._log.close()

    def _said(self) -> Any:
        line = self._pipe(self.process.stdout).readline()
        assert line, Path(self._log.name).read_text()
        return json.loads(line)

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


@dataclass
class Stage:
    server: Server
    foreign: Foreign
    secret: str | None

    @property
    def web(self) -> str:
        return self.server.web

    def me(self, browser: Browser) -> Any:
        answer = browser.fetch("GET", f"{self.web}/api/auth/me")
        return answer.json()["data"] if answer.status_code == 200 else None

    def sign_in(self, browser: Browser, name: str, return_to: str = "/livez") -> Any:
        page = browser.open(f"{self.web}/api/auth/login?return_to={return_to}")

        def fill(form: Form) -> None:
            if "login" in form.fields:
                form.fields |= {"login": name, "password": "any"}

        page = browser.send_forms(page, fill, self.web)
        assert page.status_code == 200, page.text
        assert urlsplit(str(page.url)).path == return_to
        return self.me(browser)


@pytest.fixture(scope="module", params=["public", "confidential"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp(request.param)
    foreign = Foreign(folder / "provider.log")
    secret = SECRET if request.param == "confidential" else None
    settings = [f"oidc.issuer={foreign.issuer}", "oidc.client_id=cams"]
    server = Server(
        folder / "server", Evidence(), *settings, *([f"oidc.client_secret={secret}"] if secret else [])
    )
    try:
        server.start()
        foreign.serve(
            {
                "client_id": "cams",
                **({"client_secret": secret} if secret else {"token_endpoint_auth_method": "none"}),
                "redirect_uris": [f"{server.web}/api/auth/callback"],
                "post_logout_redirect_uris": [f"{server.web}/"],
                "backchannel_logout_uri": f"{server.web}/api/auth/backchannel-logout",
                "backchannel_logout_session_required": True,
            }
        )
        yield Stage(server, foreign, secret)
    finally:
        server.stop()
        foreign.stop()


@pytest.fixture
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()


def test_a_person_signs_in(stage: Stage, browser: Browser) -> None:
    me = stage.sign_in(browser, "ada")
    assert (me["email"], me["name"]) == ("ada@example.org", "Ada Lovelace")
    asked = parse_qs(
        urlsplit(next(url for url in browser.visited if url.startswith(stage.foreign.issuer))).query
    )
    assert asked["code_challenge_method"] == ["S256"]
    back = parse_qs(urlsplit(next(url for url in browser.visited if "/callback?" in url)).query)
    assert back["iss"] == [stage.foreign.issuer]


def test_the_same_person_is_the_same_account_and_another_is_another(stage: Stage, browser: Browser) -> None:
    ids = []
    for name in ("ada", "ada", "grace"):
        visitor = Browser()
        ids.append(stage.sign_in(visitor, name)["sub"])
        visitor.close()
    assert ids[0] == ids[1] != ids[2]


def test_somebody_who_is_signed_in_there_is_not_asked_again(stage: Stage, browser: Browser) -> None:
    first = stage.sign_in(browser, "ada")
    page = browser.open(f"{stage.web}/api/auth/login?return_to=/livez")
    assert str(page.url) == f"{stage.web}/livez"
    assert stage.me(browser)["session"]["id"] != first["session"]["id"]


def test_signing_out_here_leads_to_signing_out_there_and_back(stage: Stage, browser: Browser) -> None:
    stage.sign_in(browser, "ada")
    logout_url = browser.fetch("POST", f"{stage.web}/api/auth/logout").json()["data"]["logout_url"]
    assert stage.me(browser) is None
    assert logout_url.startswith(stage.foreign.issuer)
    page = browser.open(logout_url)
    form = Form(page.text)
    assert form.action is not None
    browser.open(urljoin(str(page.url), form.action), {**form.fields, "logout": "yes"})
    assert f"{stage.web}/" in browser.visited
    asked_again = browser.open(f"{stage.web}/api/auth/login")
    assert "login" in Form(asked_again.text).fields  # the provider has forgotten, too


def test_a14_signing_out_there_ends_the_session_here(stage: Stage, browser: Browser) -> None:
    stage.sign_in(browser, "grace")
    elsewhere = Browser()
    stage.sign_in(elsewhere, "ada")
    page = browser.open(f"{stage.foreign.issuer}/session/end")
    form = Form(page.text)
    form.fields["logout"] = "yes"
    browser.open(f"{stage.foreign.issuer}/session/end/confirm", form.fields)
    until(lambda: stage.me(browser) is None, "the session is over", 5)
    assert stage.me(elsewhere) is not None
    elsewhere.close()


def test_saying_no_at_the_provider_is_a_page_here(stage: Stage, browser: Browser) -> None:
    page = browser.open(f"{stage.web}/api/auth/login")
    link = page.text.partition("/abort")[0].rpartition('"')[2] + "/abort"
    page = browser.open(link if link.startswith("http") else stage.foreign.issuer + link)
    assert str(page.url).startswith(f"{stage.web}/api/auth/callback?error=access_denied")
    assert page.status_code == 400
    assert "begin again" in page.text
    assert stage.me(browser) is None


def test_a01_an_answer_carried_to_another_browser_is_refused(stage: Stage, browser: Browser) -> None:
    stage.sign_in(browser, "ada")
    callback = next(url for url in browser.visited if "/callback?" in url)
    assert browser.open(callback).status_code == 400  # used
    victim = Browser()
    assert victim.open(callback).status_code == 400
    assert stage.me(victim) is None
    victim.close()


def test_no_secret_of_the_sign_in_is_in_the_log(stage: Stage, browser: Browser) -> None:
    stage.sign_in(browser, "ada")
    callback = next(url for url in browser.visited if "/callback?" in url)
    given = parse_qs(urlsplit(callback).query)
    text = stage.server.text
    assert '"signed in"' in text or "signed in" in text
    for secret in (given["code"][0], given["state"][0], SECRET):
        assert secret not in text
