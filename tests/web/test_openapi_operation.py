from typing import Any

import pytest
from visiona.domain.errors import Conflict
from visiona.web.described import Described
from visiona.web.examples import EXAMPLES
from visiona.web.openapi_operation import COMPONENTS, Told, operation
from visiona.web.people_shapes import Me
from visiona.web.shapes import DeviceChange, DeviceItem


def spoken(
    described: Described | None, path: str = "/api/x", method: str = "get", *, public: bool = False
) -> Any:
    return operation(Told(), path, method, "Does it.", described, public=public)


def data(answer: Any) -> Any:
    return answer["content"]["application/json"]["schema"]["properties"]["data"]


def test_an_answer_stands_in_the_envelope() -> None:
    answer = spoken(Described(answer=Me))["responses"]["200"]
    assert data(answer) == {"$ref": "#/components/schemas/Me"}


def test_a_probe_has_no_envelope() -> None:
    answer = spoken(Described(answer=Me, is_plain=True))["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Me"}


def test_a_kept_list_is_bare_or_a_page() -> None:
    said = spoken(Described(answer=DeviceItem, is_kept_list=True))
    bare, page = data(said["responses"]["200"])["anyOf"]
    assert bare["items"] == page["properties"]["items"]["items"]
    assert [one["name"] for one in said["parameters"]] == ["limit", "cursor"]
    assert "400" in said["responses"]


def test_refusals_follow_from_what_the_route_is() -> None:
    private = spoken(Described(answer=Me), "/api/x/{id}")["responses"]
    assert {"401", "403", "404", "429", "500", "503"} <= set(private)
    assert "401" not in spoken(Described(answer=Me), public=True)["responses"]
    assert "`CONFLICT`" in spoken(Described(refusals=(Conflict,)))["responses"]["409"]["description"]


def test_a_body_that_may_be_empty_is_not_required() -> None:
    assert spoken(Described(body=DeviceChange), method="post")["requestBody"]["required"] is True
    may = spoken(Described(body=DeviceChange, body_is_optional=True), method="post")
    assert may["requestBody"]["required"] is False
    assert may["requestBody"]["content"]["application/json"]["example"] == EXAMPLES[DeviceChange]


def test_a_status_that_is_an_answer_is_no_refusal() -> None:
    answers = spoken(Described(answer=Me, also={503: "The same."}))["responses"]
    assert answers["503"] == {"description": "The same."}


@pytest.mark.parametrize(
    ("said", "data"),
    [
        ({}, EXAMPLES[DeviceItem]),
        ({"is_kept_list": True}, [EXAMPLES[DeviceItem]]),
        ({"is_paged": True}, {"items": [EXAMPLES[DeviceItem]], "next_cursor": None}),
    ],
)
def test_an_example_stands_in_the_envelope_too(said: dict[str, bool], data: object) -> None:
    answer = spoken(Described(answer=DeviceItem, **said))["responses"]["200"]
    assert answer["content"]["application/json"]["example"] == {"success": True, "data": data}


def test_what_goes_to_a_device_is_its_own() -> None:
    assert set(spoken(None)["responses"]) == {"2XX", "default"}


def test_there_are_two_ways_to_be_known() -> None:
    assert list(COMPONENTS["securitySchemes"]) == ["bearer", "session"]
