"""`/openapi.json`: the contract as a document, made from the routes that are there.

Paths, methods, parameters and who may call come from the route table and the guard's list; the sentence about a route
is its handler's docstring; what it takes and answers stands beside it (described.py). The device paths are taken before
the route table (targets.py), so they stand here.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import NamedTuple

from quart import Blueprint, Quart, Response, current_app
from werkzeug.routing import Rule

from visiona.web.answers import Json, plain
from visiona.web.described import NOT_DESCRIBED, Described, described, description_or_none
from visiona.web.guards import is_public
from visiona.web.openapi_operation import COMPONENTS, Told, operation

_CONVERTER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
PEOPLE = "console."
"""How the names of routes begin that are for people's eyes, not for programs."""

_ANY = ("get", "head", "post", "put", "patch", "delete", "options")

DEVICE_PATHS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "/api/devices/{device_id}/proxy/{path}": (
        _ANY,
        "Any request, streamed to the device's local server at /{path}; also WebSocket.",
    ),
    "/api/devices/scan": (("post",), "Ask a device to look for accelerators."),
    "/api/devices/{device_id}/scan": (("post",), "Ask this device to look for accelerators."),
    "/api/devices/{device_id}/connect": (("post",), "Connect an accelerator."),
    "/api/devices/{device_id}/disconnect": (("post",), "Disconnect an accelerator."),
    "/api/devices/{device_id}/flash": (("post",), "Flash an accelerator."),
    "/api/devices/{device_id}/inference/start": (("post",), "Start inference on an accelerator."),
    "/api/devices/{device_id}/inference/stop": (("post",), "Stop inference on an accelerator."),
    "/api/camera/{path}": (
        _ANY,
        "The existing front-end's camera paths, to the device named or the only one.",
    ),
    "/api/media/{path}": (_ANY, "The existing front-end's media paths, to the device named or the only one."),
    "/api/firmware/{path}": (
        _ANY,
        "The existing front-end's firmware paths, to the device named or the only one.",
    ),
    "/api/system/{path}": (
        _ANY,
        "A device's own system paths, to the device named or the only one; health and info without a name are ours.",
    ),
    "/ws/{path}": (("get",), "The existing front-end's WebSockets, to the device named or the only one."),
}


def openapi_routes() -> Blueprint:
    """The one route."""
    routes = Blueprint("openapi", __name__)

    @routes.get("/openapi.json")
    @described(media=("application/json",))
    async def openapi() -> Response:
        """This document."""
        return plain(document(current_app))

    return routes


class Route(NamedTuple):
    """One method of one rule, and what its handler says."""

    rule: Rule
    method: str
    summary: str
    description: Described


def document(site: Quart) -> Json:
    """The document of a site."""
    told = Told()
    paths: dict[str, dict[str, object]] = {}
    for rule, method, summary, description in routes_of(site):
        path = _CONVERTER.sub(r"{\1}", rule.rule)
        public = is_public(method, rule.rule)
        paths.setdefault(path, {})[method.lower()] = operation(
            told, path, method.lower(), summary, description, public=public
        )
    for path, (methods, summary) in DEVICE_PATHS.items():
        for method in methods:
            paths.setdefault(path, {})[method] = operation(told, path, method, summary, None, public=False)
    return {
        "openapi": "3.1.0",
        "info": {"title": "visiona", "version": version("visiona")},
        "paths": dict(sorted(paths.items())),
        "components": {**COMPONENTS, "schemas": dict(sorted(told.schemas.items()))},
    }


def routes_of(site: Quart) -> Iterator[Route]:
    """Those that programs call, with what is said of them."""
    for rule in site.url_map.iter_rules():
        if rule.endpoint.startswith(PEOPLE):
            continue
        handler = site.view_functions[rule.endpoint]
        summary = (handler.__doc__ or "").strip().partition("\n")[0]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield Route(rule, method, summary, description_or_none(handler) or NOT_DESCRIBED)
