import pytest
from visiona.wire.errors import RemoteProtocolError
from visiona.wire.http1.fields import Header
from visiona.wire.http1.framing import (
    CHUNKED,
    MAX_LENGTH_DIGITS,
    NO_BODY,
    UNTIL_CLOSE,
    Framing,
    Sized,
    expects_continue,
    request_framing,
    response_framing,
)
from visiona.wire.http1.head import RequestHead, ResponseHead

from tests.wire.http1.support import request_head, response_head


def made_request(*headers: tuple[bytes, bytes], version: bytes = b"1.1") -> RequestHead:
    """A head that llhttp never saw, as an ASGI server hands one on."""
    return RequestHead(b"POST", b"/", version, headers)


def made_response(*headers: tuple[bytes, bytes], version: bytes = b"1.1") -> ResponseHead:
    return ResponseHead(200, b"OK", version, headers)


@pytest.mark.parametrize(
    ("field", "framing"),
    [
        (b"Accept: x", NO_BODY),
        (b"Content-Length: 0", Sized(0)),
        (b"Content-Length: 17", Sized(17)),
        (b"Content-Length: 0017", Sized(17)),
        (b"Content-Length: " + b"9" * MAX_LENGTH_DIGITS, Sized(10**MAX_LENGTH_DIGITS - 1)),
        (b"Transfer-Encoding: chunked", CHUNKED),
        (b"Transfer-Encoding: Chunked", CHUNKED),
        (b"transfer-encoding: chunked ", CHUNKED),
    ],
)
def test_a_request_has_a_body_where_it_says_so(field: bytes, framing: Framing) -> None:
    assert request_framing(request_head(field, line=b"POST / HTTP/1.1")) == framing


REFUSED = {
    "h01_cl_te": ([(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")], 400),
    "h01_te_cl": ([(b"transfer-encoding", b"chunked"), (b"content-length", b"5")], 400),
    "h01_cl_cl": ([(b"Content-Length", b"5"), (b"Content-Length", b"5")], 400),
    "h01_plus": ([(b"Content-Length", b"+5")], 400),
    "h01_minus": ([(b"Content-Length", b"-5")], 400),
    "h01_hex": ([(b"Content-Length", b"0x5")], 400),
    "h01_list": ([(b"Content-Length", b"5, 5")], 400),
    "h01_empty": ([(b"Content-Length", b"")], 400),
    "h01_underscore": ([(b"Content-Length", b"1_0")], 400),
    "h01_beyond_2_63": ([(b"Content-Length", b"1" + b"0" * MAX_LENGTH_DIGITS)], 400),
    "h01_te_te": ([(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"identity")], 400),
    "h01_xchunked": ([(b"Transfer-Encoding", b"xchunked")], 400),
    "h01_chunked_chunked": ([(b"Transfer-Encoding", b"chunked, chunked")], 400),
    "h01_chunked_first": ([(b"Transfer-Encoding", b"chunked, gzip")], 400),
    "h01_quoted": ([(b"Transfer-Encoding", b'"chunked"')], 400),
    "h01_te_empty": ([(b"Transfer-Encoding", b"")], 400),
    "h01_comma_chunked": ([(b"Transfer-Encoding", b",chunked")], 501),
    "h01_chunked_comma": ([(b"Transfer-Encoding", b"chunked,")], 501),
    "h01_gzip_chunked": ([(b"Transfer-Encoding", b"gzip, chunked")], 501),
    "h01_identity_chunked": ([(b"Transfer-Encoding", b"identity,\tchunked")], 501),
}


@pytest.mark.parametrize(("headers", "status"), REFUSED.values(), ids=REFUSED)
def test_a_body_that_could_be_cut_in_two_ways_is_refused(headers: tuple[Header, ...], status: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        request_framing(made_request(*headers))
    assert (caught.value.kind, caught.value.status) == ("framing", status)
    with pytest.raises(RemoteProtocolError) as caught:
        response_framing(made_response(*headers), b"GET")
    assert (caught.value.kind, caught.value.status) == ("framing", 502)


def test_h01_chunked_in_http_1_0_is_refused() -> None:
    head = made_request((b"Transfer-Encoding", b"chunked"), version=b"1.0")
    with pytest.raises(RemoteProtocolError):
        request_framing(head)
    with pytest.raises(RemoteProtocolError):
        response_framing(made_response((b"Transfer-Encoding", b"chunked"), version=b"1.0"), b"GET")


@pytest.mark.parametrize(
    ("fields", "framing"),
    [
        ([], UNTIL_CLOSE),
        ([b"Content-Length: 0"], Sized(0)),
        ([b"Content-Length: 9"], Sized(9)),
        ([b"Transfer-Encoding: chunked"], CHUNKED),
    ],
)
def test_an_answer_s_body_ends_as_it_says_or_with_the_stream(fields: list[bytes], framing: Framing) -> None:
    assert response_framing(response_head(*fields), b"GET") == framing


@pytest.mark.parametrize("field", [b"Accept: x", b"Content-Length: 9", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    ("method", "line"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK"),
        (b"GET", b"HTTP/1.1 204 No Content"),
        (b"GET", b"HTTP/1.1 304 Not Modified"),
        (b"GET", b"HTTP/1.1 100 Continue"),
        (b"GET", b"HTTP/1.1 103 Early Hints"),
    ],
)
def test_h16_head_204_304_and_interim_answers_have_no_body_whatever_they_say(
    method: bytes, line: bytes, field: bytes
) -> None:
    assert response_framing(response_head(field, line=line), method) == NO_BODY


def test_t50_a_broken_length_is_an_error_even_where_there_is_no_body() -> None:
    with pytest.raises(RemoteProtocolError):
        response_framing(made_response((b"Content-Length", b"+5")), b"HEAD")


def test_a_client_may_wait_for_100_continue() -> None:
    assert expects_continue(request_head(b"Expect: 100-Continue"))
    assert not expects_continue(request_head())
    assert not expects_continue(request_head(b"Expect: 100-continue", line=b"POST / HTTP/1.0"))


def test_another_expectation_is_417() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        expects_continue(request_head(b"Expect: tea"))
    assert caught.value.status == 417
