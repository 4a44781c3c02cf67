"""The agent's routes against their stories, each told in both encodings."""

from pathlib import Path
from typing import Any

import pytest

from mesosphere.agent.api import ROUTES, api
from mesosphere.kernel import effects as do
from mesosphere.kernel.events import ContainerExited, ContainerStarted, Event
from mesosphere.kernel.http import Request, Response, Router
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import agent_operator, codec, executor, link
from mesosphere.wire.mesos.agents import DrainConfig
from mesosphere.wire.mesos.common import DurationInfo
from mesosphere.wire.mesos.media import Media
from tests.api.mesos.coverage import unasked
from tests.api.stories import stories, tell
from tests.scenarios.agent.executors import make_executor, plain_task, run_by
from tests.scenarios.agent.test_operations import apply, disk, settle
from tests.scenarios.agent.world import World, make_task

FILES = tuple(sorted(Path(__file__).parent.glob("*.yaml")))


@pytest.mark.parametrize("story", stories(*FILES))
@pytest.mark.parametrize("speaks", list(Media), ids=["json", "protobuf"])
def test_story(story: dict[str, Any], speaks: Media) -> None:
    given = dict(story.get("given", {}))
    is_recovering = given.pop("role", "") == "recovering"
    world = World(**given)
    if not is_recovering:
        world.recover()
        world.register()
    bound = api(world.machine)

    def ask(
        method: str, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes
    ) -> Response:
        if speaks is Media.PROTOBUF and headers == {"content-type": Media.JSON.value}:
            headers, body = translated(path, headers, body)
        answer = bound.dispatch(world.now, Request("r", method, path, query, headers, body))
        if isinstance(answer, Event):
            effects = world.give(answer)
            for each in effects:
                if isinstance(each, do.LaunchContainer):
                    effects = [*effects, *world.give(ContainerStarted(each.container, 4000))]
            whole = [each.response for each in effects if isinstance(each, do.Reply)]
            if not whole:
                return began(effects)
            answer = whole[0]
        if answer.headers.get("Content-Type") != Media.PROTOBUF.value:
            return answer
        assert isinstance(answer.body, bytes)
        message = Media.PROTOBUF.decode(answer.body, agent_operator.Response)
        return Media.JSON.answer(message, answer.status)

    def run_custom(executor_id: str, task_id: str) -> None:
        run_by(world, make_executor(executor_id), plain_task(task_id))

    def drain(grace_s: int) -> None:
        grace = DurationInfo(nanoseconds=grace_s * 1_000_000_000)
        world.say("DRAIN", drain=link.Drain(config=DrainConfig(max_grace_period=grace)))

    def reserve(operation_id: str) -> None:
        apply(world, "RESERVE", operation_id, resources=[disk(100)])
        settle(world)

    def run_as(task_id: str, container: str) -> None:
        """A task whose container has a name that a story can know."""
        given_name = world.run(make_task(task_id))
        record = world.machine.state.containers.pop(given_name)
        record.container = container
        world.machine.state.containers[container] = record
        world.give(ContainerStarted(container, 77))

    tell(
        story,
        ask,
        {
            "wait": world.wait,
            "run": lambda task_id: world.run(make_task(task_id)),
            "run_by": run_custom,
            "drain": drain,
            "reserve": reserve,
            "run_as": lambda told: run_as(*told),
            "exit": lambda told: world.give(ContainerExited(*told)),
        },
    )


def began(effects: list[do.Effect]) -> Response:
    """The head of a stream; its type is shown apart, since nothing of its body is."""
    streams = (do.StartStream, do.AttachContainer)
    [started] = [each for each in effects if isinstance(each, streams)]
    told = {**started.headers, "Shown-Type": started.headers["Content-Type"]}
    return Response(200, {**told, "Content-Type": "text/plain"})


def translated(path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    """A call as protobuf; what is no call stays as it is."""
    kind = executor.Call if "/executor" in path else agent_operator.Call
    try:
        message = Media.PROTOBUF.encode(codec.decode(body, kind))
    except WireError:
        return headers, body
    media = Media.PROTOBUF.value
    return {"content-type": media, "accept": media}, message


def test_every_route_is_asked() -> None:
    router = Router(ROUTES, prefixes=("/slave(1)", "/slave", "/agent"), longest_prefix=True)
    assert not unasked(router, FILES)
