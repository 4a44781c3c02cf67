"""Stories told in YAML: requests, what they must answer, and what happens between them.

A file is a list of `story` (a sentence), optional `given` (the world's configuration), optional
`roots` (the story is told once for each, as `{root}` in its requests) and `steps`. A step is either

    do: {pass_time: 60}                   a step of the test's world, by name, with its arguments
    request: POST /v1/scheduler/iso8601   query included
    json: {...} | body: "text" | raw: hex what is sent, as application/json unless
    send: {content-type: text/plain}      says otherwise
    status: 204                           and then any of
    answer: [...] | "text"                the whole answer
    has: {...}                            a part of it: objects may have more fields than told
    matches: "regular expression"         found in the text of the answer
    headers: {Allow: GET}                 of the answer
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
import yaml

from mesosphere.kernel.http import Response

Ask = Callable[[str, str, dict[str, list[str]], dict[str, str], bytes], Response]
"""(method, path, query, headers, body) -> answer."""

KEYS = {"request", "json", "body", "raw", "send", "status", "answer", "has", "matches", "headers"}


def read(path: Path) -> list[dict[str, Any]]:
    """The stories of a file, one for each of its roots."""
    told = []
    for story in yaml.safe_load(path.read_text()):
        for root in story.get("roots", [""]):
            steps = [
                {**step, "request": step["request"].replace("{root}", root)}
                if "request" in step
                else step
                for step in story["steps"]
            ]
            told.append({**story, "story": f"{story['story']} {root}".strip(), "steps": steps})
    return told


def stories(*paths: Path) -> list[Any]:
    """Every story of the files as a parameter of a test, named by its sentence."""
    return [
        pytest.param(story, id=f"{path.stem}: {story['story']}")
        for path in paths
        for story in read(path)
    ]


def tell(story: Mapping[str, Any], ask: Ask, steps: Mapping[str, Callable[..., Any]]) -> None:
    """Go through the steps of a story."""
    for number, step in enumerate(story["steps"], 1):
        if "do" in step:
            [(name, arguments)] = step["do"].items()
            if isinstance(arguments, dict):
                steps[name](**arguments)
            else:
                steps[name](*([] if arguments is None else [arguments]))
            continue
        assert step.keys() <= KEYS and "status" in step, f"step {number} is misspelt: {step}"
        check(step, _ask(step, ask), f"step {number}, {step['request']}")


def _ask(step: Mapping[str, Any], ask: Ask) -> Response:
    method, _, target = step["request"].partition(" ")
    path, _, query = target.partition("?")
    headers = {"content-type": "application/json"} if {"json", "body", "raw"} & step.keys() else {}
    headers = step.get("send", headers)
    text = json.dumps(step["json"]) if "json" in step else step.get("body", "")
    body = bytes.fromhex(str(step["raw"])) if "raw" in step else text.encode()
    values = parse_qs(query, keep_blank_values=True)
    return ask(method, unquote(path), values, headers, body)


def check(step: Mapping[str, Any], response: Response, place: str) -> None:
    """Hold an answer against what the step says of it."""
    body = response.whole
    text = body.decode()
    assert response.status == step["status"], f"{place}: {response.status} {text[:400]}"
    for name, value in step.get("headers", {}).items():
        assert response.headers.get(name) == value, f"{place}: {name}"
    if "matches" in step:
        assert re.search(step["matches"], text), f"{place}: {text[:400]}"
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    value = json.loads(text) if is_json else text
    if "answer" in step:
        assert value == step["answer"], place
    if "has" in step:
        fault = difference(step["has"], value)
        assert fault is None, f"{place}: {fault}"


def difference(expected: Any, value: Any, path: str = "$") -> str | None:
    """Where `value` lacks something of `expected`; objects may have more fields."""
    if isinstance(expected, dict):
        if not isinstance(value, dict):
            return f"{path} is {value!r}, not an object"
        for name, part in expected.items():
            if name not in value:
                return f"{path} has no {name}"
            fault = difference(part, value[name], f"{path}.{name}")
            if fault:
                return fault
        return None
    if isinstance(expected, list):
        if not isinstance(value, list) or len(value) != len(expected):
            return f"{path} is {value!r}, expected {len(expected)} members"
        for number, part in enumerate(expected):
            fault = difference(part, value[number], f"{path}[{number}]")
            if fault:
                return fault
        return None
    return None if value == expected else f"{path} is {value!r}, not {expected!r}"
