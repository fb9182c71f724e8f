"""The sample unit's local service, in a thread of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import trio
from visiona.agent.sample.serve import serve_sample


@contextmanager
def sample_unit() -> Iterator[str]:
    """Its base address, while the block runs."""
    up = threading.Event()
    found: list[tuple[str, trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            base = await nursery.start(serve_sample)
            found.append((base, trio.lowlevel.current_trio_token(), nursery.cancel_scope))
            up.set()

    thread = threading.Thread(target=trio.run, args=(serve,), daemon=True)
    thread.start()
    assert up.wait(10), "the sample unit did not start"
    base, token, scope = found[0]
    try:
        yield base
    finally:
        token.run_sync_soon(scope.cancel)
        thread.join(10)
    assert not thread.is_alive()
