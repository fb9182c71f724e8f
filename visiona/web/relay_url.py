"""Which address agents are told to dial: the configured one, never one that a request claims."""

from urllib.parse import urlsplit

_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}


def relay_url_from(relay_public_url: str | None, web_public_url: str | None, bound: str) -> str:
    """The base, without a path.

    Args:
        relay_public_url: `[relay] public_url`, handed on with the scheme it has.
        web_public_url: `[web] public_url`, for where the tunnel is served there too, as one port behind a proxy.
        bound: what the relay port was bound to: good for one machine, and for trying things out.
    """
    if relay_public_url is not None:
        parts = urlsplit(relay_public_url)
        return f"{parts.scheme}://{parts.netloc}"
    if web_public_url is not None:
        parts = urlsplit(web_public_url)
        return f"{_WEBSOCKET_SCHEMES.get(parts.scheme, parts.scheme)}://{parts.netloc}"
    return bound
