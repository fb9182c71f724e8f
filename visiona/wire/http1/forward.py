"""The rules about what crosses between a client and a device, in one place to import them from.

The rules themselves: fate.py (tables by name), request.py, answer.py, paths.py, cookies.py, location.py, addresses.py.
"""

from visiona.wire.http1.addresses import client_address
from visiona.wire.http1.answer import answer_for_client, answer_headers, trailers_for_client
from visiona.wire.http1.crossing import Crossing
from visiona.wire.http1.paths import agent_path
from visiona.wire.http1.request import checked_request, request_for_agent, trailers_for_agent

__all__ = [
    "Crossing",
    "agent_path",
    "answer_for_client",
    "answer_headers",
    "checked_request",
    "client_address",
    "request_for_agent",
    "trailers_for_agent",
    "trailers_for_client",
]
