"""One operation of the OpenAPI document: what is asked, what is answered, what is refused with which code."""

import re
from collections.abc import Iterable, Mapping

from visiona.domain.errors import (
    Invalid,
    NotAllowed,
    NotFound,
    NotSignedIn,
    ServerStopping,
    TooLarge,
    TooMany,
    VisionaError,
)
from visiona.web.answers import Json
from visiona.web.cookies import SESSION_COOKIE
from visiona.web.described import NOT_DESCRIBED, Described
from visiona.web.errors import STATUS
from visiona.web.examples import EXAMPLES
from visiona.web.json_schema import Schema, Schemas
from visiona.web.shapes import PageQuery

_STORE = "STORE_UNAVAILABLE"
_REFUSAL = {"$ref": "#/components/schemas/Refusal"}


class Told:
    """The schemas that the operations name, as they are met."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {"Refusal": _REFUSAL_SCHEMA}
        self.said = Schemas(self.schemas, is_closed=True)
        self.asked = Schemas(self.schemas, is_closed=False)


def operation(
    told: Told, path: str, method: str, summary: str, described: Described | None, *, public: bool
) -> Json:
    """The operation; without a description it is one of a device, whose answers are its own."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")
    names = re.findall(r"{([^}]+)}", path)
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    spoken: dict[str, object] = {
        "operationId": f"{method}_{words}",
        "summary": summary,
        "security": [] if public else [{"bearer": []}, {"session": []}],
    }
    if described is None:
        spoken["responses"] = _of_a_device()
    else:
        parameters += _query(told, described)
        if described.body is not None:
            spoken["requestBody"] = _body(told, described)
        answers = _answers(told, described)
        is_silent = described is NOT_DESCRIBED
        refusals = _OF_A_STANDARD if is_silent else _refusals(method, described, names, public=public)
        spoken["responses"] = {**answers, **refusals}
    if parameters:
        spoken["parameters"] = parameters
    return spoken


def _query(told: Told, described: Described) -> list[Json]:
    query = described.query or (PageQuery if described.is_paged or described.is_kept_list else None)
    if query is None:
        return []
    return [
        {"name": name, "in": "query", "required": is_needed, "schema": schema}
        for name, (schema, is_needed) in told.asked.fields(query).items()
    ]


def _body(told: Told, described: Described) -> Json:
    content: dict[str, object] = {"schema": told.asked.of(described.body)}
    if (example := EXAMPLES.get(described.body)) is not None:
        content["example"] = example
    return {"required": not described.body_is_optional, "content": {"application/json": content}}


def _answers(told: Told, described: Described) -> dict[str, Json]:
    answers: dict[str, Json] = {str(status): {"description": said} for status, said in described.also.items()}
    if described.status:
        answer: dict[str, object] = {"description": "Done."}
        if content := _content(told, described):
            answer["content"] = content
        answers[str(described.status)] = answer
    return answers


def _content(told: Told, described: Described) -> Json:
    if described.media:
        return {media: {"schema": {"type": "string"}} for media in described.media}
    if described.answer is None:
        return {}
    schema = _data(told, described)
    if not described.is_plain:
        schema = {
            "type": "object",
            "required": ["success", "data"],
            "properties": {"success": {"const": True}, "data": schema},
            "additionalProperties": False,
        }
    content: dict[str, object] = {"schema": schema}
    if (example := EXAMPLES.get(described.answer)) is not None:
        content["example"] = _as_answer(example, described)
    return {"application/json": content}


def _as_answer(item: Json, described: Described) -> Json:
    if described.is_plain:
        return item
    if described.is_kept_list:
        return {"success": True, "data": [item]}
    if described.is_paged:
        return {"success": True, "data": {"items": [item], "next_cursor": None}}
    return {"success": True, "data": item}


def _data(told: Told, described: Described) -> Schema:
    item = told.said.of(described.answer)
    if not (described.is_paged or described.is_kept_list):
        return item
    page: Schema = {
        "type": "object",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": {"type": "array", "items": item},
            "next_cursor": {"type": ["string", "null"]},
        },
        "additionalProperties": False,
    }
    return {"anyOf": [{"type": "array", "items": item}, page]} if described.is_kept_list else page


def _refusals(method: str, described: Described, names: list[str], *, public: bool) -> dict[str, Json]:
    kinds: list[type[VisionaError]] = [TooMany, ServerStopping]
    if not public:
        kinds += [NotSignedIn, NotAllowed]
    elif method != "get":
        kinds += [NotAllowed]
    if names:
        kinds += [NotFound]
    if described.body is not None:
        kinds += [Invalid, TooLarge]
    if described.query is not None or described.is_paged or described.is_kept_list:
        kinds += [Invalid]
    codes: dict[int, set[str]] = {500: {"INTERNAL_ERROR"}, 503: {_STORE}}
    for kind in (*kinds, *described.refusals):
        codes.setdefault(STATUS[kind], set()).add(kind.default_code)
    taken = {described.status, *described.also}
    return {str(status): _refusal(found) for status, found in sorted(codes.items()) if status not in taken}


def _refusal(codes: Iterable[str]) -> Json:
    named = ", ".join(f"`{code}`" for code in sorted(codes))
    return {"description": f"Refused: {named}.", "content": {"application/json": {"schema": _REFUSAL}}}


_OF_A_STANDARD: Mapping[str, Json] = {
    "default": {"description": "As OpenID Connect has it; to a browser a page that says what is wrong."}
}


def _of_a_device() -> Json:
    return {
        "2XX": {"description": "What the device answered, untouched."},
        "default": {
            "description": "What the device answered, untouched; or a refusal of ours:"
            " `DEVICE_OFFLINE`, `DEVICE_AMBIGUOUS`, `DEVICE_TIMEOUT`, `DEVICE_ERROR` and those of every route.",
        },
    }


_REFUSAL_SCHEMA: Schema = {
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
                    "examples": sorted({_STORE, *(kind.default_code for kind in STATUS)}),
                },
                "message": {"type": "string", "description": "For a person."},
                "details": {"type": "object"},
                "request_id": {"type": "string"},
            },
        },
    },
}

COMPONENTS: Json = {
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
}
