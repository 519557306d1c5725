"""The HTTP interface as OpenAPI 3.1, for programs, and as a page, for people."""

import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gameplay.serving.process_metrics import VERSION
from gameplay.web.bodies import answer
from gameplay.web.calls import Call
from gameplay.web.described import DESCRIBED
from gameplay.web.description import JSON, Described, Parameter
from gameplay.web.samples import sample
from gameplay.web.shapes import Problem
from gameplay.web.state import calls_of

_REFERENCE = "#/components/schemas/{name}"
# What any call may answer; besides, one with a body, and one that is guarded.
ALWAYS = (500, 503)
WITH_BODY = (400, 408, 413, 422)
GUARDED = (401, 403)
_PROBLEM = {"detail": "one sentence that says what is wrong", "request_id": "0199f3a0-5a1b-7c00-8000-00000000000a"}
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "summary{cursor:pointer}pre{background:#8881;padding:.5rem;overflow:auto}td{padding:0 1rem 0 0}"
    ":root{color-scheme:light dark}"
)


def document(calls: Iterable[Call], described: Mapping[tuple[str, str], Described]) -> dict[str, Any]:
    """The description of these calls."""
    listed = [(call, described[call.method, call.path]) for call in calls if (call.method, call.path) in described]
    schemas, components = _schemas([one for _, one in listed])
    paths: dict[str, dict[str, Any]] = {}
    for call, one in listed:
        if one.example is None:
            one = replace(one, example=sample(schemas[id(one.answer)], components))
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, one, schemas)
    found = {
        "openapi": "3.1.0",
        "info": {
            "title": "RPS promotion ledger",
            "version": VERSION,
            "description": "Games against models, and the promotion of those models. Times are UTC.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))  # a struct's default may be a tuple
    return plain


async def openapi(request: Request) -> Response:
    """GET /openapi.json."""
    return answer(document(calls_of(request), DESCRIBED))


async def page(request: Request) -> Response:
    """GET /openapi."""
    return HTMLResponse("".join(_page(document(calls_of(request), DESCRIBED))))


def _schemas(listed: Iterable[Described]) -> tuple[dict[int, Any], dict[str, Any]]:
    """The schema of each type by the type's identity, and the schemas that they refer to."""
    types: list[Any] = [Problem]
    for one in listed:
        types += [one.answer, *([one.body] if one.body else [])]
        types += [parameter.type for parameter in (*one.path, *one.query, *one.headers)]
    found, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    return {id(each): schema for each, schema in zip(types, found, strict=True)}, components


def _operation(call: Call, one: Described, schemas: Mapping[int, Any]) -> dict[str, Any]:
    places = (("path", one.path), ("query", one.query), ("header", one.headers))
    operation: dict[str, Any] = {
        "summary": one.summary,
        "operationId": "_".join((call.method.lower(), *_words(call.path))),
        "parameters": [_parameter(each, place, schemas) for place, group in places for each in group],
        "responses": dict(_responses(call, one, schemas)),
    }
    if one.body is not None:
        content = {"schema": schemas[id(one.body)], "example": one.body_example}
        operation["requestBody"] = {"required": True, "content": {JSON: content}}
    if call.guarded:
        operation["security"] = [{"token": []}, {}]
    return operation


def _words(path: str) -> list[str]:
    return path.translate(str.maketrans("/-.", "   ", "{}")).split() or ["root"]


def _parameter(one: Parameter, place: str, schemas: Mapping[int, Any]) -> dict[str, Any]:
    schema = schemas[id(one.type)]
    return {
        "name": one.name,
        "in": place,
        "required": one.needed or place == "path",
        "description": one.help or one.name,
        "schema": {"type": "array", "items": schema} if one.repeated else schema,
        "example": [one.example] if one.repeated else one.example,
    }


def _responses(call: Call, one: Described, schemas: Mapping[int, Any]) -> Iterator[tuple[str, Any]]:
    errors = {
        *ALWAYS,
        *one.errors,
        *(WITH_BODY if call.method == "POST" else ()),
        *(GUARDED if call.guarded else ()),
        *((HTTPStatus.UNSUPPORTED_MEDIA_TYPE,) if call.ordered else ()),
    }
    for status in sorted({*one.statuses, *errors}):
        own = {
            media: {"schema": schemas[id(one.answer)] if media == JSON else {"type": "string"}}
            | ({"example": one.example} if media in (JSON, one.media[0]) else {})
            for media in one.media
        }
        problem = {JSON: {"schema": schemas[id(Problem)], "example": _PROBLEM}}
        content = own if status in one.statuses else problem
        headers = {"X-Request-ID": {"description": "The request's id.", "schema": {"type": "string"}}}
        yield str(status), {"description": HTTPStatus(status).phrase, "headers": headers, "content": content}


def _page(described: Mapping[str, Any]) -> Iterator[str]:
    """Without a script: whatever shows a page of text shows this one."""
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>HTTP</title><style>{STYLE}</style>"
    yield '<h1>HTTP</h1><p>For programs: <a href="openapi.json">openapi.json</a>, OpenAPI 3.1.</p>'
    for path, operations in described["paths"].items():
        for method, one in operations.items():
            yield f"<details><summary><code>{method.upper()} {html.escape(path)}</code> "
            yield f"{html.escape(one['summary'])}</summary><table>"
            for parameter in one["parameters"]:
                cells = (parameter["name"], parameter["in"], parameter["description"])
                yield f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
            yield "</table>"
            if "requestBody" in one:
                yield _example("Body", one["requestBody"]["content"])
            for status, response in one["responses"].items():
                yield _example(f"{status} {response['description']}", response["content"])
            yield "</details>"
    yield "</html>"


def _example(heading: str, content: Mapping[str, Any]) -> str:
    media, first = next(iter(content.items()))
    shown = first["example"]
    text = shown if isinstance(shown, str) else msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()
    kinds = ", ".join(content)
    return f"<p>{html.escape(heading)} ({html.escape(kinds or media)})</p><pre>{html.escape(text)}</pre>"
