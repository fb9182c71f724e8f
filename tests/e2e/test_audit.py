"""Everything that can be done, done once on a running server: it is in the audit log, and no secret is."""

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import httpx
import pytest

from tests.e2e.client import until
from tests.e2e.evidence import Evidence
from tests.e2e.server import Server, in_process, running_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PASSWORD, WRONG, NEXT = "first horse battery", "wrong horse battery", "next horse battery"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, evidence: Evidence) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("audit"), evidence) as server:
        yield server


def _link(server: Server, *who: str) -> str:
    """A one-time link, as the command prints it: what it prints is a secret on purpose, and no evidence."""
    said = in_process("--set", f"state_dir={server.state}", "user", "link", *who, "--url", server.web)
    assert said.code == 0, said
    server.evidence.secret(said.out.strip().rpartition("/")[2], "a one-time link")
    return said.out.strip()


class Person:
    """A browser, and every secret that it saw."""

    def __init__(self, server: Server, secrets: set[str]) -> None:
        self.server, self.secrets = server, secrets
        self.http = httpx.Client(follow_redirects=True, headers={"Accept": "text/html"}, trust_env=False)
        self.http.event_hooks["response"] = [self._note]

    def _note(self, response: httpx.Response) -> None:
        for name in ("code", "state", "nonce", "code_challenge"):
            self.secrets |= {
                unescape(each) for each in re.findall(rf"[?&]{name}=([\w.~-]{{16,}})", str(response.url))
            }
        self.secrets |= {cookie.value for cookie in self.http.cookies.jar if cookie.value}

    def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        found = re.search(r'name="form" value="([^"]+)"', page.text)
        assert found, page.text
        sealed = unescape(found[1])
        self.secrets |= {sealed, *(fields[name] for name in fields if name in {"password", "again"})}
        return self.http.post(page.url, data={"form": sealed, **fields})

    def ask(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        headers = {"X-Visiona-CSRF": "1", "Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
        answer = self.http.request(method, self.server.web + path, json=body, headers=headers)
        assert answer.status_code < 300 if status is None else answer.status_code == status, answer.text
        return answer.json().get("data") if answer.content else None


def first_sign_in(server: Server, secrets: set[str]) -> Person:
    person = Person(server, secrets)
    link = _link(server, "--first")
    secrets.add(link.rpartition("/")[2])
    person.submit(person.http.get(link), email="ada@example.org", password=PASSWORD, again=PASSWORD)
    person.ask("POST", "/api/auth/logout")
    person.submit(person.http.get(f"{server.web}/api/auth/login"), email="ada@example.org", password=WRONG)
    person.submit(person.http.get(f"{server.web}/api/auth/login"), email="ada@example.org", password=PASSWORD)
    link = _link(server, "ada@example.org")
    secrets.add(link.rpartition("/")[2])
    person.submit(person.http.get(link), password=NEXT, again=NEXT)
    return person


def pair_and_unpair(server: Server, person: Person, secrets: set[str]) -> None:
    unused = person.ask("POST", "/api/pairing/token", {"name": "unused"})
    person.ask("DELETE", f"/api/pairing/tokens/{unused['id']}")
    token = person.ask("POST", "/api/pairing/token", {"name": "Gate"})["token"]
    exchange = {"pairing_token": token, "serial_number": "S-1", "idempotency_key": "k" * 20}
    done = httpx.post(f"{server.web}/api/pairing/exchange", json=exchange, trust_env=False).json()["data"]
    again = httpx.post(
        f"{server.web}/api/pairing/exchange", json={"pairing_token": unused["token"]}, trust_env=False
    )
    assert again.status_code == 401
    secrets |= {token, unused["token"], done["session_token"], exchange["idempotency_key"]}
    person.ask("PATCH", f"/api/devices/{done['device_id']}", {"name": "Gate 2", "tags": ["north"]})
    person.ask("DELETE", f"/api/devices/{done['device_id']}")
    upgrade = {
        "Authorization": f"Bearer {done['session_token']}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
    }
    upgrade |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
    knocked = httpx.get(
        f"{server.relay.replace('ws', 'http', 1)}/tunnel/connect", headers=upgrade, trust_env=False
    )
    assert knocked.status_code == 401, knocked.text


def tokens_and_refusals(server: Server, person: Person, secrets: set[str]) -> None:
    made = person.ask("POST", "/api/auth/tokens", {"name": "program", "scopes": ["account"]})
    secrets.add(made["token"])
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert httpx.get(f"{server.web}/api/devices", headers=bearer, trust_env=False).status_code == 403
    person.ask("DELETE", f"/api/auth/tokens/{made['id']}")
    assert httpx.get(f"{server.web}/api/devices", headers=bearer, trust_env=False).status_code == 401


def log_of(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.run("audit", "export").out.splitlines()]


def test_s08_everything_is_on_record_and_no_secret_is(server: Server, request: pytest.FixtureRequest) -> None:
    secrets: set[str] = {PASSWORD, WRONG, NEXT}
    person = first_sign_in(server, secrets)
    request.addfinalizer(person.http.close)
    pair_and_unpair(server, person, secrets)
    tokens_and_refusals(server, person, secrets)
    mine = person.ask("GET", "/api/audit?deed=unpaired")["items"]
    person.ask("POST", "/api/auth/logout")
    server.run("user", "disable", "ada@example.org")
    server.run("user", "enable", "ada@example.org")
    until(
        lambda: {"credential_refused", "device_refused"} <= {each["deed"] for each in log_of(server)},
        "refusals are written",
    )
    log = log_of(server)
    assert {each["deed"] for each in log} == {
        *("link_created", "link_used", "user_created", "password_changed", "sign_in", "sign_in_refused"),
        *("sign_out", "session_ended", "pairing_token_created", "pairing_token_revoked", "pairing_refused"),
        *("paired", "device_changed", "unpaired", "device_refused", "token_created", "token_revoked"),
        *("access_refused", "credential_refused", "user_disabled", "user_enabled", "audit_exported"),
    }
    assert [each["deed"] for each in mine] == ["unpaired"]
    by_people = [each for each in log if each["through"] in {"session", "token", "agent", "nobody"}]
    # Also of a sign-in, on whose way the server has asked itself as the identity provider.
    assert {each["address"] for each in by_people if each["deed"] != "link_created"} == {"127.0.0.1"}
    assert all(each.get("request_id") for each in log if each["deed"] in {"sign_in", "paired", "unpaired"})
    assert {each["email"] for each in log if each["deed"] in {"sign_in", "sign_out", "paired"}} == {
        "ada@example.org"
    }
    text = json.dumps(log, ensure_ascii=False)
    assert len(secrets) > 15
    assert [secret for secret in secrets if secret in text or secret[12:44] in text] == []
