import json
import logging

import pytest
from visiona.domain import errors
from visiona.domain.errors import (
    DeviceOffline,
    Gone,
    Invalid,
    NotFound,
    NotSignedIn,
    PairingRefused,
    TooMany,
    VisionaError,
)
from visiona.stores.errors import StoreConflict, StoreUnavailable
from visiona.web.errors import STATUS, MethodNotAllowed, NotOffered, error_response, is_answer, one_error
from visiona.wire.errors import RemoteProtocolError


def body_of(error: BaseException) -> dict[str, object]:
    response = error_response(error, "rid")
    assert dict(response.headers)[b"Content-Length"] == str(len(response.body)).encode()
    body: dict[str, object] = json.loads(response.body)
    return body


def test_every_error_of_the_domain_has_its_status() -> None:
    leaves = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, VisionaError) and kind is not VisionaError
    ]
    assert len(leaves) >= 12
    assert set(leaves) <= set(STATUS)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Invalid("x"), 400, "VALIDATION_FAILED"),
        (NotSignedIn("x"), 401, "UNAUTHENTICATED"),
        (PairingRefused("x", code="PAIRING_TOKEN_USED"), 401, "PAIRING_TOKEN_USED"),
        (NotFound("x"), 404, "NOT_FOUND"),
        (MethodNotAllowed("x"), 405, "METHOD_NOT_ALLOWED"),
        (Gone("x", code="NOT_IMPLEMENTED"), 410, "NOT_IMPLEMENTED"),
        (TooMany("x", retry_after_seconds=7), 429, "RATE_LIMITED"),
        (NotOffered("x"), 501, "NOT_IMPLEMENTED"),
        (DeviceOffline("x"), 503, "DEVICE_OFFLINE"),
        (StoreUnavailable("x"), 503, "STORE_UNAVAILABLE"),
        (RemoteProtocolError("x", kind="framing"), 400, "VALIDATION_FAILED"),
        (RemoteProtocolError("x", kind="framing", status=501), 501, "NOT_IMPLEMENTED"),
        (RemoteProtocolError("x", kind="head", status=431), 431, "VALIDATION_FAILED"),
    ],
)
def test_the_table(error: Exception, status: int, code: str) -> None:
    assert is_answer(error)
    assert error_response(error, "rid").status == status
    body = body_of(error)
    assert body["success"] is False
    assert body["error"]["code"] == code
    assert body["error"]["request_id"] == "rid"


def test_the_headers_that_go_with_a_status() -> None:
    assert dict(error_response(TooMany("x", retry_after_seconds=7), "r").headers)[b"Retry-After"] == b"7"
    assert dict(error_response(TooMany("x", retry_after_seconds=0), "r").headers)[b"Retry-After"] == b"1"
    assert dict(error_response(NotSignedIn("x"), "r").headers)[b"WWW-Authenticate"].startswith(b"Bearer")
    allow = error_response(MethodNotAllowed("x", allowed=frozenset({"POST", "GET"})), "r").headers
    assert dict(allow)[b"Allow"] == b"GET, POST"


def test_a_subclass_has_the_status_of_its_parent() -> None:
    class Special(NotFound):
        pass

    assert error_response(Special("x"), "r").status == 404


@pytest.mark.parametrize(
    "bug", [ValueError("hush"), VisionaError("hush"), StoreConflict("hush"), KeyError("hush")]
)
def test_everything_else_is_a_bug_logged_once_and_never_shown(
    bug: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    response = error_response(bug, "rid")
    assert response.status == 500
    assert b"hush" not in response.body
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_refusal_is_not_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    error_response(NotFound("x"), "r")
    assert caplog.records == []


def test_of_a_group_a_bug_speaks_first_then_a_cancellation_then_the_answer() -> None:
    answer, bug, cancelled = NotFound("x"), ValueError("bug"), KeyboardInterrupt()
    assert one_error(ExceptionGroup("g", [answer, ExceptionGroup("h", [bug])])) is bug
    assert one_error(ExceptionGroup("g", [answer])) is answer
    assert one_error(BaseExceptionGroup("g", [answer, cancelled])) is cancelled
    assert one_error(BaseExceptionGroup("g", [cancelled, bug])) is bug


def test_details_of_a_refusal_are_shown_and_absent_ones_are_not_there() -> None:
    assert body_of(NotFound("x"))["error"] == {"code": "NOT_FOUND", "message": "x", "request_id": "rid"}
    error = DeviceOffline("gone", details={"since": "2026-01-01T00:00:00Z", "cause": "replaced"})
    assert body_of(error)["error"]["details"] == {"since": "2026-01-01T00:00:00Z", "cause": "replaced"}
