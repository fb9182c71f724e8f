"""Reading requests and writing answers where a browser is the client."""

from collections.abc import Mapping

from quart import Response, request


def single_parameters(limits: Mapping[str, int]) -> Mapping[str, str] | None:
    """The query's parameters of these names, each at most so long; None if one is too long or there twice.

    Two of a name would be read differently by whoever stands between (RFC 6749 §3.1).
    """
    found: dict[str, str] = {}
    for name, limit in limits.items():
        values = request.args.getlist(name)
        if len(values) > 1 or (values and len(values[0]) > limit):
            return None
        if values:
            found[name] = values[0]
    return found


def redirect(location: str) -> Response:
    """302, the answer to a GET; never a 307, which would repeat a body."""
    response = Response(b"", status=302)
    del response.headers["Content-Type"]
    response.headers["Location"] = location
    return response
