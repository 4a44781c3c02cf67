"""Damage on disk costs what it was done to, and never the agent or anything else."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from mesosphere.agent.core.operations import COPY_PATH, PATH
from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos import link
from mesosphere.wire.mesos.agents import DrainConfig
from tests.scenarios.agent.executors import (
    Executor,
    make_executor,
    make_pod,
    plain_task,
    run_by,
    run_group,
)
from tests.scenarios.agent.test_operations import apply, disk, settle
from tests.scenarios.agent.world import AGENT, World, make_task, registered

LATEST = "meta/slaves/latest"
TOTAL = Resources.of(cpus=10, mem=4096, disk=1000)


def busy() -> tuple[dict[str, bytes], dict[str, int]]:
    """The disk of an agent with every kind of file, and its containers with their processes."""
    world = registered(resources=TOTAL)
    apply(world, "RESERVE", resources=[disk(100)])
    settle(world)
    for number, task in enumerate(("one", "two")):
        container = world.run(make_task(task))
        world.give(on.ContainerStarted(container, 70 + number))
    world.acknowledge_all("one")
    world.kill("one", 30.0)
    run_by(world, make_executor(), plain_task("three"))
    world.give(on.ContainerStarted(world.found(do.LaunchContainer)[-1].container, 80))
    custom = Executor(world)
    custom.subscribe()
    run_group(world, make_pod(), plain_task("four", "sleep 1"))
    world.give(on.ContainerStarted(world.found(do.LaunchContainer)[-1].container, 81))
    world.give(on.ContainerStarted(world.found(do.LaunchContainer)[-1].container, 82))
    world.say("DRAIN", drain=link.Drain(config=DrainConfig()))
    launched = world.found(do.LaunchContainer)
    del world.files[f"meta/slaves/{AGENT}/slave.info"]  # for people only
    return world.files, {each.container: 70 + n for n, each in enumerate(launched)}


FILES, CONTAINERS = busy()
TASKS = {"one", "two", "three", "four"}
UPDATES = [path for path in FILES if path.endswith("task.updates")]


STRANGE = [b"[]", b"7\n", b"null\n", b"{}", b"\0" * 100, b"[" * 5000 + b"\n"]


def expected(path: str) -> set[str]:
    """The tasks that must go on when this file is spoiled."""
    if path == LATEST or path.endswith("framework.info"):
        return set()
    if path.endswith("executor.info"):
        return TASKS - ({"three"} if "/e1/" in path else {"four"})
    if path.endswith("task.info"):
        return TASKS - {path.split("/")[-2]}
    return TASKS


def revive(files: dict[str, bytes], unreadable: dict[str, str] | None = None) -> World:
    """A next life on this disk."""
    world = World(files, unreadable, resources=TOTAL)
    assert world.found(do.Halt) == []
    [wanted] = world.found(do.RecoverContainers)
    world.recover({name: pid for name, pid in CONTAINERS.items() if name in wanted.known})
    world.register()
    return world


def tasks(world: World) -> set[str]:
    return {task.task_id for task in world.machine.state.tasks()}


def told(world: World) -> list[str]:
    return [each.path for each in world.found(do.SetAsideCheckpoint)]


def check(path: str, world: World) -> None:
    """Told once and kept, the rest goes on; and the life after that finds nothing wrong."""
    assert path in told(world)
    assert world.machine.state.recovery_errors == len(told(world))
    assert tasks(world) == expected(path)
    assert all(f"{each}.damaged" in world.files for each in told(world))
    later = World(dict(world.files), resources=TOTAL)
    assert told(later) == []
    assert tasks(later) == expected(path)


def cuts(path: str) -> Iterator[int]:
    """Lengths to cut a file at: every one at its beginning and end, and some between."""
    length = len(FILES[path])
    yield from sorted({*range(min(20, length)), *range(20, length, 37), *range(length - 9, length)})


def test_the_disk_has_every_kind_of_file() -> None:
    names = {path.rpartition("/")[2] for path in FILES}
    assert names == {
        "latest", "drain_config", "framework.info", "executor.info", "task.info", "task.updates",
        PATH.rpartition("/")[2], COPY_PATH.rpartition("/")[2],
    }  # fmt: skip
    assert tasks(revive(dict(FILES))) == TASKS


@pytest.mark.parametrize("path", [each for each in FILES if each not in (LATEST, *UPDATES)])
def test_a_file_that_is_cut_short_costs_what_it_held(path: str) -> None:
    for length in cuts(path):
        check(path, revive({**FILES, path: FILES[path][:length]}))


@pytest.mark.parametrize("path", UPDATES)
def test_updates_that_are_cut_short_cost_no_task(path: str) -> None:
    for length in cuts(path):
        world = revive({**FILES, path: FILES[path][:length]})
        assert tasks(world) == TASKS and told(world) == []
        assert told(World(dict(world.files), resources=TOTAL)) == []


@settings(max_examples=150)
@given(some.sampled_from(sorted(FILES)), some.data())
def test_a_flipped_byte_costs_what_it_is_in(path: str, data: some.DataObject) -> None:
    spoiled = bytearray(FILES[path])
    at = data.draw(some.integers(0, len(spoiled) - 1))
    spoiled[at] ^= data.draw(some.integers(1, 255))
    world = revive({**FILES, path: bytes(spoiled)})
    if path != LATEST:
        assert expected(path) <= tasks(world) <= TASKS
        assert tasks(World(dict(world.files), resources=TOTAL)) == tasks(world)


@pytest.mark.parametrize("path", [each for each in FILES if each != LATEST])
@pytest.mark.parametrize("data", STRANGE, ids=range(len(STRANGE)))
def test_content_of_another_kind_costs_what_was_there(path: str, data: bytes) -> None:
    if path in UPDATES and data in (b"[]", b"{}", b"\0" * 100):
        return  # a torn line, or one without a meaning
    check(path, revive({**FILES, path: data}))


@pytest.mark.parametrize("data", [b"../../etc", b"/", b"\xff\xfe", b"a\nb", b"x" * 999])
def test_a_latest_that_names_no_agent_is_set_aside_and_a_new_agent_starts(data: bytes) -> None:
    world = revive({**FILES, LATEST: data})
    assert told(world) == [LATEST] and tasks(world) == set()
    assert world.files[f"{LATEST}.damaged"] == data and world.files[LATEST] == AGENT.encode()


@pytest.mark.parametrize("path", FILES)
def test_what_could_not_be_read_is_set_aside(path: str) -> None:
    files = {each: data for each, data in FILES.items() if each != path}
    world = revive(files, {path: "is no regular file"})
    assert path in told(world) and tasks(world) == expected(path)


@settings(max_examples=60)
@given(some.dictionaries(some.sampled_from(sorted(FILES)), some.binary(max_size=80), max_size=6))
def test_any_damage_at_all_lets_the_agent_start(damage: dict[str, bytes]) -> None:
    world = revive({**FILES, **damage})
    lost = set().union(*(TASKS - expected(path) for path in damage))
    assert TASKS - lost <= tasks(world) <= TASKS
