"""Operations at the agent: durable before they are told, carried out, repeated, recovered."""

import json
from typing import Any

import pytest

from mesosphere.agent.core.operations import COPY_PATH, PATH
from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos import Operation, OperationStatus, codec, link
from mesosphere.wire.mesos.ids import UUID
from mesosphere.wire.mesos.resources import Resource
from mesosphere.wire.mesos.resources_codec import from_wire, to_wire
from tests.scenarios.agent.world import World, make_task, registered

RESERVED = {"reservations": [{"type": "DYNAMIC", "role": "eng/web"}]}
V1 = "/w/volumes/roles/eng web/v1"


def disk(size: float, volume: str = "", path: str = "data", **more: Any) -> dict[str, Any]:
    found = {"name": "disk", "type": "SCALAR", "scalar": {"value": size}, **RESERVED, **more}
    if volume:
        found["disk"] = {
            "persistence": {"id": volume}, "volume": {"mode": "RW", "container_path": path},
            **more.get("disk", {}),
        }  # fmt: skip
    return found


def resources(*listed: dict[str, Any]) -> list[Resource]:
    return codec.decode_list(json.dumps(listed).encode(), Resource)


def apply(world: World, kind: str, op: str = "op", **body: Any) -> bytes:
    """APPLY_OPERATION; the operation's uuid."""
    text = json.dumps({"type": kind, "id": {"value": op}, kind.lower(): body}).encode()
    uuid = f"{kind}-{op}".encode().ljust(16, b".")[:16]
    world.say("APPLY_OPERATION", apply_operation=link.ApplyOperation(
        operation=codec.decode(text, Operation), operation_uuid=UUID(value=uuid)))  # fmt: skip
    return uuid


def settle(world: World, **failed: str) -> do.ChangeVolumes:
    """The directories that were asked for last are changed, or fail."""
    asked = world.found(do.ChangeVolumes)[-1]
    reasons = dict.fromkeys((*asked.make, *asked.remove), failed["reason"]) if failed else {}
    world.give(on.VolumesChanged(asked.token, reasons))
    return asked


def told(world: World) -> list[OperationStatus]:
    return [
        call.update_operation.status for call in world.calls() if call.update_operation is not None
    ]


def states(world: World) -> list[str]:
    return [status.state for status in told(world)]


def acknowledge(world: World, uuid: bytes) -> None:
    status = told(world)[-1].uuid
    assert status is not None
    body = link.AcknowledgeOperation(operation_uuid=UUID(value=uuid), status_uuid=status)
    world.say("ACKNOWLEDGE_OPERATION", acknowledge_operation=body)


def total(world: World) -> Resources:
    return world.machine.state.total


def kept(world: World) -> dict[str, Any]:
    found = json.loads(world.files[PATH])
    assert isinstance(found, dict)
    return found


def restarted(world: World, **changes: Any) -> tuple[World, link.Subscribe]:
    """The agent starts anew on the same disk and registers."""
    after = World(dict(world.files), **changes)
    after.recover()
    call = after.register()
    assert call.subscribe is not None
    return after, call.subscribe


def with_volume() -> World:
    """An agent with the volume v1 of 64 MiB, and nothing left to tell."""
    world = registered()
    for kind, body in (
        ("RESERVE", {"resources": [disk(100)]}),
        ("CREATE", {"volumes": [disk(64, "v1")]}),
    ):
        uuid = apply(world, kind, **body)
        settle(world)
        acknowledge(world, uuid)
    world.forget_log()
    return world


# --- the way of an operation ----------------------------------------------------------------------


def test_an_operation_is_on_disk_before_it_is_told_and_repeated_until_acknowledged() -> None:
    world = registered()
    uuid = apply(world, "RESERVE", resources=[disk(100)])
    [written] = [each for each in world.found(do.Checkpoint) if each.path == PATH]
    assert isinstance(written.then[0], do.ChangeVolumes) and told(world) == []
    assert total(world).scalar("disk") == 1_000_000
    assert from_wire(to_wire(total(world))).contains(from_wire(resources(disk(100))))
    settle(world)
    assert states(world) == ["OPERATION_FINISHED"]
    assert told(world)[0].operation_id is not None and told(world)[0].uuid is not None
    world.wait(9)
    assert len(told(world)) == 1
    world.wait(25)
    assert len(told(world)) == 3 and len({status.uuid for status in told(world)}) == 1
    acknowledge(world, uuid)
    world.wait(3600)
    assert len(told(world)) == 3
    assert kept(world)["operations"] == []
    assert [each["scalar"]["value"] for each in kept(world)["resources"]] == [100]


