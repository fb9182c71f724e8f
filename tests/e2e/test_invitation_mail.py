"""A person is invited by a running server through a real mail server, and comes in by what the mail says."""

import re
from pathlib import Path

import pytest

from tests.e2e.client import until
from tests.e2e.evidence import Evidence
from tests.e2e.server import running_server
from tests.support.servers.smtp import CA_FILE, PASSWORD, USER, SmtpServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_a_mail_brings_its_person_in_and_nothing_of_it_stays_behind(folder: Path, evidence: Evidence) -> None:
    smtp = SmtpServer(asks_password=True)
    secret = folder / "password"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text(evidence.secret(PASSWORD, "the mail server's password"))
    secret.chmod(0o600)
    settings = {
        "web.public_url": "https://visiona.example",
        "mail.host": "127.0.0.1",
        "mail.port": str(smtp.port),
        "mail.ca_file": str(CA_FILE),
        "mail.user": USER,
        "mail.password": PASSWORD,
        "mail.from_address": "visiona@visiona.example",
    }
    flags = [f"{name}={value}" for name, value in settings.items()]
    try:
        with running_server(folder / "server", evidence, *flags) as server:
            owner, guest = server.person("owner"), server.person("guest")
            lab = owner.ask("POST", "/api/workspaces", {"name": "Lab"}).data["id"]
            members = f"/api/workspaces/{lab}/members"
            asked = owner.ask("POST", members, {"email": "guest@example.org", "language": "zh-TW"}).data
            evidence.secret(asked["token"], "an invitation")
            assert asked["mail"] == "queued"
            until(lambda: bool(smtp.taken), "the mail arrives")
            message = smtp.message()
            assert (message["To"], message["Subject"]) == ("guest@example.org", "邀請您加入工作區「Lab」")
            plain = message.get_body(("plain",))
            assert plain is not None
            (link,) = re.findall(r"https://\S+", plain.get_content())
            token = link.removeprefix("https://visiona.example/invitation#")
            assert guest.ask("POST", "/api/invitations/accept", {"token": token}).status == 200
            waiting = owner.ask("POST", members, {"email": "nobody@example.org"}).data
            evidence.secret(waiting["token"], "an invitation")
            until(lambda: len(smtp.taken) == 2, "the second mail arrives")

            def became() -> str:
                items = owner.ask("GET", f"/api/workspaces/{lab}/invitations").data["items"]
                return str(items[0]["mail"])

            until(lambda: became() == "sent", "the list says so")
            until(lambda: len(server.lines("a mail was sent")) == 2, "the log says so")
            assert server.lines("example.org", "mail was sent") == []
        assert evidence.leaks() == []
    finally:
        smtp.close()
