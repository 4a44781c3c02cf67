"""Sessions and attachments at the agent's machine: who joins what, and what ends with whom."""

import json
from typing import Any

import msgspec
import pytest

from mesosphere.agent.api import api
from mesosphere.agent.core import extra_containers
from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.http import Request
from tests.scenarios.agent.executors import make_executor, plain_task, run_by
from tests.scenarios.agent.extras import ask, identify, replies, reply, start, task
from tests.scenarios.agent.world import HOST, World, registered

OCI = msgspec.structs.replace(HOST, isolation="oci", runtime="/runc", is_root=True)
TERMINAL = {"type": "MESOS", "tty_info": {"window_size": {"rows": 24, "columns": 80}}}


def begin(world: World, name: str, script: str = "sh", **body: Any) -> do.LaunchContainer:
    """A session that was asked for; its launch."""
    command = {"command": {"value": script}}
    ask(world, f"s-{name}", "LAUNCH_NESTED_CONTAINER_SESSION", name, **{**command, **body})
    return world.found(do.LaunchContainer)[-1]


def opened(world: World, parent: str) -> str:
    """A session that runs and is joined to its stream."""
    name = f"{parent}.s"
    begin(world, name)
    world.give(on.ContainerStarted(name, 4000))
    return name


def attach_input(world: World, request: str, name: str) -> None:
    body = {"type": "CONTAINER_ID", "container_id": identify(name)}
    text = json.dumps({"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": body})
    headers = {"content-type": "application/recordio", "message-content-type": "application/json"}
    made = Request(request, "POST", "/api/v1", {}, headers, text.encode())
    answer = api(world.machine).dispatch(world.now, made)
    assert isinstance(answer, on.Event)
    world.give(answer)


def test_a_session_joins_its_parent_with_its_surroundings() -> None:
    world = registered(host=OCI)
    parent = task(world)
    plan = begin(world, f"{parent}.s", "id", container=TERMINAL).plan
    bundle = f"/w/run/bundles/{parent}.s"
    assert plan["run"] == [
        "/runc", "--root", "/w/run/oci", "--log", f"{bundle}/log", "exec", "--detach",
        "--pid-file", f"{bundle}/pid", "--process", f"{bundle}/process.json", parent,
    ]  # fmt: skip
    assert plan["parent_bundle"] == f"/w/run/bundles/{parent}"
    assert plan["io"] == {"directory": f"/w/run/attach/{parent}.s", "tty": [24, 80], "waits": True}
    assert plan["environment"] == {"TERM": "xterm", "MESOS_CONTAINER_ID": f"{parent}.s"}
    assert (plan["user"], plan["keeps_user"], plan["sandbox"]) == ("root", True, "")
    own = {"value": "id", "user": "nobody", "environment": {
        "variables": [{"name": "TERM", "value": "dumb"}]}}  # fmt: skip
    plan = begin(world, f"{parent}.t", container=TERMINAL, command=own).plan
    assert (plan["user"], plan["keeps_user"], plan["environment"]["TERM"]) == (
        "nobody", False, "dumb",
    )  # fmt: skip


def test_without_a_runtime_a_session_has_its_parents_environment() -> None:
    world = registered()
    parent = task(world)
    start(world, f"{parent}.n", command={"value": "x", "environment": {
        "variables": [{"name": "OWN", "value": "1"}]}})  # fmt: skip
    run_by(world, make_executor("e1"), plain_task("t2"))
    executor = world.found(do.LaunchContainer)[-1].container
    world.give(on.ContainerStarted(executor, 78))
    for home, name, value in (
        (parent, "MESOS_EXECUTOR_ID", "t1"), (f"{parent}.n", "OWN", "1"),
        (executor, "MESOS_EXECUTOR_ID", "e1"),
    ):  # fmt: skip
        plan = begin(world, f"{home}.s").plan
        assert plan["environment"][name] == value
        assert plan["environment"]["MESOS_CONTAINER_ID"] == f"{home}.s"
        assert plan["directory"] == plan["environment"]["MESOS_SANDBOX"]


def test_a_session_is_answered_by_the_stream_of_its_output() -> None:
    world = registered(http_heartbeat_s=7.0)
    parent = task(world)
    name = opened(world, parent)
    [joined] = world.found(do.AttachContainer)
    assert (joined.request, joined.container, joined.direction) == (f"s-{name}", name, "output")
    assert (joined.headers, joined.heartbeat_s) == ({"Content-Type": "application/json"}, 7.0)
    ask(world, "w", "WAIT_CONTAINER", name)
    world.give(on.ContainerExited(name, 5 << 8))
    assert replies(world, f"s-{name}") == []
    assert reply(world, "w")[1]["wait_container"] == {"exit_status": 5 << 8}
    world.give(on.AttachmentEnded(f"s-{name}"))
    assert not [path for path in world.files if path.startswith("meta/containers")]
    ask(world, "late", "WAIT_CONTAINER", name)
    assert reply(world, "late")[1]["wait_container"] == {"exit_status": 5 << 8}