def test_a_wrong_acknowledgement_changes_nothing() -> None:
    world = registered()
    uuid = apply(world, "RESERVE", resources=[disk(100)])
    settle(world)
    body = link.AcknowledgeOperation(
        operation_uuid=UUID(value=uuid), status_uuid=UUID(value=b"w" * 16)
    )
    world.say("ACKNOWLEDGE_OPERATION", acknowledge_operation=body)
    assert len(kept(world)["operations"]) == 1
    world.wait(10)
    assert len(told(world)) == 2


def test_an_operation_that_comes_twice_is_done_once() -> None:
    world = registered()
    apply(world, "RESERVE", resources=[disk(100)])
    apply(world, "RESERVE", resources=[disk(100)])
    assert len([each for each in world.found(do.Checkpoint) if each.path == PATH]) == 1


def test_volumes_are_directories_that_come_and_go() -> None:
    world = registered()
    apply(world, "RESERVE", resources=[disk(100)])
    settle(world)
    apply(world, "CREATE", volumes=[disk(64, "v1")])
    assert settle(world).make == (V1,)
    apply(world, "GROW_VOLUME", volume=disk(64, "v1"), addition=disk(36))
    assert (settle(world).make, settle(world).remove) == ((), ())
    apply(world, "DESTROY", volumes=[disk(100, "v1")])
    assert settle(world).remove == (V1,)
    assert states(world) == ["OPERATION_FINISHED"] * 4
    assert total(world) == total(world).where(lambda identity: identity.disk is None)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ({}, V1),
        ({"source": {"type": "PATH", "path": {"root": "/d"}}}, "/d/volumes/roles/eng web/v1"),
        ({"source": {"type": "PATH", "path": {"root": "d"}}}, "/w/d/volumes/roles/eng web/v1"),
        ({"source": {"type": "MOUNT", "mount": {"root": "/m"}}}, "/m"),
    ],
)
def test_each_kind_of_disk_has_its_place(source: dict[str, Any], path: str) -> None:
    flags = from_wire(
        resources({"name": "disk", "type": "SCALAR", "scalar": {"value": 64},
                   **({"disk": source} if source else {})})
    )  # fmt: skip
    world = registered(resources=flags)
    reserved = disk(64, **({"disk": source} if source else {}))
    apply(world, "RESERVE", resources=[reserved])
    settle(world)
    apply(world, "CREATE", volumes=[disk(64, "v1", **({"disk": source} if source else {}))])
    assert settle(world).make == (path,)


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_directory_that_can_not_be_made_takes_the_volume_back() -> None:
    world = registered()
    apply(world, "RESERVE", resources=[disk(100)])
    settle(world)
    before = total(world)
    uuid = apply(world, "CREATE", volumes=[disk(64, "v1")])
    settle(world, reason="No space left on device")
    assert total(world) == before
    assert not world.machine.link.is_registered  # its master must learn what is true
    world.wait(60)
    world.admit()
    settle(world)
    assert states(world)[-1] == "OPERATION_FAILED"
    assert "No space left on device" in (told(world)[-1].message or "")
    acknowledge(world, uuid)
    assert [each["record"]["info"]["type"] for each in kept(world)["operations"]] == ["RESERVE"]


def test_an_operation_that_does_not_fit_is_an_error_and_the_agent_subscribes_again() -> None:
    world = registered()
    before = total(world)
    apply(world, "RESERVE", resources=[disk(100_000)])
    assert total(world) == before and not world.machine.link.is_registered
    settle(world)
    world.wait(60)
    subscribe = world.admit().subscribe
    assert subscribe is not None
    assert subscribe.operations[0].latest_status.state == "OPERATION_ERROR"
    assert states(world) == ["OPERATION_ERROR"]


def test_a_volume_in_use_is_not_destroyed() -> None:
    world = with_volume()
    world.run(make_task(resources=resources(disk(64, "v1"))))
    apply(world, "DESTROY", volumes=[disk(64, "v1")])
    settle(world)
    assert world.found(do.ChangeVolumes)[-1].remove == ()
    world.wait(60)
    world.admit()
    assert "is in use" in (told(world)[-1].message or "")


