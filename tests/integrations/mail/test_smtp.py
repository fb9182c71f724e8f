"""Mails handed to a real mail server, and to ones that are not as they should be."""

import contextlib
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing
from visiona.integrations.mail.faults import MailFault
from visiona.integrations.mail.letters import Letter
from visiona.integrations.mail.settings import MailSettings
from visiona.integrations.mail.smtp import MailServer

from tests.support.servers.smtp import CA_FILE, PASSWORD, USER, SmtpServer

LETTER = Letter(
    "invitation 1", "bob@example.com", "Come in", "Open https://v.example/#x\n", "<p>Open</p>\n", "en"
)


@contextlib.contextmanager
def smtp(tls: str = "starttls", **how: Any) -> Iterator[tuple[SmtpServer, MailSettings]]:
    server = SmtpServer(tls, **how)
    with_password = how.get("asks_password", False)
    try:
        yield (
            server,
            MailSettings(
                host="127.0.0.1",
                port=server.port,
                tls=tls,
                ca_file=CA_FILE,
                user=USER if with_password else None,
                password=PASSWORD if with_password else None,
                from_address="visiona@example.org",
                timeout_seconds=5.0,
            ),
        )
    finally:
        server.close()


async def refused(settings: MailSettings, letter: Letter = LETTER) -> MailFault:
    with pytest.raises(MailFault) as caught:
        await MailServer(settings).deliver(letter)
    assert PASSWORD not in f"{caught.value!r}{caught.value.said}"
    return caught.value


@pytest.mark.parametrize("tls", ["starttls", "tls", "none"])
@pytest.mark.parametrize("asks_password", [True, False])
async def test_a_mail_arrives_as_it_was_written(tls: str, asks_password: bool) -> None:
    with smtp(tls, asks_password=asks_password) as (server, settings):
        await MailServer(settings).deliver(replace(LETTER, subject="Kommen Sie: 實驗室", text="…\nGrüße\n"))
        await MailServer(settings).check()
        (envelope,) = server.taken
        message = server.message()
    assert (envelope.mail_from, envelope.rcpt_tos) == ("visiona@example.org", ["bob@example.com"])
    assert (message["To"], message["From"]) == ("bob@example.com", "visiona <visiona@example.org>")
    assert (message["Subject"], message["Auto-Submitted"]) == ("Kommen Sie: 實驗室", "auto-generated")
    assert message["Content-Language"] == "en"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().splitlines() == ["…", "Grüße"]
    assert html.get_content().splitlines() == ["<p>Open</p>"]
    assert isinstance(envelope.content, bytes)
    assert envelope.content.isascii()
    assert max(len(line) for line in envelope.content.splitlines()) < 200


async def test_a_certificate_of_nobody_we_trust_is_refused_before_anything_is_said() -> None:
    for tls in ("starttls", "tls"):
        with smtp(tls, certificate="two", asks_password=True) as (server, settings):
            fault = await refused(settings)
            assert (server.taken, fault.is_lasting) == ([], True)
        assert "certificate that is not good" in fault.sentence
        assert "mail.ca_file" in fault.sentence


async def test_a_certificate_for_another_name_is_refused() -> None:
    with smtp() as (server, settings):
        fault = await refused(replace(settings, host="localhost"))
        assert server.taken == []
    assert "not good for it" in fault.sentence


async def test_nothing_is_sent_in_clear_where_tls_was_asked_for() -> None:
    with smtp("none") as (server, settings):
        starttls = await refused(replace(settings, tls="starttls"))
        implicit = await refused(replace(settings, tls="tls"))
        assert server.taken == []
    assert (starttls.is_lasting, "offers no STARTTLS" in starttls.sentence) == (True, True)
    assert (implicit.is_lasting, "does not speak TLS" in implicit.sentence) == (True, True)