@pytest.mark.parametrize("how", [on.StreamClosed, on.AttachmentEnded])
def test_a_session_ends_with_its_stream(how: Any) -> None:
    world = registered()
    name = opened(world, task(world))
    told = (f"s-{name}", "the peer went away") if how is on.StreamClosed else (f"s-{name}",)
    effects = world.give(how(*told))
    assert do.DestroyContainer(name) in effects
    assert (do.DetachContainer(f"s-{name}") in effects) == (how is on.StreamClosed)
    world.give(on.ContainerExited(name, 9))
    assert world.states() == ["TASK_STARTING"]


def test_a_session_that_can_not_be_started_says_so() -> None:
    world = registered()
    name = f"{task(world)}.s"
    begin(world, name)
    world.give(on.ContainerFailed(name, "launch", "no such program"))
    assert reply(world, f"s-{name}") == (400, "no such program")
    assert world.found(do.AttachContainer) == []


def test_a_session_that_is_killed_while_it_starts_is_joined_all_the_same() -> None:
    world = registered()
    name = f"{task(world)}.s"
    begin(world, name)
    ask(world, "k", "KILL_CONTAINER", name)
    world.give(on.ContainerStarted(name, 4000))
    assert len(world.found(do.AttachContainer)) == 1  # its peer hears the end
    assert do.DestroyContainer(name) in world.step


def test_sessions_that_make_no_sense_are_refused() -> None:
    world = registered()
    parent = task(world)
    for number, (body, words) in enumerate([
        ({"command": {"shell": True}}, "the command has no value"),
        ({"container": {"type": "MESOS", "mesos": {}}}, "a session has the image"),
        ({"container": {"type": "DOCKER"}}, "The provided ContainerInfo is not supported"),
    ]):  # fmt: skip
        ask(world, f"r{number}", "LAUNCH_NESTED_CONTAINER_SESSION", f"{parent}.x",
            **{"command": {"value": "sh"}, **body})  # fmt: skip
        status, text = reply(world, f"r{number}")
        assert status == 400 and words in text
    inside = f"{opened(world, parent)}.inside"
    ask(world, "r", "LAUNCH_NESTED_CONTAINER", inside, command={"value": "sh"})
    assert "is a session" in reply(world, "r")[1]


def test_only_terminals_and_sessions_can_be_attached_to() -> None:
    world = registered()
    plain = task(world)
    for name, status in ((plain, 500), ("nobody", 404), (f"{plain}.gone", 500)):
        ask(world, f"o-{name}", "ATTACH_CONTAINER_OUTPUT", name)
        attach_input(world, f"i-{name}", name)
        assert reply(world, f"o-{name}")[0] == reply(world, f"i-{name}")[0] == status
    assert "was disabled for this container" in reply(world, f"o-{plain}")[1]
    launching = world.run(plain_task("t2", "sh", container=None))
    assert launching
    start(world, "a", container=TERMINAL)
    assert world.found(do.LaunchContainer)[-1].plan["io"]["tty"] == [24, 80]
    for name in ("a", opened(world, plain)):
        ask(world, f"o-{name}", "ATTACH_CONTAINER_OUTPUT", name)
        attach_input(world, f"i-{name}", name)
        found = {each.request: each for each in world.found(do.AttachContainer)}
        assert found[f"o-{name}"].direction == "output"
        assert found[f"i-{name}"].direction == "input"
    # Who only listens may leave.
    effects = world.give(on.StreamClosed("o-a", "the peer went away"))
    assert effects == [do.DetachContainer("o-a")]
    assert world.give(on.AttachmentEnded("i-a")) == []


def test_a_container_that_does_not_run_yet_can_not_be_attached_to() -> None:
    world = registered()
    ask(world, "l", "LAUNCH_CONTAINER", "a", command={"value": "sh"}, container=TERMINAL)
    ask(world, "o", "ATTACH_CONTAINER_OUTPUT", "a")
    assert reply(world, "o")[0] == 503


def test_the_number_of_attachments_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra_containers, "ATTACHED_MOST", 1)
    world = registered()
    start(world, "a", container=TERMINAL)
    for request in ("o1", "o2"):
        ask(world, request, "ATTACH_CONTAINER_OUTPUT", "a")
    assert reply(world, "o2")[0] == 503
    world.give(on.StreamClosed("o1", "the peer went away"))
    ask(world, "o3", "ATTACH_CONTAINER_OUTPUT", "a")
    assert replies(world, "o3") == []


def test_a_restarted_agent_knows_no_sessions() -> None:
    world = registered()
    name = opened(world, task(world))
    again = World(world.files)
    [asked] = again.found(do.RecoverContainers)
    assert name not in asked.known  # whoever is not known is destroyed
