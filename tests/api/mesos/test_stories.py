"""The master's routes against their stories; every route of the table is asked by one of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from mesosphere.kernel.http import Response, Router
from mesosphere.master.api import ROUTES
from mesosphere.wire.mesos import operator, scheduler
from mesosphere.wire.mesos.answers import EVENT_TYPE
from mesosphere.wire.mesos.enums import (
    OPERATOR_CALL_TYPE,
    SCHEDULER_CALL_TYPE,
    SCHEDULER_EVENT_TYPE,
)
from mesosphere.wire.mesos.media import Media
from tests.api.mesos.coverage import unasked
from tests.api.stories import difference, read, stories, tell
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer
from tests.scenarios.master.world import OTHER, Stream, World

HERE = Path(__file__).parent
FILES = tuple(sorted(HERE.glob("*.yaml")))


def start(given: dict[str, Any], speaks: Media) -> World:
    """A world as a story wants it: `role` is "leader", "standby", "recovering" or "orphan"."""
    settings = dict(given)
    role = settings.pop("role", "leader")
    world = World(seed=b"story", speaks=speaks, **settings)
    if role == "standby":
        return world.follow(OTHER)
    if role == "orphan":
        return world.follow(None)
    world.slow_store = role == "recovering"
    return world.lead()


@pytest.mark.parametrize("story", stories(*FILES))
@pytest.mark.parametrize("speaks", list(Media), ids=["json", "protobuf"])
def test_story(story: dict[str, Any], speaks: Media) -> None:
    """Every story is told in both encodings."""
    world = start(story.get("given", {}), speaks)
    known: dict[str, str] = {}
    peers: dict[str, Any] = {}

    def named(text: str) -> str:
        for name, value in known.items():
            text = text.replace(f"<{name}>", value)
        return text

    def ask(
        method: str, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes
    ) -> Response:
        text = named(body.decode("latin-1"))
        query = {name: [named(value) for value in values] for name, values in query.items()}
        headers = {name: named(value) for name, value in headers.items()}
        request = world.send(method, named(path), query, headers, text.encode("latin-1"))
        if request in world.answers:
            return world.answers[request]
        stream = world.streams[request]
        records = "\n".join(str(event) for event in stream.events)
        plain = {**stream.headers, "Content-Type": "text/plain"}
        return Response(stream.status, {**plain, "Was": "stream"}, records.encode())

    def subscribe(**info: Any) -> None:
        framework = FrameworkPeer(world, *info.pop("capabilities", ()), **info).subscribe()
        known.update(framework=framework.id)
        known.update(stream=framework.stream.headers["Mesos-Stream-Id"])
        peers["framework"] = framework

    def admit(host: str, more: Any = ()) -> None:
        peers["agent"] = AgentPeer(world, host)
        peers["agent"].info["resources"] += more
        peers["agent"].subscribe()
        known.update(agent=peers["agent"].id)

    def launch(task_id: str, state: str = "TASK_RUNNING") -> None:
        peers["framework"].launch(peers["agent"], task_id)
        if state != "TASK_STAGING":
            peers["agent"].update(peers["framework"], task_id, state)

    def leave() -> None:
        world.leave(peers["framework"].request)

    def lose() -> None:
        world.leave(peers["agent"].request)

    def say(executor_id: str, data: str) -> None:
        peers["agent"].call("MESSAGE", message={
            "framework_id": {"value": known["framework"]}, "executor_id": {"value": executor_id},
            "data": data,
        })  # fmt: skip

    def follow() -> None:
        peers["follower"] = world.streams[world.post("/api/v1", {"type": "SUBSCRIBE"})]

    def told(kind: str, has: Any = None) -> None:
        hold(peers["framework"].stream, kind, named(json.dumps(has or {})))

    def followed(kind: str, has: Any = None) -> None:
        hold(peers["follower"], kind, named(json.dumps(has or {})))

    steps = {
        "lose": lose, "say": say, "follow": follow, "told": told, "followed": followed,
        "subscribe": subscribe, "admit": admit, "launch": launch, "leave": leave,
        "pass_time": world.wait,
    }  # fmt: skip
    tell(story, ask, steps)


def hold(stream: Stream, kind: str, wanted: str) -> None:
    """An event of the kind came that has what is wanted (JSON)."""
    faults = [difference(json.loads(wanted), body) for body in stream.of(kind)]
    assert None in faults, f"{kind}: {faults or stream.types()}"


def test_every_route_is_asked() -> None:
    assert not unasked(Router(ROUTES, prefixes=("/master",), longest_prefix=True), FILES)


def told_calls() -> dict[tuple[str, str], set[int]]:
    """(API, call) -> the statuses that stories tell of it."""
    found: dict[tuple[str, str], set[int]] = {}
    for story in (story for path in FILES for story in read(path)):
        for step in story["steps"]:
            body = step.get("json")
            if isinstance(body, dict) and "type" in body:
                name = "scheduler" if "/scheduler" in step["request"] else "operator"
                found.setdefault((name, body["type"]), set()).add(step["status"])
    return found


@pytest.mark.parametrize(
    ("name", "table"), [("scheduler", SCHEDULER_CALL_TYPE), ("operator", OPERATOR_CALL_TYPE)]
)
def test_every_call_is_told_with_what_is_refused(name: str, table: dict[str, int]) -> None:
    """A call that has no object can only be refused as all calls are: by its media types."""
    kind = scheduler.Call if name == "scheduler" else operator.Call
    statuses = told_calls()
    for call in table:
        told = statuses.get((name, call), set())
        has_object = call.lower() in kind.__struct_fields__
        assert call == "UNKNOWN" or min(told, default=500) < 300, f"{call} never succeeds"
        assert not has_object or max(told) >= 400, f"{call} is never refused"


@pytest.mark.parametrize(
    ("step", "table"), [("told", SCHEDULER_EVENT_TYPE), ("followed", EVENT_TYPE)]
)
def test_every_event_is_told(step: str, table: dict[str, int]) -> None:
    told = {
        each["do"][step]["kind"]
        for path in FILES
        for story in read(path)
        for each in story["steps"]
        if step in each.get("do", {})
    }
    assert told == set(table) - {"UNKNOWN"}
