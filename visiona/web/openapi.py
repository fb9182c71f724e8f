"""`/openapi.json`: the contract as a document, made from the routes that are there.

Paths, methods, parameters and who may call come from the route table and the guard's list; the sentence about a route
is its handler's docstring. The device paths are taken before the route table (targets.py), so they stand here.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version

from quart import Blueprint, Quart, Response, current_app
from werkzeug.routing import Rule

from visiona.web.answers import Json, plain
from visiona.web.cookies import SESSION_COOKIE
from visiona.web.errors import STATUS
from visiona.web.guards import is_public

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
    "/ws/{path}": (("get",), "The existing front-end's WebSockets, to the device named or the only one."),
}


def openapi_routes() -> Blueprint:
    """The one route."""
    routes = Blueprint("openapi", __name__)

    @routes.get("/openapi.json")
    async def openapi() -> Response:
        """This document."""
        return plain(document(current_app))

    return routes


def document(site: Quart) -> Json:
    """The document of a site."""
    paths: dict[str, dict[str, object]] = {}
    for rule, method, summary in _operations(site):
        path = _CONVERTER.sub(r"{\1}", rule.rule)
        public = is_public(method, rule.rule)
        paths.setdefault(path, {})[method.lower()] = _operation(path, method.lower(), summary, public=public)
    for path, (methods, summary) in DEVICE_PATHS.items():
        for method in methods:
            paths.setdefault(path, {})[method] = _operation(path, method, summary, public=False)
    return {
        "openapi": "3.1.0",
        "info": {"title": "visiona", "version": version("visiona")},
        "paths": dict(sorted(paths.items())),
        "components": _COMPONENTS,
    }


def _operations(site: Quart) -> Iterator[tuple[Rule, str, str]]:
    for rule in site.url_map.iter_rules():
        if rule.endpoint.startswith(PEOPLE):
            continue
        handler = site.view_functions[rule.endpoint]
        summary = (handler.__doc__ or "").strip().partition("\n")[0]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method, summary


def _operation(path: str, method: str, summary: str, *, public: bool) -> Json:
    words = re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")
    operation: dict[str, object] = {
        "operationId": f"{method}_{words}",
        "summary": summary,
        "responses": {
            "2XX": {"description": "Done."},
            "default": {"$ref": "#/components/responses/Refusal"},
        },
        "security": [] if public else [{"bearer": []}, {"session": []}],
    }
    if names := re.findall(r"{([^}]+)}", path):
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    return operation


_COMPONENTS: Json = {
    "securitySchemes": {
        "bearer": {"type": "http", "scheme": "bearer", "description": "A personal access token, vAp_…"},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION_COOKIE,
            "description": "A person's session, with `__Host-` before its name where people come by https. What changes"
            " something needs `X-Visiona-CSRF: 1` beside it, and nothing may be asked by another site's page.",
        },
    },
    "responses": {
        "Refusal": {
            "description": "Refused, or failed.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
        }
    },
    "schemas": {
        "Refusal": {
            "type": "object",
            "required": ["success", "error"],
            "properties": {
                "success": {"const": False},
                "error": {
                    "type": "object",
                    "required": ["code", "message", "request_id"],
                    "properties": {
                        "code": {
                            "type": "string",
                            "description": "For programs; never changes.",
                            "examples": sorted({kind.default_code for kind in STATUS}),
                        },
                        "message": {"type": "string", "description": "For a person."},
                        "details": {"type": "object"},
                        "request_id": {"type": "string"},
                    },
                },
            },
        }
    },
}
