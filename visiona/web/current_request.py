"""What the request that Quart is serving says of itself: its headers, each once, and its credentials."""

from quart import request

from visiona.web.credentials import CredentialReader, Credentials


def request_credentials(reader: CredentialReader) -> Credentials:
    """The credentials of the current request."""
    return reader.read(request.method, request_header)


def request_header(name: str) -> str | None:
    """A header of the current request; one that came twice is none: which of them would count?

    Cookies are the exception: HTTP/2 splits them into several fields, which are one list.
    """
    values = request.headers.getlist(name)
    if name == "cookie" and values:
        return "; ".join(values)
    return values[0] if len(values) == 1 else None
