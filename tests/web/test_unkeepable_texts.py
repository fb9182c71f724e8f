"""Texts that PostgreSQL cannot hold or UTF-8 cannot spell, wherever a caller may write one: refused, and never a bug.

In a path the front door refuses NUL before any route is asked (H-07); here it is asked all the same.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from visiona.stores.interfaces import Stores
from visiona.web.guards import is_public

from tests.support.engines import Place, opened
from tests.support.route_needs import NEEDS
from tests.web.test_guards import routes
from tests.web.world import World

TEXTS = ("a\x00b", "\ud800")

ENDLESS = {"/api/live"}
LAST = ("DELETE", "/api/workspaces/<workspace_id>")
"""It would end what the others are asked about."""

QUERY = (
    *(
        "workspace",
        "user",
        "subject",
        "owner",
        "chip",
        "source",
        "deed",
        "since",
        "cursor",
        "device_id",
        "limit",
    ),
    "format",
)


@pytest.fixture
def engine() -> str:
    return "postgres"


@pytest.fixture
async def stores(place: Place) -> AsyncIterator[Stores]:
    async with opened(place) as opened_stores:
        yield opened_stores


def spoilt(body: Any, text: str) -> Any:
    """The body, with this for each text in it."""
    match body:
        case str():
            return text
        case list():
            return [spoilt(each, text) for each in body]
        case Mapping():
            return {name: spoilt(each, text) for name, each in body.items()}
        case _:
            return body


MORE = {
    "workspace_id": "",
    "email": "",
    "name": "",
    "role": "",
    "language": "",
    "token": "",
    "tags": [""],
    "device_id": "",
    "description": "",
    "license": "",
    "scopes": [""],
    "accelerator": "",
}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("text", TEXTS, ids=ascii)
async def test_s01_a_text_that_cannot_be_kept_is_refused_and_no_bug(stores: Stores, text: str) -> None:
    world = World(stores=stores)
    ada = await world.person()
    lab = (await ada.ask("POST", "/api/workspaces", json={"name": "Lab"})).data["id"]
    found: dict[str, int] = {}
    for method, rule, _ in routes(world):
        if is_public(method, rule) or method in {"OPTIONS", "HEAD"} or rule in ENDLESS:
            continue
        for path in {filled(rule, text, text), filled(rule, text, text if (method, rule) == LAST else lab)}:
            for query, options in asked(method, rule, text):
                answer = await ada.ask(method, path + query, **options)
                if answer.status >= 500:
                    found[f"{method} {rule}"] = answer.status
    assert found == {}


def filled(rule: str, text: str, workspace: str) -> str:
    """The path of a rule, with this for each id in it."""
    parts = [
        quote(workspace if "workspace_id" in part else text, safe="", errors="surrogatepass") or "-"
        if part.startswith("<")
        else part
        for part in rule.split("/")
    ]
    return "/".join(parts)


def asked(method: str, rule: str, text: str) -> list[tuple[str, dict[str, Any]]]:
    """What else is sent: queries, or bodies in which the one text or all of them are this."""
    if method == "GET":
        spelled = quote(text, safe="", errors="surrogatepass")
        return [("?" + "&".join(f"{name}={spelled}" for name in names), {}) for names in (*zip(QUERY), QUERY)]
    need = NEEDS.get((method, rule))
    usual: dict[str, Any] = need.body if need is not None and isinstance(need.body, dict) else {}
    wishes = [{**usual, name: spoilt(value, text)} for name, value in {**MORE, **usual}.items()]
    return [("", {"json": wish}) for wish in (*wishes, spoilt({**MORE, **usual}, text))]