def test_a_write_that_failed_is_made_up_for_and_nothing_was_told() -> None:
    world = registered()
    apply(world, "RESERVE", resources=[disk(100)])
    world.give(on.CheckpointFailed(PATH, "No space left on device"))
    world.forget_log()
    world.wait(5)
    [again] = [each for each in world.found(do.Checkpoint) if each.path == PATH]
    assert told(world) == []
    settle(world)
    assert states(world) == ["OPERATION_FINISHED"]
    assert codec.decode(again.data, dict[str, Any])["resources"][0]["scalar"]["value"] == 100


def test_a_directory_that_can_not_be_removed_is_tried_again() -> None:
    world = with_volume()
    apply(world, "DESTROY", volumes=[disk(64, "v1")])
    settle(world, reason="Device or resource busy")
    assert told(world) == []
    world.wait(5)
    assert settle(world).remove == (V1,)
    assert states(world) == ["OPERATION_FINISHED"]


def test_the_directory_of_a_volume_that_is_there_again_is_not_removed() -> None:
    world = with_volume()
    apply(world, "DESTROY", volumes=[disk(64, "v1")])
    apply(world, "CREATE", "again", volumes=[disk(64, "v1")])
    first, second = world.found(do.ChangeVolumes)
    assert (first.remove, first.make) == ((V1,), ())
    assert (second.remove, second.make) == ((), (V1,))
    after, _ = restarted(world)
    assert settle(after).remove == ()


def test_no_volume_is_created_where_a_destroyed_one_could_not_be_removed() -> None:
    world = with_volume()
    apply(world, "DESTROY", volumes=[disk(64, "v1")])
    settle(world, reason="Device or resource busy")
    apply(world, "CREATE", "again", volumes=[disk(64, "v1")])
    assert V1 not in world.found(do.ChangeVolumes)[-1].make
    world.wait(5)
    settle(world)
    world.admit()
    world.wait(0)
    assert "OPERATION_ERROR" in states(world)
    [message] = {status.message for status in told(world) if status.state == "OPERATION_ERROR"}
    assert message is not None and "still to be emptied" in message
    apply(world, "CREATE", "later", volumes=[disk(64, "v1")])
    assert settle(world).make == (V1,)


def test_no_volume_is_created_on_a_disk_that_is_still_being_emptied() -> None:
    source = {"disk": {"source": {"type": "MOUNT", "mount": {"root": "/mnt/one"}}}}
    world = registered(resources=from_wire(resources({
        "name": "disk", "type": "SCALAR", "scalar": {"value": 100}, **source,
    })))  # fmt: skip
    whole = {**disk(100), **source}
    volume = disk(100, "v1", disk=source["disk"])
    for kind, body in (
        ("RESERVE", {"resources": [whole]}),
        ("CREATE", {"volumes": [volume]}),
        ("DESTROY", {"volumes": [volume]}),
    ):
        apply(world, kind, **body)
    assert world.found(do.ChangeVolumes)[-1].remove == ("/mnt/one",)
    apply(world, "CREATE", "again", volumes=[volume])
    assert world.found(do.ChangeVolumes)[-1].make == ()
    settle(world)
    assert "OPERATION_ERROR" in [
        each.record.latest_status.state for each in world.machine.state.operations.values()
    ]


# --- a new life -----------------------------------------------------------------------------------


def test_a_restart_keeps_reservations_volumes_and_what_is_to_be_told() -> None:
    world = with_volume()
    apply(world, "UNRESERVE", resources=[disk(36)])
    apply(world, "DESTROY", volumes=[disk(64, "v1")])
    status_before = [each["end"] for each in kept(world)["operations"]]
    after, subscribe = restarted(world)
    assert total(after) == total(world)
    assert from_wire(subscribe.total_resources) == total(world)
    assert subscribe.agent_info.resources == to_wire(after.machine.config.resources)
    assert [each.latest_status.state for each in subscribe.operations] == ["OPERATION_PENDING"] * 2
    assert told(after) == []
    assert settle(after).remove == (V1,)
    assert states(after) == ["OPERATION_FINISHED"] * 2
    assert [each["end"] for each in kept(after)["operations"]] == status_before


def test_a_task_on_a_volume_lives_through_a_restart() -> None:
    world = with_volume()
    container = world.run(make_task(resources=resources(disk(64, "v1", path="elsewhere"))))
    after = World(dict(world.files))
    after.recover(running={container: 7})
    assert after.machine.state.used() == from_wire(resources(disk(64, "v1")))
    assert after.found(do.Halt) == []


