"""An operator who launches extra containers, as a scenario sees him."""

import json
from typing import Any

from mesosphere.agent.api import api
from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.http import Request, Response
from tests.scenarios.agent.world import World, make_task

JSON = {"content-type": "application/json"}


def identify(name: str) -> dict[str, Any]:
    """A container's name as it travels."""
    above, _, value = name.rpartition(".")
    return {"value": value, "parent": identify(above)} if above else {"value": value}


def ask(world: World, request: str, kind: str, name: str, **body: Any) -> list[do.Effect]:
    """Make a call about a container; the effects of the step."""
    text = json.dumps({"type": kind, kind.lower(): {"container_id": identify(name), **body}})
    made = Request(request, "POST", "/api/v1", {}, JSON, text.encode())
    answer = api(world.machine).dispatch(world.now, made)
    if isinstance(answer, Response):
        world.step = [do.Reply(request, answer)]
        world.log += world.step
        return world.step
    return world.give(answer)


def launch(world: World, name: str, script: str = "sleep 1", **body: Any) -> list[do.Effect]:
    """LAUNCH_CONTAINER under the request `launch-<name>`."""
    command = {"command": {"value": script}}
    return ask(world, f"launch-{name}", "LAUNCH_CONTAINER", name, **{**command, **body})


def start(world: World, name: str, **body: Any) -> do.LaunchContainer:
    """Launch one and let it run."""
    launch(world, name, **body)
    found = world.found(do.LaunchContainer)[-1]
    assert found.container == name
    world.give(on.ContainerStarted(name, 4000))
    return found


def replies(world: World, request: str) -> list[Response]:
    """What a request was answered, whole or as a stream."""
    found = [each.response for each in world.found(do.Reply) if each.request == request]
    sent = b"".join(each.data for each in world.found(do.Send) if each.stream == request)
    if any(each.stream == request for each in world.found(do.EndStream)):
        found.append(Response(200, {}, sent))
    return found


def reply(world: World, request: str) -> tuple[int, Any]:
    """The one answer: status, and the body as JSON or text."""
    [answer] = replies(world, request)
    assert isinstance(answer.body, bytes)
    text = answer.body.decode()
    return answer.status, json.loads(text) if text.startswith("{") else text


def task(world: World, task_id: str = "t1", **changes: Any) -> str:
    """A task that runs; its container."""
    name = world.run(make_task(task_id, **changes))
    world.give(on.ContainerStarted(name, 77))
    return name
