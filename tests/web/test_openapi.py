"""The document and the routes are walked together."""

import re
from collections.abc import Iterator
from typing import Any

from visiona.web.described import NOT_DESCRIBED
from visiona.web.guards import is_public
from visiona.web.openapi import DEVICE_PATHS, PEOPLE, routes_of
from visiona.web.targets import device_target

from tests.web.world import World

NOWHERE = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


async def test_the_document_has_every_route_and_no_other() -> None:
    world = World()
    answer = await world.ask("GET", "/openapi.json")
    assert answer.json["openapi"] == "3.1.0"
    documented = {(method, path) for method, path, _ in operations(answer.json) if path not in DEVICE_PATHS}
    served = {
        (method, re.sub(r"<(?:[a-z]+:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in world.site.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
        if not rule.endpoint.startswith(PEOPLE)
    }
    assert documented == served


async def test_each_operation_says_what_it_does_and_who_may() -> None:
    world = World()
    document = (await world.ask("GET", "/openapi.json")).json
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for method, path, operation in operations(document):
        assert operation["summary"].endswith("."), (method, path)
        rule = re.sub(r"{([^}]+)}", r"<\1>", path)
        assert (operation["security"] == []) == is_public(method, rule)
        parameters = operation.get("parameters", [])
        named = [one["name"] for one in parameters if one["in"] == "path"]
        assert named == re.findall(r"{([^}]+)}", path)


UNDESCRIBED = re.compile(r"^/idp/")
"""What a standard describes."""


async def test_each_route_of_the_api_says_what_it_takes_and_answers() -> None:
    world = World()
    silent = [
        (route.method, route.rule.rule)
        for route in routes_of(world.site)
        if route.description is NOT_DESCRIBED and not UNDESCRIBED.search(route.rule.rule)
    ]
    assert silent == []


def test_the_device_paths_are_those_that_go_to_a_device() -> None:
    for path, (methods, _) in DEVICE_PATHS.items():
        target = path.format(device_id=NOWHERE, path="x").encode()
        for method in methods:
            assert device_target(method.upper().encode(), target, lambda name: None) is not None, path


async def test_the_way_in_and_out_says_which_answers_there_are() -> None:
    document = (await World().ask("GET", "/openapi.json")).json
    answers = {
        (method, path): set(operation["responses"]) for method, path, operation in operations(document)
    }
    assert {"302", "400", "429", "503"} <= answers["GET", "/api/auth/login"]
    assert {"200", "302", "400", "503"} <= answers["GET", "/api/auth/callback"]
    assert {"200", "400", "413", "503"} <= answers["POST", "/api/auth/backchannel-logout"]
    assert answers["GET", "/idp/link/{text}"] == {"200", "default"}
    gone = document["paths"]["/api/auth/login"]["post"]["responses"]["410"]
    assert "NOT_IMPLEMENTED" in gone["description"]
