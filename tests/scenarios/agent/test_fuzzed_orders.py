"""Orders that are spoiled somewhere: that task fails, and the agent goes on as before."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from mesosphere.agent.api import api
from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.events import Event
from mesosphere.kernel.http import Request, Response
from mesosphere.wire.mesos.enums import is_terminal
from tests.mutations import spoiled
from tests.scenarios.agent.world import AGENT, FRAMEWORK, HOST, World, make_task

RESOURCES = [
    {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}, "role": "*"},
    {"name": "mem", "type": "SCALAR", "scalar": {"value": 64.0},
     "allocation_info": {"role": "web"}},
    {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31000, "end": 31001}]}},
]  # fmt: skip
COMMAND = {
    "value": "sleep 1", "shell": True, "user": "root", "arguments": ["a"],
    "uris": [{"value": "http://127.0.0.1:1/a.tar", "extract": True, "cache": False,
              "output_file": "out"}],
    "environment": {"variables": [{"name": "A", "value": "b", "type": "VALUE"}]},
}  # fmt: skip
CONTAINER = {
    "type": "MESOS", "hostname": "named",
    "volumes": [
        {"container_path": "data", "host_path": "/srv", "mode": "RO"},
        {"container_path": "shared", "mode": "RW",
         "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "SELF", "path": "s"}}},
    ],
    "network_infos": [{"name": "net", "port_mappings": [
        {"host_port": 31000, "container_port": 80, "protocol": "tcp"}]}],
    "mesos": {"image": {"type": "DOCKER", "docker": {"name": "busybox"}, "cached": True}},
    "linux_info": {"effective_capabilities": {"capabilities": ["NET_RAW"]}, "shm_size": 64,
                   "seccomp": {"unconfined": True}, "share_pid_namespace": False},
    "rlimit_info": {"rlimits": [{"type": "RLMT_NOFILE", "soft": 10, "hard": 20}]},
    "tty_info": {"window_size": {"rows": 1, "columns": 2}},
}  # fmt: skip
DOCKER = {
    "type": "DOCKER", "docker": {
        "image": "busybox", "network": "BRIDGE", "privileged": False, "force_pull_image": False,
        "port_mappings": [{"host_port": 31000, "container_port": 80, "protocol": "tcp"}],
        "parameters": [{"key": "env", "value": "A=b"}, {"key": "ulimit", "value": "nofile=1:2"}],
    },
}  # fmt: skip
CHECKS = {
    "health_check": {
        "type": "HTTP", "delay_seconds": 1.0, "interval_seconds": 2.0, "timeout_seconds": 3.0,
        "consecutive_failures": 2, "grace_period_seconds": 4.0,
        "http": {"port": 31000, "path": "/", "scheme": "http", "statuses": [200]},
    },
    "check": {"type": "COMMAND", "command": {"command": {"value": "true"}},
              "interval_seconds": 1.0, "timeout_seconds": 1.0, "delay_seconds": 0.0},
    "kill_policy": {"grace_period": {"nanoseconds": 5_000_000_000}},
    "max_completion_time": {"nanoseconds": 9_000_000_000_000},
    "labels": {"labels": [{"key": "k", "value": "v"}]},
    "limits": {"cpus": {"value": 1.0}, "mem": {"value": "Infinity"}},
    "discovery": {"visibility": "CLUSTER", "name": "d",
                  "ports": {"ports": [{"number": 31000, "name": "http", "protocol": "tcp"}]}},
    "data": "AAAA",
}  # fmt: skip


def task(task_id: str, **more: Any) -> dict[str, Any]:
    return {
        "name": task_id, "task_id": {"value": task_id}, "agent_id": {"value": AGENT},
        "resources": RESOURCES, **more,
    }  # fmt: skip


FRAMEWORK_INFO = {
    "user": "root", "name": "test", "id": {"value": FRAMEWORK}, "checkpoint": True,
    "roles": ["web"], "capabilities": [{"type": "PARTITION_AWARE"}, {"type": "MULTI_ROLE"}],
}  # fmt: skip
EXECUTOR = {
    "executor_id": {"value": "e"}, "framework_id": {"value": FRAMEWORK}, "type": "CUSTOM",
    "command": COMMAND, "container": CONTAINER, "resources": RESOURCES[:2], "name": "mine",
    "source": "here", "data": "AAAA", "shutdown_grace_period": {"nanoseconds": 1_000_000_000},
}  # fmt: skip
POD = {
    "executor_id": {"value": "p"}, "framework_id": {"value": FRAMEWORK}, "type": "DEFAULT",
    "resources": RESOURCES[:2], "container": {**CONTAINER, "mesos": {}},
}  # fmt: skip
ORDERS: dict[str, dict[str, Any]] = {
    "command": {"type": "RUN_TASK", "run_task": {
        "framework_info": FRAMEWORK_INFO,
        "task": task("t", command=COMMAND, container=CONTAINER, **CHECKS)}},
    "docker": {"type": "RUN_TASK", "run_task": {
        "framework_info": FRAMEWORK_INFO,
        "task": task("t", command=COMMAND, container=DOCKER, **CHECKS)}},
    "custom": {"type": "RUN_TASK", "run_task": {
        "framework_info": FRAMEWORK_INFO, "task": task("t", **CHECKS), "executor": EXECUTOR}},
    "pod": {"type": "RUN_TASK_GROUP", "run_task_group": {
        "framework_info": FRAMEWORK_INFO, "executor": POD, "launch_executor": True,
        "task_group": {"tasks": [task("t", command=COMMAND, **CHECKS),
                                 task("u", command=COMMAND)]}}},
}  # fmt: skip
OTHERS: list[dict[str, Any]] = [
    {"type": "KILL_TASK", "kill_task": {
        "framework_id": {"value": FRAMEWORK}, "task_id": {"value": "good"},
        "kill_policy": {"grace_period": {"nanoseconds": 1_000_000_000}}}},
    {"type": "ACKNOWLEDGE", "acknowledge": {
        "framework_id": {"value": FRAMEWORK}, "task_id": {"value": "good"}, "uuid": "AAAA"}},
    {"type": "SHUTDOWN_EXECUTOR", "shutdown_executor": {
        "framework_id": {"value": FRAMEWORK}, "executor_id": {"value": "e"}}},
    {"type": "UPDATE_FRAMEWORK", "update_framework": {"framework_info": FRAMEWORK_INFO}},
    {"type": "MESSAGE", "message": {
        "framework_id": {"value": FRAMEWORK}, "executor_id": {"value": "e"}, "data": "AAAA"}},
    {"type": "DRAIN", "drain": {"config": {
        "max_grace_period": {"nanoseconds": 1}, "mark_gone": True}}},
    {"type": "PING", "ping": {"connected": True}},
    {"type": "RECONCILE", "reconcile": {"tasks": []}},
    {"type": "APPLY_OPERATION", "apply_operation": {
        "operation_uuid": {"value": "AAAAAAAAAAAAAAAAAAAAAA=="}, "operation": {
            "type": "RESERVE", "id": {"value": "o"}, "reserve": {"resources": [{
                **RESOURCES[0], "reservations": [{"type": "DYNAMIC", "role": "web"}]}]}}}},
]  # fmt: skip


def fresh(isolation: str) -> World:
    """A registered agent, of a host that has all that a task may ask for."""
    host = msgspec.structs.replace(
        HOST, isolation=isolation, is_root=True, runtime="/usr/bin/runc", cgroup_version=2,
        cgroup_mounts={"unified": "/sys/fs/cgroup"}, why_no_networks="", why_no_images="",
        private_root="/w/root", image_store="/w/store", sandbox_directory="/mnt/mesos/sandbox",
    )  # fmt: skip
    world = World(host=host)
    world.recover()
    world.register()
    return world


def goes_on(world: World) -> None:
    """Whatever was said: timers fire, a good task is run to its end, a restart finds its way."""
    world.wait(3)
    if not world.machine.link.is_registered:
        world.wait(120)
        world.admit()
    if world.machine.state.drain is None:
        container = world.run(make_task("fine"))
        assert container
        world.give(on.ContainerStarted(container, 99))
        world.give(on.ContainerExited(container, 0))
        assert world.acknowledge_all("fine")[-1] == "TASK_FINISHED"
    assert world.found(do.Halt) == []
    again = World(dict(world.files), host=world.machine.config.host)
    again.recover()
    assert again.found(do.Halt) == [] and again.found(do.SetAsideCheckpoint) == []


@pytest.mark.parametrize("isolation", ["oci", "posix"])
@pytest.mark.parametrize("kind", ORDERS)
@settings(max_examples=60)
@given(some.data())
def test_a_spoiled_launch_fails_its_task_and_nothing_else(
    kind: str, isolation: str, data: some.DataObject
) -> None:
    world = fresh(isolation)
    order = data.draw(spoiled(ORDERS[kind]))
    world.give(on.Received("master", json.dumps(order).encode()))
    for launch in world.found(do.LaunchContainer):
        json.dumps(launch.plan)
        world.give(on.ContainerFailed(launch.container, "launch", "spoiled"))
    for known in world.machine.state.tasks():
        if known.state != "TASK_STAGING":
            assert is_terminal(known.state) or known.state == "TASK_STARTING"
    goes_on(world)


@settings(max_examples=300)
@given(some.data())
def test_any_other_spoiled_order_is_survived(data: some.DataObject) -> None:
    world = fresh("posix")
    container = world.run(make_task("good"))
    world.give(on.ContainerStarted(container, 77))
    order = data.draw(spoiled(data.draw(some.sampled_from(OTHERS))))
    world.give(on.Received("master", json.dumps(order).encode()))
    goes_on(world)


@settings(max_examples=200)
@given(some.one_of(some.binary(max_size=200), some.recursive(
    some.none() | some.booleans() | some.floats(allow_nan=False) | some.text(max_size=5),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(max_size=5), inner),
).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_any_bytes_from_the_master_are_survived(record: bytes) -> None:
    world = fresh("posix")
    world.give(on.Received("master", record))
    goes_on(world)


# --- requests -------------------------------------------------------------------------------------

UPDATE = {
    "task_id": {"value": "t"}, "state": "TASK_RUNNING", "source": "SOURCE_EXECUTOR",
    "uuid": "AAAAAAAAAAAAAAAAAAAAAA==", "message": "m", "data": "AAAA", "timestamp": 1.5,
    "healthy": True, "labels": {"labels": [{"key": "k", "value": "v"}]},
    "container_status": {"network_infos": [{"ip_addresses": [{"ip_address": "127.0.0.1"}]}]},
    "check_status": {"type": "COMMAND", "command": {"exit_code": 0}},
}  # fmt: skip
IDS = {"framework_id": {"value": FRAMEWORK}, "executor_id": {"value": "e"}}
CALLS: list[dict[str, Any]] = [
    {"type": "SUBSCRIBE", **IDS, "subscribe": {
        "unacknowledged_tasks": [task("t", executor=EXECUTOR)],
        "unacknowledged_updates": [{"status": UPDATE}]}},
    {"type": "UPDATE", **IDS, "update": {"status": UPDATE}},
    {"type": "MESSAGE", **IDS, "message": {"data": "AAAA"}},
    {"type": "HEARTBEAT", **IDS},
]  # fmt: skip


def post(world: World, path: str, body: bytes) -> Response | None:
    """The answer; None while a stream is open or somebody waits."""
    headers = {"content-type": "application/json", "accept": "application/json"}
    request = Request("r", "POST", path, {}, headers, body)
    answer = api(world.machine).dispatch(world.now, request)
    if isinstance(answer, Event):
        world.give(answer)
        world.wait(0)
        replies = [each.response for each in world.found(do.Reply) if each.request == "r"]
        return replies[0] if replies else None
    return answer


def with_executor() -> World:
    """An agent with the executor e, subscribed, and its task t."""
    world = fresh("posix")
    plain = {**EXECUTOR, "container": None, "command": {"value": "./e"}}
    order = {"type": "RUN_TASK", "run_task": {
        "framework_info": FRAMEWORK_INFO, "task": task("t"), "executor": plain}}  # fmt: skip
    world.give(on.Received("master", json.dumps(order).encode()))
    world.give(on.ContainerStarted(world.found(do.LaunchContainer)[-1].container, 70))
    assert post(world, "/api/v1/executor", json.dumps(CALLS[0]).encode()) is None
    return world


@settings(max_examples=300)
@given(some.data())
def test_a_spoiled_call_of_an_executor_is_answered(data: some.DataObject) -> None:
    world = with_executor()
    call = data.draw(spoiled(data.draw(some.sampled_from(CALLS))))
    answer = post(world, "/api/v1/executor", json.dumps(call).encode())
    assert answer is None or answer.status in (200, 202, 400, 403, 415, 501), answer
    goes_on(world)


OPERATOR: list[dict[str, Any]] = [
    {"type": "GET_STATE"},
    {"type": "GET_CONTAINERS", "get_containers": {"show_nested": True, "show_standalone": True}},
    {"type": "GET_METRICS", "get_metrics": {"timeout": {"nanoseconds": 1_000_000_000}}},
    {"type": "SET_LOGGING_LEVEL", "set_logging_level": {
        "level": 1, "duration": {"nanoseconds": 1_000_000_000}}},
    {"type": "LIST_FILES", "list_files": {"path": "/slave/log"}},
    {"type": "READ_FILE", "read_file": {"path": "/slave/log", "offset": 0, "length": 9}},
    {"type": "PRUNE_IMAGES", "prune_images": {"excluded_images": [
        {"type": "DOCKER", "docker": {"name": "busybox"}}]}},
    {"type": "LAUNCH_CONTAINER", "launch_container": {
        "container_id": {"value": "alone"}, "command": COMMAND, "container": CONTAINER,
        "resources": RESOURCES, "limits": {"cpus": {"value": 1.0}}}},
    {"type": "LAUNCH_NESTED_CONTAINER", "launch_nested_container": {
        "container_id": {"value": "within", "parent": {"value": "nobody"}}, "command": COMMAND}},
    {"type": "WAIT_CONTAINER", "wait_container": {"container_id": {"value": "alone"}}},
    {"type": "KILL_CONTAINER", "kill_container": {
        "container_id": {"value": "alone"}, "signal": 15}},
    {"type": "REMOVE_CONTAINER", "remove_container": {"container_id": {"value": "alone"}}},
]  # fmt: skip


@settings(max_examples=300)
@given(some.data())
def test_a_spoiled_call_of_an_operator_is_answered(data: some.DataObject) -> None:
    world = with_executor()
    call = data.draw(spoiled(data.draw(some.sampled_from(OPERATOR))))
    answer = post(world, "/api/v1", json.dumps(call).encode())
    known = (200, 202, 400, 403, 404, 409, 415, 500, 501)
    assert answer is None or answer.status in known, answer
    goes_on(world)
