"""The master's routes against their stories; every route of the table is asked by one of them."""

from pathlib import Path
from typing import Any

import pytest

from mesosphere.kernel.http import Response, Router
from mesosphere.master.api import ROUTES
from mesosphere.wire.mesos.media import Media
from tests.api.mesos.coverage import unasked
from tests.api.stories import stories, tell
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer
from tests.scenarios.master.world import OTHER, World

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

    def ask(
        method: str, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes
    ) -> Response:
        text = body.decode("latin-1")
        for name, value in known.items():
            text, path = text.replace(f"<{name}>", value), path.replace(f"<{name}>", value)
            query = {k: [v.replace(f"<{name}>", value) for v in vs] for k, vs in query.items()}
            headers = {k: v.replace(f"<{name}>", value) for k, v in headers.items()}
        request = world.send(method, path, query, headers, text.encode("latin-1"))
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

    steps = {
        "subscribe": subscribe, "admit": admit, "launch": launch, "leave": leave,
        "pass_time": world.wait,
    }  # fmt: skip
    tell(story, ask, steps)


def test_every_route_is_asked() -> None:
    assert not unasked(Router(ROUTES, prefixes=("/master",), longest_prefix=True), FILES)
