import socket
import ssl

import trio
from visiona.agent.reasons import ending_of, reason_of
from visiona.tunnel.errors import TunnelClosed


def wrapped(inner: BaseException) -> OSError:
    error = OSError("all attempts to connect to 10.0.0.1:1 failed")
    error.__cause__ = OSError("once more")
    error.__cause__.__cause__ = ExceptionGroup("multiple connection attempts failed", [inner])
    return error


def test_the_systems_own_words_are_found_under_all_wrapping() -> None:
    assert reason_of(wrapped(ConnectionRefusedError(111, "Connection refused"))) == "Connection refused"
    assert reason_of(socket.gaierror(-2, "Name or service not known")) == "Name or service not known"


def test_tls_says_what_is_wrong_with_the_certificate() -> None:
    certificate = ssl.SSLCertVerificationError(1, "certificate verify failed")
    certificate.verify_message = "self-signed certificate"
    broken = trio.BrokenResourceError()
    broken.__cause__ = certificate
    assert reason_of(broken) == "its certificate is not trusted: self-signed certificate"


def test_an_error_without_words_is_named() -> None:
    assert reason_of(trio.BrokenResourceError()) == "BrokenResourceError"
    assert (
        reason_of(trio.BrokenResourceError("the relay closed the connection"))
        == "the relay closed the connection"
    )


def test_who_ended_a_tunnel_is_said_from_where_the_agent_stands() -> None:
    assert ending_of(TunnelClosed("agent_closed", "go_away")) == "the relay closed it (go_away)"
    assert ending_of(TunnelClosed("agent_closed")) == "the relay closed it"
    assert ending_of(TunnelClosed("keepalive_timeout")) == "nothing was heard from the relay for too long"
    assert ending_of(TunnelClosed("something_new")) == "something_new"
