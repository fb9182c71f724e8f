"""How the OIDC client of this process reaches the built-in provider: through the site itself, without a socket.

The client asks `<public base>/idp/…` as it would ask any provider. Over the network that could fail where a person's
browser does not: the public name may not resolve from here, its certificate may be the front proxy's. A path in front
of `/idp/` is the public base's; the front proxy takes it off, so it is taken off here.
"""

from typing import Any

import httpx

PREFIX = b"/idp/"


class LoopbackTransport(httpx.AsyncBaseTransport):
    """Requests for the provider, handed to the site. Nothing else of the site can be reached through it.

    Args:
        site: the ASGI app.
    """

    def __init__(self, site: Any) -> None:  # noqa: ANN401 - any ASGI app; httpx has no public type for one
        self._inner = httpx.ASGITransport(app=site, raise_app_exceptions=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx; raises httpx.UnsupportedProtocol for what is not the provider's."""
        # httpx has resolved dot segments already. The path stays as it is spelled.
        path, question_mark, query = request.url.raw_path.partition(b"?")
        _, prefix, rest = path.rpartition(PREFIX)
        if not prefix:
            raise httpx.UnsupportedProtocol("only the built-in identity provider is reached this way")
        inner = httpx.Request(
            request.method,
            request.url.copy_with(raw_path=PREFIX + rest + question_mark + query),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        response = await self._inner.handle_async_request(inner)
        response.request = request
        return response


def builtin_transport(site: Any) -> httpx.AsyncBaseTransport:  # noqa: ANN401 - see LoopbackTransport
    """The transport for an `httpx.AsyncClient` whose provider is this process."""
    return LoopbackTransport(site)
