import logging
from dataclasses import replace

import pytest
import trio
import trio.testing
from visiona.integrations.mail import outbox as module
from visiona.integrations.mail.faults import MailFault
from visiona.integrations.mail.letters import Letter
from visiona.integrations.mail.outbox import RETRY_SECONDS, Fate, MailState, Outbox

LETTER = Letter("i1", "bob@example.com", "Come in", "https://v.example/#secret", "<p>", "en")
DOWN = MailFault("mail.example:587 cannot be reached")


class Server:
    """Takes mails, or says what it was told to."""

    def __init__(self, *faults: MailFault) -> None:
        self.faults = list(faults)
        self.tried_at: list[float] = []
        self.opens = trio.Event()
        self.opens.set()

    async def deliver(self, letter: Letter) -> None:
        self.tried_at.append(trio.current_time())
        await self.opens.wait()
        if self.faults:
            raise self.faults.pop(0)


async def test_a_mail_is_taken_at_once_and_sent_meanwhile(nursery: trio.Nursery) -> None:
    server = Server()
    server.opens = trio.Event()
    outbox = Outbox(server.deliver)
    await nursery.start(outbox.run)
    assert outbox.post(LETTER) == Fate(MailState.QUEUED)
    await trio.testing.wait_all_tasks_blocked()
    assert outbox.fate_or_none("i1") == Fate(MailState.QUEUED)
    server.opens.set()
    await trio.testing.wait_all_tasks_blocked()
    assert outbox.fate_or_none("i1") == Fate(MailState.SENT)
    assert outbox.fate_or_none("i2") is None


async def test_what_may_pass_is_tried_again_and_then_given_up(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    server = Server(*[DOWN] * 4)
    outbox = Outbox(server.deliver)
    await nursery.start(outbox.run)
    began_at = trio.current_time()
    outbox.post(LETTER)
    await trio.sleep(1)
    waiting = outbox.fate_or_none("i1")
    assert waiting is not None
    assert waiting.state is MailState.QUEUED
    await trio.sleep(sum(RETRY_SECONDS) + 1)
    first, second, third = RETRY_SECONDS
    assert [at - began_at for at in server.tried_at] == [0, first, first + second, first + second + third]
    failed = outbox.fate_or_none("i1")
    assert failed is not None
    assert failed.state is MailState.FAILED
    # Where the mail server is, is the operator's alone.
    assert "mail.example" not in f"{waiting.why}{failed.why}"


async def test_what_was_refused_for_good_is_not_tried_again(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    server = Server(MailFault("mail.example:25 refuses the address (550)", is_lasting=True, of_address=True))
    outbox = Outbox(server.deliver)
    await nursery.start(outbox.run)
    outbox.post(LETTER)
    await trio.sleep(10_000)
    assert len(server.tried_at) == 1
    assert outbox.fate_or_none("i1") == Fate(
        MailState.FAILED, "the mail server does not take mail for this address"
    )


async def test_one_that_is_slow_holds_no_other(nursery: trio.Nursery) -> None:
    server = Server()
    server.opens = trio.Event()
    outbox = Outbox(server.deliver)
    await nursery.start(outbox.run)
    outbox.post(LETTER)
    await trio.testing.wait_all_tasks_blocked()
    server.opens, slow = trio.Event(), server.opens
    server.opens.set()
    outbox.post(replace(LETTER, key="i2"))
    await trio.testing.wait_all_tasks_blocked()
    assert outbox.fate_or_none("i2") == Fate(MailState.SENT)
    slow.set()


async def test_more_than_may_wait_fail_at_once(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    server = Server()
    server.opens = trio.Event()
    outbox = Outbox(server.deliver)
    assert outbox.post(LETTER).state is MailState.FAILED
    await nursery.start(outbox.run)
    states = [outbox.post(replace(LETTER, key=f"i{number}")).state for number in range(4)]
    assert states == [MailState.QUEUED, MailState.QUEUED, MailState.FAILED, MailState.FAILED]
    assert outbox.fate_or_none("i0") is None
    server.opens.set()
    await trio.testing.wait_all_tasks_blocked()
    assert outbox.post(LETTER).state is MailState.QUEUED


async def test_what_is_left_when_the_server_stops_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(DOWN)
    outbox = Outbox(server.deliver)
    async with trio.open_nursery() as nursery:
        await nursery.start(outbox.run)
        outbox.post(LETTER)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    (line,) = [each for each in caplog.records if "before the server stopped" in each.getMessage()]
    assert line.__dict__["mails"] == 1
    assert outbox.post(LETTER).state is MailState.FAILED


async def test_no_secret_is_in_the_log(caplog: pytest.LogCaptureFixture, nursery: trio.Nursery) -> None:
    caplog.set_level(logging.DEBUG)
    outbox = Outbox(Server(DOWN).deliver)
    await nursery.start(outbox.run)
    outbox.post(LETTER)
    await trio.testing.wait_all_tasks_blocked()
    assert caplog.records
    assert "secret" not in caplog.text + repr([vars(each) for each in caplog.records])
