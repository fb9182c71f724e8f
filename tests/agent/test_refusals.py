import json

from visiona.agent.refusals import refusal

REQUEST = b"GET /x HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine-1\r\nAccept: */*\r\n\r\n"


def test_a_program_gets_the_envelope_with_the_name_of_its_request() -> None:
    head, _, body = refusal(REQUEST, 502, "DEVICE_ERROR", "no service").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body) == {
        "success": False,
        "error": {"code": "DEVICE_ERROR", "message": "no service", "request_id": "mine-1"},
    }


def test_a_person_who_opened_a_page_gets_one() -> None:
    asked = REQUEST.replace(b"Accept: */*", b"sec-fetch-mode: navigate")
    head, _, body = refusal(asked, 503, "DEVICE_BUSY", "<busy>").partition(b"\r\n\r\n")
    assert b"Content-Type: text/html" in head
    assert b"&lt;busy&gt;" in body
    assert b"mine-1" in body


def test_head_gets_no_body_and_a_request_without_a_name_an_empty_one() -> None:
    assert refusal(b"HEAD" + REQUEST[3:], 502, "X", "m").endswith(b"\r\n\r\n")
    assert b'"request_id":""' in refusal(b"GET / HTTP/1.1\r\n\r\n", 502, "X", "m")
