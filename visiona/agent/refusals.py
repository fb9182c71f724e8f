"""What the agent answers in the local service's place: the API's envelope, or a page for a person who opened one.

Only three things are looked up in the request, as text: the method HEAD, the request's name, and whether a person asks.
"""

import json
import re
from html import escape
from http import HTTPStatus

_REQUEST_ID = re.compile(rb"\r\nX-Request-Id:[ \t]*([A-Za-z0-9._:-]{1,64})\r\n", re.IGNORECASE)
_NAVIGATION = re.compile(rb"\r\nSec-Fetch-Mode:[ \t]*navigate[ \t]*\r\n", re.IGNORECASE)

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body><h1>{title}</h1><p>{message}</p><p>request {request_id}</p></body></html>
"""


def refusal(request: bytes, status: int, code: str, message: str) -> bytes:
    """The whole answer to the beginning of a request; without its body for HEAD, whatever its length says."""
    found = _REQUEST_ID.search(request)
    request_id = found[1].decode() if found is not None else ""
    if _NAVIGATION.search(request):
        kind = "text/html; charset=utf-8"
        title = "This device cannot answer now"
        body = _PAGE.format(title=title, message=escape(message), request_id=escape(request_id)).encode()
    else:
        kind = "application/json"
        error = {"code": code, "message": message, "request_id": request_id}
        body = json.dumps({"success": False, "error": error}, separators=(",", ":")).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"Content-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "Retry-After: 5\r\n"
        "Connection: close\r\n\r\n"
    ).encode()
    return head if request.startswith(b"HEAD ") else head + body
