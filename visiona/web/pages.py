"""What a person sees who opened a device's page and the device cannot show it: one plain page with the cause.

Programs and page scripts get the JSON envelope of web/errors.py; only a navigation is answered with a page.
"""

from collections.abc import Callable, Mapping
from html import escape
from typing import Final

from visiona.domain.errors import VisionaError
from visiona.web.errors import Header, Response, error_response, is_answer, one_error

GetHeader = Callable[[bytes], bytes | None]

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 34em; padding: 0 1em; }}
h1 {{ font-size: 1.4em; }} dl {{ color: #666; font-size: 0.9em; }} dt {{ float: left; width: 7em; }}
</style></head>
<body><h1>{title}</h1><p>{message}</p><dl>{facts}</dl></body></html>
"""

_TITLES: Final[Mapping[int, str]] = {
    401: "Please sign in",
    403: "This is not yours to open",
    404: "There is nothing here",
    409: "Which device?",
    502: "The device answered something unusable",
    503: "The device is not connected",
    504: "The device did not answer in time",
}

_STYLE_ALLOWED: Final = (
    b"Content-Security-Policy",
    b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
)


def is_navigation(get_header: GetHeader) -> bool:
    """Whether a person opened this address, rather than a script or a program asking for it."""
    return get_header(b"sec-fetch-mode") == b"navigate"


def answer_to(error: BaseException, request_id: str, get_header: GetHeader) -> Response:
    """The answer to an error: a page for a navigation, the envelope for everybody else."""
    error = one_error(error)
    envelope = error_response(error, request_id)
    if not is_navigation(get_header) or not is_answer(error):
        return envelope
    return _page(envelope, error, request_id)


def _page(envelope: Response, error: BaseException, request_id: str) -> Response:
    message = error.message if isinstance(error, VisionaError) else str(error)
    details = error.details if isinstance(error, VisionaError) else {}
    facts = [(name.replace("_", " "), value) for name, value in details.items() if value is not None]
    facts.append(("request", request_id))
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in facts)
    title = _TITLES.get(envelope.status, "This did not work")
    body = _PAGE.format(title=escape(title), message=escape(message), facts=listed).encode()
    return Response(envelope.status, _page_headers(envelope, body), body)


def _page_headers(envelope: Response, body: bytes) -> list[Header]:
    replaced = {b"content-type", b"content-length", b"content-security-policy"}
    kept = [(name, value) for name, value in envelope.headers if name.lower() not in replaced]
    return [
        (b"Content-Type", b"text/html; charset=utf-8"),
        (b"Content-Length", str(len(body)).encode()),
        _STYLE_ALLOWED,
        *kept,
    ]
