import smtplib
import socket
import ssl

import pytest
from visiona.integrations.mail.faults import fault_of, too_slow

PLACE = "mail.example:587"


@pytest.mark.parametrize(
    ("error", "words", "is_lasting"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused", False),
        (socket.gaierror(-2, "unknown"), "check mail.host", False),
        (TimeoutError("timed out"), "in time", False),
        (ssl.SSLError(1, "wrong version number"), "does not speak TLS", True),
        (smtplib.SMTPServerDisconnected("gone"), "ended the connection", False),
        (smtplib.SMTPConnectError(421, b"busy"), "(421)", False),
        (smtplib.SMTPSenderRefused(553, b"not you", "a@b.c"), "mail.from_address (553)", True),
        (smtplib.SMTPHeloError(504, b"who"), "(504)", True),
        (smtplib.SMTPException("No suitable authentication method found."), "way to sign in", True),
        (smtplib.SMTPException("odd"), "does not speak SMTP", False),
        (ValueError("odd"), "ValueError", False),
    ],
)
def test_each_trouble_is_one_sentence(error: Exception, words: str, is_lasting: bool) -> None:
    fault = fault_of(error, PLACE)
    assert PLACE in fault.sentence
    assert words in fault.sentence
    assert "\n" not in fault.sentence
    assert fault.is_lasting == is_lasting


def test_a_deadline_that_passed_may_be_kept_the_next_time() -> None:
    assert not too_slow(PLACE).is_lasting


def test_the_servers_words_are_bounded_and_harmless() -> None:
    said = fault_of(smtplib.SMTPDataError(554, b"\x1b[31m" + b"x" * 1000 + b"\r\n"), PLACE).said
    assert (len(said), said.isprintable()) == (200, True)
