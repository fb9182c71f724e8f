"""Why a mail was not taken, in one sentence without a word of the server's: its words are for the log alone."""

import smtplib
import socket
import ssl

MAX_SERVER_CHARACTERS = 200


class MailFault(Exception):
    """The mail was not taken.

    Attributes:
        sentence: what happened and what to do, for whoever may know where this server sends its mail.
        is_lasting: trying again gives the same.
        of_address: the server takes mail, and not for this address.
        said: the server's own words, if there were any; for the log.
    """

    def __init__(
        self, sentence: str, *, is_lasting: bool = False, of_address: bool = False, said: str = ""
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.is_lasting = is_lasting
        self.of_address = of_address
        self.said = said


def fault_of(error: Exception, place: str) -> MailFault:
    """What an error of smtplib, of TLS or of the network means; `place` is host:port."""
    match error:
        case smtplib.SMTPException():
            return _of_smtp(error, place)
        case ssl.SSLCertVerificationError():
            return MailFault(
                f"{place} shows a certificate that is not good for it ({error.verify_message}); name who vouches for"
                " it by mail.ca_file, or give mail.host the name that it is for",
                is_lasting=True,
            )
        case ssl.SSLError():
            return MailFault(
                f"{place} does not speak TLS as mail.tls says; starttls is usual on port 587, tls on 465",
                is_lasting=True,
            )
        case socket.gaierror():
            return MailFault(f"nobody knows the address of {place}; check mail.host")
        case TimeoutError():
            return too_slow(place)
        case _:
            why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            return MailFault(f"{place} cannot be reached ({why}); check mail.host and mail.port")


def too_slow(place: str) -> MailFault:
    """The whole took too long."""
    return MailFault(f"{place} did not take the mail in time")


def _of_smtp(error: smtplib.SMTPException, place: str) -> MailFault:
    match error:
        case smtplib.SMTPNotSupportedError():
            return _not_supported(str(error), place)
        case smtplib.SMTPServerDisconnected():
            return MailFault(f"{place} ended the connection before it took the mail")
        case smtplib.SMTPRecipientsRefused():
            code, said = next(iter(error.recipients.values()))
            return _of_code(code, said, f"{place} refuses the address", of_address=True)
        case smtplib.SMTPAuthenticationError():
            fault = f"{place} does not accept mail.user and mail.password"
            return _of_code(error.smtp_code, error.smtp_error, fault)
        case smtplib.SMTPSenderRefused():
            fault = f"{place} does not send mail from mail.from_address"
            return _of_code(error.smtp_code, error.smtp_error, fault)
        case smtplib.SMTPResponseException():
            return _of_code(error.smtp_code, error.smtp_error, f"{place} refuses the mail")
        case _:
            if "authentication" in str(error):
                return _not_supported(str(error), place)
            return MailFault(f"{place} does not speak SMTP as it should", said=_clean(str(error)))


def _not_supported(text: str, place: str) -> MailFault:
    if "STARTTLS" in text:
        sentence = f"{place} offers no STARTTLS, and without it nothing is sent; see mail.tls"
    elif "SMTPUTF8" in text:
        return MailFault(
            f"{place} takes no address with letters beyond ASCII", is_lasting=True, of_address=True
        )
    else:
        sentence = (
            f"{place} offers no way to sign in that is known here; leave mail.user out if it asks for none"
        )
    return MailFault(sentence, is_lasting=True)


def _of_code(code: int, said: bytes | str, sentence: str, *, of_address: bool = False) -> MailFault:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    # RFC 5321 §4.2.1: 4yz may be tried again, 5yz not.
    return MailFault(f"{sentence} ({code})", is_lasting=code >= 500, of_address=of_address, said=_clean(text))


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:MAX_SERVER_CHARACTERS]
