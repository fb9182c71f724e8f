from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.servers.smtp import CA_FILE, PASSWORD, USER, SmtpServer


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    server = SmtpServer(asks_password=True)
    yield server
    server.close()


def options(smtp: SmtpServer, folder: Path, **others: str) -> list[str]:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    values = {
        "web.public_url": "https://v.example",
        "mail.host": "127.0.0.1",
        "mail.port": str(smtp.port),
        "mail.ca_file": str(CA_FILE),
        "mail.user": USER,
        "mail.password": PASSWORD,
        "mail.from_address": "visiona@v.example",
        **others,
    }
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


def test_it_goes_as_far_as_an_invitation_and_sends_where_it_is_told_to(
    visiona: Run, smtp: SmtpServer, tmp_path: Path
) -> None:
    said = visiona(*options(smtp, tmp_path), "mail", "check")
    assert (said.code, said.out) == (
        0,
        f"127.0.0.1:{smtp.port} takes mail of this server; add --to ADDRESS to send one\n",
    )
    assert smtp.taken == []
    sent = visiona(*options(smtp, tmp_path), "mail", "check", "--to", "ops@v.example", "--json")
    assert sent.json == {"ok": True, "server": f"127.0.0.1:{smtp.port}", "sent_to": "ops@v.example"}
    assert smtp.taken[0].rcpt_tos == ["ops@v.example"]


@pytest.mark.parametrize(
    ("others", "to", "says"),
    [
        ({"mail.password": "another"}, (), "does not accept mail.user and mail.password (535)"),
        ({"mail.host": "localhost"}, (), "certificate that is not good"),
        ({"mail.tls": "tls"}, (), "does not speak TLS"),
        ({}, ("--to", "ops"), "no mail can be sent to an address like this"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    visiona: Run, smtp: SmtpServer, tmp_path: Path, others: dict[str, str], to: tuple[str, ...], says: str
) -> None:
    said = visiona(*options(smtp, tmp_path, **others), "mail", "check", *to)
    assert (said.code, says in said.err, "[MAIL_REFUSED]" in said.err) == (1, True, True), said.err
    assert len(said.err.splitlines()) == 1
    assert PASSWORD not in said.err + said.out


def test_the_servers_own_words_are_for_the_operator(visiona: Run, smtp: SmtpServer, tmp_path: Path) -> None:
    smtp.answers["RCPT"] = ["550 5.1.1 no such mailbox"]
    said = visiona(*options(smtp, tmp_path), "mail", "check", "--to", "ops@v.example")
    assert "refuses the address (550); it said: 5.1.1 no such mailbox" in said.err


def test_without_a_server_it_says_so(visiona: Run) -> None:
    said = visiona("mail", "check")
    assert (said.code, "mail.host is not set" in said.err) == (1, True)
    wrong = visiona("--set", "mail.host=mail.example", "mail", "check")
    assert (wrong.code, "mail.from_address" in wrong.err or "from_address" in wrong.err) == (2, True)
