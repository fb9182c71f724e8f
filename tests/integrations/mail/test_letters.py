import contextlib
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visiona.integrations.mail.faults import MailFault
from visiona.integrations.mail.letters import Letter, written

AT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
LETTER = Letter("i1", "bob@example.com", "Come in", "Open https://v.example/#x", "<p>Open</p>", "zh-TW")
SENDER = "visiona@example.org"


def test_a_mail_has_what_a_mail_needs() -> None:
    done = written(LETTER, SENDER, AT)
    message = done.message
    assert (done.sender, done.to) == (SENDER, "bob@example.com")
    assert message["Date"] == "Wed, 02 Jan 2030 03:04:05 +0000"
    assert message["Content-Language"] == "zh-TW"
    assert message["Message-ID"].endswith("@example.org>")
    assert written(LETTER, SENDER, AT).message["Message-ID"] != message["Message-ID"]
    assert message.get_content_type() == "multipart/alternative"
    assert "v.example" not in repr(LETTER)


NAMES = sorted(
    [
        *(b"from", b"to", b"subject", b"date", b"message-id", b"content-language", b"auto-submitted"),
        *(b"mime-version", b"content-type"),
    ]
)


def names_in(letter: Letter) -> list[bytes]:
    """Of the headers, as a mail server reads them."""
    head, _, _ = bytes(written(letter, SENDER, AT).message).partition(b"\r\n\r\n")
    lines = re.split(rb"\r\n|\r|\n", head)
    return sorted(line.partition(b":")[0].lower() for line in lines if line[:1] not in {b" ", b"\t"})


@pytest.mark.parametrize(
    "evil",
    [
        "x\r\nBcc: eve@example.com",
        "x\nBcc: eve@example.com",
        "x\rBcc: eve@example.com",
        "x\r\n\r\nanother body",
        "x\u2028Bcc: eve@example.com",
        "x\x85Bcc: eve@example.com",
        "=?utf-8?q?x=0D=0ABcc:_eve=40example.com?=",
        "a =?utf-8?b?eA0KQmNjOiBldmVAZXhhbXBsZS5jb20=?= b",
        "==??utf-8?q?x=0D=0ABcc:_eve=40example.com?=",
        "x\x00y\udc80",
    ],
)
def test_no_subject_becomes_a_header(evil: str) -> None:
    """The library that writes it decodes what looks like an encoded word (RFC 2047), line ends and all."""
    assert names_in(replace(LETTER, subject=evil)) == NAMES


@given(
    st.text() | st.from_regex(r"(x ?|)=\?(utf-8|x)\?[qb]\?[A-Za-z0-9=_+/:]{0,40}\?= ?.{0,5}", fullmatch=True)
)
def test_nor_does_any_other_text(text: str) -> None:
    assert names_in(replace(LETTER, subject=text, text=text, html=text)) == NAMES


@given(st.from_regex(r"=\?utf-8\?[qb]\?[a-z0-9=_+/]{0,20}\?=", fullmatch=True))
def test_nor_an_address(local: str) -> None:
    with contextlib.suppress(MailFault):
        assert names_in(replace(LETTER, to=f"{local}@example.com")) == NAMES


@pytest.mark.parametrize(
    "address",
    [
        *("bob", "bob@", "@example.com", "bob(eve)@example.com", '"bob"@example.com', "bob@[192.0.2.1]"),
        *("bob..b@example.com", "bob@exa mple.com", "bob@example.com\r\nRCPT TO:<eve@example.com>"),
        *("bob@-example.com", "b" * 65 + "@example.com", "bob@" + "ü" * 70 + ".com", "\udc80@example.com"),
        "=?utf-8?q?x=0d=0abcc:_eve=40example.com?=@example.com",
    ],
)
def test_an_address_that_readers_could_disagree_on_gets_none(address: str) -> None:
    with pytest.raises(MailFault) as caught:
        written(replace(LETTER, to=address), SENDER, AT)
    assert (caught.value.is_lasting, caught.value.of_address) == (True, True)


def test_a_long_subject_is_cut() -> None:
    subject = written(replace(LETTER, subject="實" * 1000), SENDER, AT).message["Subject"]
    assert len(subject) == 150