async def test_a_wrong_password_is_a_sentence() -> None:
    with smtp(asks_password=True) as (_, settings):
        fault = await refused(replace(settings, password="another"))
        nobody = await refused(replace(settings, user=None, password=None))
    assert (fault.is_lasting, "mail.password (535)" in fault.sentence) == (True, True)
    assert nobody.is_lasting
    with smtp(knows_passwords=False) as (_, settings):
        assert (
            "leave mail.user out" in (await refused(replace(settings, user=USER, password=PASSWORD))).sentence
        )


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
async def test_4xx_may_be_tried_again_and_5xx_not(command: str) -> None:
    with smtp() as (server, settings):
        server.answers[command] = ["451 4.7.1 come again", "550 5.1.1 nobody\tof \x1b[31mthis name"]
        greylisted, unknown = await refused(settings), await refused(settings)
        await MailServer(settings).deliver(LETTER)
        assert len(server.taken) == 1
    assert (greylisted.is_lasting, unknown.is_lasting) == (False, True)
    assert (greylisted.of_address, unknown.of_address) == (command == "RCPT", command == "RCPT")
    assert ("(451)" in greylisted.sentence, "(550)" in unknown.sentence) == (True, True)
    # The server's own words are for the log, without what would act there.
    assert "nobody" not in unknown.sentence
    assert ("nobody" in unknown.said, unknown.said.isprintable()) == (True, True)


async def test_an_address_beyond_ascii_needs_a_server_that_takes_it() -> None:
    umlaut = replace(LETTER, to="björn@bücher.example")
    with smtp() as (server, settings):
        await MailServer(settings).deliver(umlaut)
        assert server.taken[0].rcpt_tos == ["björn@xn--bcher-kva.example"]
    with smtp(takes_utf8=False) as (server, settings):
        fault = await refused(settings, umlaut)
        # A domain alone is no matter: it has a spelling in ASCII.
        await MailServer(settings).deliver(replace(LETTER, to="bjorn@bücher.example"))
        assert server.taken[0].rcpt_tos == ["bjorn@xn--bcher-kva.example"]
    assert (fault.is_lasting, fault.of_address) == (True, True)


async def test_a_mail_that_was_taken_is_not_sent_again_because_the_goodbye_failed() -> None:
    with smtp() as (server, settings):
        server.answers["QUIT"] = ["451 not now"]
        await MailServer(settings).deliver(LETTER)
        server.hangs_at_the_end = True
        with pytest.MonkeyPatch.context() as patch, trio.fail_after(3):
            patch.setattr("visiona.integrations.mail.smtp.QUIT_SECONDS", 0.01)
            await MailServer(settings).deliver(LETTER)
        assert len(server.taken) == 2


@contextlib.contextmanager
def listening(*, accepts: bool) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        if not accepts:
            server.close()
        yield port


async def test_a_server_that_says_nothing_is_left_at_the_deadline() -> None:
    with listening(accepts=True) as port:
        settings = MailSettings(
            host="127.0.0.1", port=port, from_address="visiona@example.org", timeout_seconds=0.3
        )
        with trio.fail_after(3):
            fault = await refused(settings)
    assert (fault.is_lasting, fault.sentence) == (False, f"127.0.0.1:{port} did not take the mail in time")


async def test_a_server_that_drips_is_left_at_the_deadline_and_holds_no_thread() -> None:
    """Each byte comes in time; the whole does not."""
    threads_before = trio.to_thread.current_default_thread_limiter().borrowed_tokens
    ended = trio.Event()

    async def drip(stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(b"2")
                with trio.move_on_after(0.05):
                    if not await stream.receive_some():
                        break
        ended.set()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, drip, listeners)
        port = listeners[0].socket.getsockname()[1]
        settings = MailSettings(
            host="127.0.0.1", port=port, from_address="visiona@example.org", timeout_seconds=0.5
        )
        with trio.fail_after(3):
            assert "in time" in (await refused(settings)).sentence
            await ended.wait()
            while trio.to_thread.current_default_thread_limiter().borrowed_tokens > threads_before:
                await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()


async def test_where_nobody_is_the_fault_says_where_to_look() -> None:
    with listening(accepts=False) as port:
        settings = MailSettings(host="127.0.0.1", port=port, from_address="visiona@example.org")
        fault = await refused(settings)
    assert (fault.is_lasting, "Connection refused" in fault.sentence) == (False, True)
    unknown = await refused(replace(settings, host="mail.invalid"))
    assert "check mail.host" in unknown.sentence


async def test_no_secret_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with smtp(asks_password=True) as (_, settings):
        await MailServer(settings).deliver(LETTER)
    # aiosmtpd tells what it hears.
    logged = "".join(each.getMessage() for each in caplog.records if not each.name.startswith("mail."))
    assert PASSWORD not in logged + repr(settings)
    assert "v.example" not in logged + repr(LETTER)
