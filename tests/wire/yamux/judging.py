"""What a session holds against its peer."""

from collections.abc import Callable

from visiona.wire.errors import RemoteProtocolError


def kind_of(act: Callable[[], object]) -> str | None:
    """The kind of the protocol error that this raises, None when it raises none."""
    try:
        act()
    except RemoteProtocolError as error:
        return error.kind
    return None
