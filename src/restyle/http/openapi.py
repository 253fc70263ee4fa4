"""The OpenAPI 3.1 document, made from the declarations of the wire: one documented body per action."""

import json
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from restyle.http.reference import INTRODUCTION, STATUSES, examples
from restyle.http.table import ACTIONS
from restyle.wire.answers import Answer
from restyle.wire.codes import Code
from restyle.wire.fields import Limits, Plain
from restyle.wire.signature import HEADER

COMPONENTS = "#/components/schemas/"

Declared = tuple[type[BaseModel], Literal["validation", "serialization"]]


@lru_cache(maxsize=8)
def document(server: str, limits: Limits) -> bytes:
    """The document as JSON, for a service of these ``limits`` that clients reach at the URL ``server``."""
    return json.dumps(_document(server, limits), ensure_ascii=False).encode()


def _document(server: str, limits: Limits) -> dict[str, Any]:
    requests: list[Declared] = [(action.request, "validation") for action in ACTIONS.values()]
    answers: list[Declared] = [(model, "serialization") for model in _answer_models()]
    _, definitions = models_json_schema(
        [*requests, *answers],
        schema_generator=Plain,
        ref_template=COMPONENTS + "{model}",
    )
    submission = definitions["$defs"]["ApplyReferenceStyle"]["properties"]
    submission["ImageList"]["maxItems"] = limits.images
    for name in ("PositivePrompts", "NegativePrompts"):
        submission[name]["maxItems"] = limits.prompts
        submission[name]["items"]["maxLength"] = limits.prompt_length
    return {
        "openapi": "3.1.0",
        "info": {"title": "Restyle", "version": version("restyle"), "description": INTRODUCTION},
        "servers": [{"url": server.rstrip("/")}],
        "paths": {
            "/": {"post": _actions()},
            "/results/{TaskUID}/{index}.png": {"get": _results()},
            "/healthz": {"get": _probe("health", "Whether the service answers.", {"200": "It does."})},
            "/readyz": {
                "get": _probe(
                    "ready",
                    "Whether a task sent now would be drawn.",
                    {"200": "It would.", "503": "Not yet, or no more: Message says why."},
                )
            },
            "/metrics": {
                "get": {
                    "summary": "What an operator watches, for Prometheus.",
                    "operationId": "metrics",
                    "responses": {
                        "200": {"description": "The values.", "content": {"text/plain": {}}},
                        "403": _envelope("The client is in none of the service's own networks."),
                    },
                }
            },
        },
        "components": {"schemas": definitions["$defs"]},
    }


def _actions() -> dict[str, Any]:
    bodies = [{"$ref": COMPONENTS + name} for name in ACTIONS]
    answers = [{"$ref": COMPONENTS + model.__name__} for model in _answer_models()]
    codes = "\n".join(f"- {int(code)}: {code.meaning}" for code in Code)
    return {
        "summary": "Carry out the action that the body names.",
        "operationId": "act",
        "parameters": [
            {
                "name": HEADER,
                "in": "header",
                "required": False,
                "description": '`t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body" under the private key>`; '
                "required by keys that were made so.",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "oneOf": bodies,
                        "discriminator": {
                            "propertyName": "Action",
                            "mapping": {name: COMPONENTS + name for name in ACTIONS},
                        },
                    },
                    "examples": {
                        name: {"summary": ACTIONS[name].meaning.split(".")[0], "value": body}
                        for name, (body, _) in examples().items()
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": f"The answer of an action, also when it refuses. RetCode says which:\n{codes}",
                "content": {
                    "application/json": {
                        "schema": {"anyOf": answers},
                        "examples": {name: {"value": answer} for name, (_, answer) in examples().items()},
                    }
                },
            },
            **{str(status): _envelope(meaning) for status, meaning in STATUSES.items()},
        },
    }


def _answer_models() -> list[type[BaseModel]]:
    return [*(action.answer for action in ACTIONS.values()), Answer]


def _results() -> dict[str, Any]:
    def parameter(name: str, place: str, kind: str) -> dict[str, Any]:
        return {"name": name, "in": place, "required": True, "schema": {"type": kind}}

    return {
        "summary": "A picture, by the URL that ListTasksDetails gave.",
        "operationId": "result",
        "parameters": [
            parameter("TaskUID", "path", "string"),
            parameter("index", "path", "integer"),
            parameter("expires", "query", "integer"),
            parameter("token", "query", "string"),
        ],
        "responses": {
            "200": {"description": "The picture.", "content": {"image/png": {}}},
            "403": _envelope("The URL was not made by this service."),
            "404": _envelope("There is no such picture."),
            "410": _envelope("The picture has expired."),
            "429": _envelope("Too many pictures at once for one address."),
        },
    }


def _probe(name: str, summary: str, responses: dict[str, str]) -> dict[str, Any]:
    return {
        "summary": summary,
        "operationId": name,
        "responses": {status: _envelope(meaning) for status, meaning in responses.items()},
    }


def _envelope(meaning: str) -> dict[str, Any]:
    return {"description": meaning, "content": {"application/json": {"schema": {"$ref": COMPONENTS + "Answer"}}}}
