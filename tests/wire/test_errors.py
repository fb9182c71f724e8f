"""Whose fault it was is in the type; what to answer is in the error."""

from visiona.wire.errors import LocalProtocolError, ProtocolError, RemoteProtocolError


def test_both_sides_errors_are_protocol_errors_and_not_each_other() -> None:
    ours, theirs = LocalProtocolError("wrote after the end"), RemoteProtocolError("version 7", kind="header")
    assert isinstance(ours, ProtocolError)
    assert isinstance(theirs, ProtocolError)
    assert not isinstance(theirs, LocalProtocolError)
    assert not isinstance(ours, RemoteProtocolError)


def test_a_remote_error_says_its_kind_and_the_status_that_answers_it() -> None:
    assert RemoteProtocolError("version 7", kind="header").status == 400
    error = RemoteProtocolError("17 KiB of head", kind="too_large", status=431)
    assert (error.kind, error.status, str(error)) == ("too_large", 431, "17 KiB of head")
