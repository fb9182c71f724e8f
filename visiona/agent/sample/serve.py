"""Runs the sample unit on a local address."""

import logging

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from visiona.agent.sample.site import build_site


async def serve_sample(
    port: int = 0, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serves on 127.0.0.1 until cancelled; reports its base address, such as `http://127.0.0.1:40123`."""
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = None
    config.errorlog = logging.getLogger(__name__)
    config.graceful_timeout = 0.5
    async with trio.open_nursery() as nursery:
        binds: list[str] = await nursery.start(serve, build_site(), config)
        task_status.started(binds[0])
