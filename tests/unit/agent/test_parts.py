"""Small parts of the agent: streams of updates, garbage, health, checkpoints, files, settings."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.scenarios.agent.world import make_config

from mesosphere.agent import setup
from mesosphere.agent.core.files import attached, real_path, sandbox_of
from mesosphere.agent.core.gc import Garbage, allowed_age_s
from mesosphere.agent.core.health import HealthState, Verdict
from mesosphere.agent.core.registration import leader_address
from mesosphere.agent.core.status_updates import (
    PENDING_LIMIT,
    RETRY_MOST_S,
    Acknowledgement,
    UpdateStream,
    UpdateStreams,
)
from mesosphere.agent.flags import FLAGS
from mesosphere.agent.isolation import probe, sandboxes
from mesosphere.kernel.effects import SetTimer
from mesosphere.kernel.flags import Settings, UsageError, parse
from mesosphere.wire.mesos.commands import HealthCheck
from mesosphere.wire.mesos.ids import TaskID
from mesosphere.wire.mesos.tasks import TaskStatus

GIB = 1024**3


def status(state: str, number: int) -> TaskStatus:
    return TaskStatus(task_id=TaskID("t"), state=state, uuid=number.to_bytes(16, "big"))


# --- updates --------------------------------------------------------------------------------


def test_updates_leave_in_order_one_at_a_time() -> None:
    stream = UpdateStream("f", "t")
    first, second, last = (
        status("TASK_STARTING", 1), status("TASK_RUNNING", 2), status("TASK_FINISHED", 3),
    )  # fmt: skip
    assert [stream.add(each) for each in (first, second, last)] == [True, False, False]
    assert stream.acknowledge(second.uuid or b"") is Acknowledgement.UNEXPECTED
    assert stream.acknowledge(first.uuid or b"") is Acknowledgement.SEND_NEXT
    assert stream.front is second
    assert stream.acknowledge(second.uuid or b"") is Acknowledgement.SEND_NEXT
    assert stream.acknowledge(last.uuid or b"") is Acknowledgement.CLOSED
    assert stream.acknowledge(last.uuid or b"") is Acknowledgement.UNEXPECTED


def test_the_retry_doubles_to_ten_minutes_and_starts_anew_for_the_next() -> None:
    stream = UpdateStream("f", "t")
    stream.add(status("TASK_STARTING", 1))
    delays = []
    for _ in range(9):
        timer = UpdateStreams.arm(stream)
        assert isinstance(timer, SetTimer)
        delays.append(timer.delay_s)
    assert delays == [10, 20, 40, 80, 160, 320, 600, 600, RETRY_MOST_S]
    stream.acknowledge((1).to_bytes(16, "big"))
    assert stream.retry_s == 10


def test_too_many_updates_drop_the_new_ones_but_never_the_end() -> None:
    stream = UpdateStream("f", "t")
    for number in range(PENDING_LIMIT + 5):
        stream.add(status("TASK_RUNNING", number))
    stream.add(status("TASK_FINISHED", 99_999))
    assert len(stream.pending) == PENDING_LIMIT + 1
    assert stream.pending[-1].state == "TASK_FINISHED"


# --- garbage --------------------------------------------------------------------------------


@pytest.mark.parametrize(("used", "allowed"), [(0.0, 900.0), (0.5, 400.0), (0.9, 0.0), (1.0, 0.0)])
def test_sandboxes_may_stay_less_as_the_disk_fills(used: float, allowed: float) -> None:
    assert allowed_age_s(1000.0, 0.1, used) == pytest.approx(allowed)


def test_the_oldest_go_and_those_in_use_never_come_in() -> None:
    garbage = Garbage()
    garbage.schedule_all([("/a", 10.0), ("/b", 50.0), ("/used", 0.0)], keep=["/used"])
    assert garbage.collect(100.0, 60.0) == ["/a"]
    assert garbage.collect(100.0, 60.0) == []
    assert garbage.collect(200.0, 60.0) == ["/b"]
    assert len(garbage) == 0


# --- health ---------------------------------------------------------------------------------


def judge(results: list[bool], at: float = 100.0, **changes: Any) -> list[Verdict]:
    check = HealthCheck(type="TCP", **changes)
    state = HealthState(check, started_at=0.0)
    return [state.judge(at, passed) for passed in results]


def test_failures_in_the_grace_period_count_for_nothing_until_the_first_success() -> None:
    assert judge([False] * 5, at=5.0) == [Verdict.SILENT] * 5
    assert judge([True, False], at=5.0) == [Verdict.TELL_HEALTHY, Verdict.TELL_UNHEALTHY]


def test_repeated_successes_say_nothing_and_failures_in_a_row_give_up() -> None:
    assert judge([True, True, False, False, True, False, False, False]) == [
        Verdict.TELL_HEALTHY, Verdict.SILENT, Verdict.TELL_UNHEALTHY, Verdict.TELL_UNHEALTHY,
        Verdict.TELL_HEALTHY, Verdict.TELL_UNHEALTHY, Verdict.TELL_UNHEALTHY, Verdict.GIVE_UP,
    ]  # fmt: skip


# --- files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "real"),
    [
        (
            "/frameworks/F/executors/E/runs/latest",
            "/w/slaves/A/frameworks/F/executors/E/runs/latest",
        ),
        (
            "frameworks/F/executors/E/runs/C/a/b",
            "/w/slaves/A/frameworks/F/executors/E/runs/C/a/b",
        ),
        (
            "/w/slaves/X/frameworks/F/executors/E/runs/C/stdout",
            "/w/slaves/X/frameworks/F/executors/E/runs/C/stdout",
        ),
        ("/slave/log", "/var/log/agent"),
        ("/etc/passwd", None),
        ("/w/meta/slaves/latest", None),
        ("/w/slaves/A/frameworks/F/executors/E/runs/C/../../../../../../../meta", None),
        ("/frameworks/F/executors/E/runs", None),
        ("/frameworks/F/executors/E/runs/..", None),
        ("", None),
        ("/slave/log\0", None),
        ("/" + "a/" * 5000, None),
    ],
)
def test_only_attached_paths_lead_to_files(path: str, real: str | None) -> None:
    config = make_config(log_path="/var/log/agent")
    assert real_path(config, "A", path) == real


@given(some.text(alphabet="./abAFE\0%", max_size=60))
def test_no_path_leads_out_of_the_sandboxes(tail: str) -> None:
    config = make_config()
    path = real_path(config, "A", "/frameworks/F/executors/E/runs/C/" + tail)
    if path is not None:
        assert (sandbox_of(path) or "").startswith("/w/slaves/A/frameworks/")


def test_debug_lists_what_is_attached() -> None:
    path = "/w/slaves/A/frameworks/F/executors/E/runs/C"
    assert attached(make_config(), "A", [path]) == {
        path: path,
        "/frameworks/F/executors/E/runs/latest": path,
    }


# --- the leader -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "address"),
    [
        (b'{"address":{"ip":"10.0.0.1","port":5050,"hostname":"h"}}', "10.0.0.1:5050"),
        (b'{"address":{"hostname":"h","port":5050}}', "h:5050"),
        (b'{"pid":"master@10.0.0.1:5050"}', "10.0.0.1:5050"),
        (b"{}", None), (b"\xff", None), (b"[]", None), (None, None),
    ],
)  # fmt: skip
def test_the_leader_is_read_from_its_info(payload: bytes | None, address: str | None) -> None:
    assert leader_address(payload) == address


# --- settings -------------------------------------------------------------------------------


def settings(*flags: str) -> Settings:
    return parse(
        FLAGS, ["--master=m:1", "--work_dir=/tmp", *flags], {}, program="agent", prefix="MESOS",
        read=lambda path: Path(path).read_text(),
    )  # fmt: skip


def test_what_is_not_named_is_detected() -> None:
    found = setup.resources(settings("--resources=cpus:3;ports(web):[1-2]"), "/tmp")
    assert found.scalar("cpus") == 3000
    assert found.ports() == ((1, 2),)
    assert found.scalar("mem") > 0 and found.scalar("disk") > 0


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (("--resources=cpus:many",), "--resources"),
        (("--attributes=rack",), "--attributes"),
        (("--executor_environment_variables=[1]",), "a JSON object is needed"),
        (("--executor_environment_variables={",), "--executor_environment_variables"),
    ],
)
def test_bad_settings_name_their_flag(flags: tuple[str, ...], what: str) -> None:
    host = make_config().host
    with pytest.raises(UsageError, match=what):
        setup.configure(settings(*flags), host, "127.0.0.1", "localhost")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("auto", "auto"), ("", "auto"), ("posix", "posix"), ("posix/cpu,posix/mem", "posix"),
        ("process", "posix"), ("cgroups/cpu,cgroups/mem", "oci"), ("namespaces/pid", "auto"),
        ("filesystem/linux,docker/runtime", "oci"), ("cgroups/all,namespaces/pid", "oci"),
    ],
)  # fmt: skip
def test_the_originals_isolation_lists_are_understood(text: str, wanted: str) -> None:
    assert setup.wanted_isolation(text) == wanted


@pytest.mark.parametrize(
    ("total", "offered"),
    [(16 * GIB, 15 * GIB), (2 * GIB, GIB), (GIB, GIB // 2)],
)
def test_the_host_keeps_memory_for_itself(total: int, offered: int) -> None:
    assert probe.memory_to_offer(total) == offered


@pytest.mark.parametrize(("total", "offered"), [(100 * GIB, 95 * GIB), (8 * GIB, 4 * GIB)])
def test_the_host_keeps_disk_for_itself(total: int, offered: int) -> None:
    assert probe.disk_to_offer(total) == offered


@pytest.mark.parametrize(
    ("mounts", "version"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", 2),
        ("", 0),
        (
            "cgroup /c/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\ncgroup /c/memory cgroup rw,memory"
            " 0 0\ncgroup2 /c/unified cgroup2 rw 0 0\n",
            1,
        ),
    ],
)
def test_control_groups_are_told_by_their_mounts(mounts: str, version: int) -> None:
    found = probe.find_control_groups(mounts)
    assert found["version"] == version
    if version == 1:
        assert found["mounts"]["cpuacct"] == "/c/cpu,cpuacct"
        assert found["mounts"]["memory"] == "/c/memory"


# --- sandboxes on disk ----------------------------------------------------------------------


def test_removing_a_sandbox_takes_what_became_empty(tmp_path: Path) -> None:
    below = tmp_path / "slaves/A/frameworks/F/executors"
    one, other = below / "E1/runs/C1", below / "E2/runs/C2"
    for path in (one, other):
        path.mkdir(parents=True)
        (path.parent / "latest").symlink_to(path.name)
        (path / "file").write_text("x")
    assert [Path(path).name for path, _ in sandboxes.list_sandboxes(tmp_path)] == ["C1", "C2"]
    sandboxes.remove_sandbox(one)
    assert sorted(path.name for path in below.iterdir()) == ["E2"]
    sandboxes.remove_sandbox(other)
    assert list((tmp_path / "slaves/A").iterdir()) == []


def test_a_user_is_known_by_name_or_number() -> None:
    own = sandboxes.resolve_user(str(os.geteuid()))
    assert own is not None and own["uid"] == os.geteuid()
    assert sandboxes.resolve_user(None) is None
    with pytest.raises(sandboxes.SandboxError, match="'no-such-user' does not exist"):
        sandboxes.resolve_user("no-such-user")


def test_the_configuration_is_a_plain_value() -> None:
    assert msgspec.to_builtins(make_config().host)["isolation"] == "posix"