def test_flags_that_no_longer_give_what_is_reserved_are_refused() -> None:
    world = World(dict(with_volume().files), resources=Resources.of(cpus=4, mem=4096, disk=10))
    [halt] = world.found(do.Halt)[:1]
    assert "Incompatible agent info detected" in halt.reason and "disk:90" in halt.reason


def test_larger_flags_add_to_what_is_reserved() -> None:
    world = World(dict(with_volume().files), resources=Resources.of(cpus=8, mem=4096, disk=2000))
    assert world.found(do.Halt) == []
    assert total(world).scalar("cpus") == 8000 and total(world).scalar("disk") == 2_000_000


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"resources": [{"name": "disk"}], "operations": []}']
)
def test_a_damaged_file_is_set_aside_and_its_copy_takes_its_place(data: bytes) -> None:
    before = with_volume()
    world = World({**before.files, PATH: data})
    assert world.files[f"{PATH}.damaged"] == data
    assert world.files[PATH] == before.files[PATH] == before.files[COPY_PATH]
    assert total(world) == total(before) and world.found(do.Halt) == []
    world = World({path: data for path, data in before.files.items() if path != PATH})
    assert total(world) == total(before) and PATH in world.files


def test_where_both_files_are_damaged_the_rest_recovers() -> None:
    before = with_volume()
    on_volume = make_task("v", resources=resources(disk(64, "v1")))
    volume, plain = before.run(on_volume), before.run(make_task())
    world = World({**before.files, PATH: b"{", COPY_PATH: b""})
    world.recover(running={volume: 7, plain: 8})
    told_paths = [each.path for each in world.found(do.SetAsideCheckpoint)]
    assert told_paths == [PATH, COPY_PATH] and world.found(do.Halt) == []
    assert world.machine.state.recovery_errors == 2
    call = world.register()
    assert call.subscribe is not None and len(call.subscribe.tasks) == 2
    assert total(world).contains(from_wire(resources(disk(64, "v1"))))
    assert not total(world).contains(from_wire(resources(disk(10))))


# --- reconciliation -------------------------------------------------------------------------------


def test_operations_that_never_came_are_dropped_until_the_master_has_heard_it() -> None:
    world = registered()
    known = apply(world, "RESERVE", resources=[disk(100)])
    body = link.ReconcileOperations(operations=[UUID(value=known), UUID(value=b"n" * 16)])
    world.say("RECONCILE_OPERATIONS", reconcile_operations=body)
    assert states(world) == ["OPERATION_DROPPED"]
    world.wait(10)
    assert states(world) == ["OPERATION_DROPPED"] * 2
    acknowledge(world, b"n" * 16)
    world.wait(3600)
    assert states(world) == ["OPERATION_DROPPED"] * 2


# --- tasks ----------------------------------------------------------------------------------------


def test_a_task_on_what_is_not_reserved_here_is_dropped() -> None:
    world = registered()
    assert world.run(make_task(resources=resources(disk(64, "v1")))) == ""
    [status] = world.updates()
    assert (status.state, status.reason) == ("TASK_DROPPED", "REASON_RESOURCES_UNKNOWN")
    assert "unknown to the agent" in (status.message or "")


def test_a_task_finds_its_volume_where_it_wants_it() -> None:
    world = with_volume()
    assert world.run(make_task(resources=resources(disk(64, "v1", path="here/data"))))
    plan = world.found(do.LaunchContainer)[-1].plan
    assert plan["own"] == [[V1, "alone"]]
    assert [f"{plan['sandbox']}/here/data", V1] in plan["links"]
    assert plan["disk_bytes"] is None


@pytest.mark.parametrize(
    ("path", "mode", "text"),
    [
        ("/data", "RW", "absolute container path"),
        ("a/../../b", "RW", "is no place in the sandbox"),
        (".", "RW", "is no place in the sandbox"),
        ("data", "RO", "Read-only persistent volume not supported"),
    ],
)
def test_a_task_that_wants_its_volume_where_it_can_not_be_fails(
    path: str, mode: str, text: str
) -> None:
    world = with_volume()
    wanted = disk(64, "v1", path=path)
    wanted["disk"]["volume"]["mode"] = mode
    assert world.run(make_task(resources=resources(wanted))) == ""
    assert text in (world.updates()[-1].message or "")
