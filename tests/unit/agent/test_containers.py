"""Container plans: what a task asks for becomes what the host is told."""

import json
from typing import Any

import msgspec
import pytest

from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.containers import ContainerRequest, Uri, build_plan, compute_limits
from mesosphere.agent.core.host import Host
from mesosphere.agent.core.oci import ALLOWED_CAPABILITIES, Limits
from mesosphere.agent.core.requests import (
    command_words,
    container_request,
    task_environment,
    why_unsupported,
)
from mesosphere.agent.core.surroundings import ResourceLimit, Volume
from mesosphere.agent.isolation.plans import wrapping
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos.commands import URI, CommandInfo, Environment, Variable
from mesosphere.wire.mesos.containers import (
    ContainerInfo,
    NetworkInfo,
    RLimit,
    RLimitInfo,
)
from mesosphere.wire.mesos.containers import Volume as WireVolume
from mesosphere.wire.mesos.frameworks import FrameworkInfo
from mesosphere.wire.mesos.ids import AgentID, FrameworkID, TaskID
from mesosphere.wire.mesos.resources import Scalar
from mesosphere.wire.mesos.resources_codec import from_wire, to_wire
from mesosphere.wire.mesos.tasks import TaskInfo

MIB = 1024 * 1024
POSIX = Host(isolation="posix", reason="", work_dir="/w", runtime_dir="/w/run")
OCI = Host(
    isolation="oci", reason="", work_dir="/w", runtime_dir="/w/run", is_root=True,
    runtime="/usr/sbin/runc", private_root="/w/run/root", cgroup_version=1,
    cgroup_mounts={"cpu": "/cg/cpu", "memory": "/cg/memory", "pids": "/cg/pids"},
    capabilities=ALLOWED_CAPABILITIES,
)  # fmt: skip
CONFIG = AgentConfig(
    master="m:1", hostname="h", ip="10.0.0.9", port=5051, version="1", host=OCI,
    resources=Resources.of(cpus=4), executor_environment={"FROM": "operator", "PORT": "1"},
)  # fmt: skip
FRAMEWORK = FrameworkInfo(user="root", name="f", id=FrameworkID("F"), checkpoint=True)


def request(**changes: Any) -> ContainerRequest:
    return ContainerRequest(
        **{
            "container": "C", "agent_id": "A", "framework_id": "F", "executor_id": "E",
            "argv": ("/bin/sh", "-c", "true"), "environment": {"A": "b=c"}, "cpus_milli": 500,
            "mem_bytes": 64 * MIB, **changes,
        }
    )  # fmt: skip


def task(**changes: Any) -> TaskInfo:
    return TaskInfo(
        **{
            "name": "t", "task_id": TaskID("t"), "agent_id": AgentID("A"),
            "command": CommandInfo(value="run me"),
            "resources": to_wire(Resources.of(role="web", cpus=0.5, mem=64)), **changes,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "host", "expected"),
    [
        ({}, {}, Limits(614, 60_000, 96 * MIB, 96 * MIB, 4096)),
        ({"cpus_milli": 0, "mem_bytes": 0}, {}, Limits(102, 10_000, 32 * MIB, 32 * MIB, 4096)),
        ({}, {"enable_cfs": False}, Limits(614, None, 96 * MIB, 96 * MIB, 4096)),
        (
            {"cpus_limit_milli": 2000, "mem_limit_bytes": 128 * MIB},
            {"enable_cfs": False},
            Limits(614, 210_000, 96 * MIB, 160 * MIB, 4096),
        ),
        (
            {"cpus_limit_milli": -1, "mem_limit_bytes": -1},
            {},
            Limits(614, None, 96 * MIB, None, 4096),
        ),
    ],
)
def test_limits_follow_the_originals_rules(
    changes: dict[str, Any], host: dict[str, Any], expected: Limits
) -> None:
    chosen = msgspec.structs.replace(OCI, **host)
    assert compute_limits(request(**changes), chosen) == expected


def test_a_plan_is_printable_and_tells_every_step() -> None:
    plan = build_plan(request(user="nobody", uris=(Uri("http://x/a.tgz"),)), OCI)
    assert json.loads(json.dumps(plan)) == plan
    sandbox = "/w/slaves/A/frameworks/F/executors/E/runs/C"
    assert plan["sandbox"] == plan["directory"] == sandbox
    assert plan["links"] == [["/w/slaves/A/frameworks/F/executors/E/runs/latest", "C"]]
    assert plan["steps"][0] == f"make the sandbox {sandbox}, owned by nobody, mode 0750"
    assert "fetch http://x/a.tgz as nobody" in plan["steps"]
    assert "/mesos/C: 614 CPU shares, quota 60000 us" in " ".join(plan["steps"])


def test_the_oci_config_holds_the_limits_and_the_sandbox() -> None:
    plan = build_plan(request(volumes=(Volume("data", "/srv/data", True),)), OCI)
    config = plan["config"]
    assert config["process"]["cwd"] == plan["sandbox"]
    assert config["process"]["env"] == ["A=b=c"]
    assert config["root"] == {"path": "/w/run/root", "readonly": False}
    assert config["linux"]["cgroupsPath"] == "/mesos/C"
    resources = config["linux"]["resources"]
    assert resources["cpu"] == {"shares": 614, "period": 100_000, "quota": 60_000}
    assert resources["memory"]["limit"] == 96 * MIB
    assert resources["pids"] == {"limit": 4096}
    assert config["mounts"] == [
        # Without it the runtime would remake the host's own /dev/ptmx.
        {"destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind", "rw"]},
        {
            "destination": plan["sandbox"] + "/data", "type": "bind", "source": "/srv/data",
            "options": ["rbind", "ro"],
        },
    ]  # fmt: skip
    assert plan["memory"]["events"] == "/cg/memory/mesos/C/memory.oom_control"
    assert plan["processes"] == "/cg/pids/mesos/C"


def test_control_groups_of_version_2_have_their_own_names() -> None:
    host = msgspec.structs.replace(OCI, cgroup_version=2, cgroup_mounts={"unified": "/cg"})
    plan = build_plan(request(), host)
    assert plan["memory"] == {
        "events": "/cg/mesos/C/memory.events",
        "limit": "/cg/mesos/C/memory.max",
        "peak": "/cg/mesos/C/memory.peak",
        "stat": "/cg/mesos/C/memory.stat",
    }
    assert plan["processes"] == "/cg/mesos/C"


def test_a_process_tree_of_its_own_is_a_namespace_with_its_proc() -> None:
    config = build_plan(request(), msgspec.structs.replace(OCI, pid_namespace=True))["config"]
    assert {"type": "pid"} in config["linux"]["namespaces"]
    assert [mount["destination"] for mount in config["mounts"]] == ["/dev", "/proc"]


def test_dangerous_capabilities_are_never_given() -> None:
    everything = (*ALLOWED_CAPABILITIES, "CAP_SYS_MODULE", "CAP_SYS_BOOT", "CAP_SYS_TIME")
    host = msgspec.structs.replace(OCI, capabilities=everything)
    given = build_plan(request(), host)["config"]["process"]["capabilities"]["bounding"]
    assert not {"CAP_SYS_MODULE", "CAP_SYS_BOOT", "CAP_SYS_TIME"} & set(given)


def test_only_root_switches_users() -> None:
    assert build_plan(request(user="nobody"), POSIX)["user"] is None
    kept = msgspec.structs.replace(OCI, switch_user=False)
    assert build_plan(request(user="nobody"), kept)["user"] is None
    assert build_plan(request(user="nobody"), OCI)["user"] == "nobody"


def test_a_posix_task_is_wrapped_for_its_user_and_limits() -> None:
    plan = {"rlimits": [{"name": "NOFILE", "soft": 5, "hard": None}]}
    user = {"uid": 7, "gid": 8, "groups": [8, 9]}
    assert wrapping(plan, user) == [
        "/usr/bin/prlimit", "--nofile=5:unlimited", "--",
        "/usr/bin/setpriv", "--reuid=7", "--regid=8", "--groups=8,9", "--",
    ]  # fmt: skip
    assert wrapping({"rlimits": []}, None) == []


# --- requests -------------------------------------------------------------------------------


def test_a_command_is_a_shell_line_or_words() -> None:
    assert command_words(CommandInfo(value="a b")) == ("/bin/sh", "-c", "a b")
    plain = CommandInfo(shell=False, value="/bin/x", arguments=["x", "-v"])
    assert command_words(plain) == ("/bin/x", "-v")


def test_the_environment_has_the_originals_variables_and_the_tasks_win() -> None:
    variables = [Variable(name="PORT", value="31000"), Variable(name="PATH", value="/x")]
    info = task(command=CommandInfo(value="x", environment=Environment(variables=variables)))
    environment = task_environment(info, FRAMEWORK, "A", "C", CONFIG)
    sandbox = "/w/slaves/A/frameworks/F/executors/t/runs/C"
    assert environment == {
        "FROM": "operator",
        "PORT": "31000",
        "PATH": "/x",
        "MESOS_FRAMEWORK_ID": "F",
        "MESOS_EXECUTOR_ID": "t",
        "MESOS_DIRECTORY": sandbox,
        "MESOS_SANDBOX": sandbox,
        "MESOS_SLAVE_ID": "A",
        "MESOS_SLAVE_PID": "slave(1)@10.0.0.9:5051",
        "MESOS_AGENT_ENDPOINT": "10.0.0.9:5051",
        "MESOS_CHECKPOINT": "1",
        "MESOS_HTTP_COMMAND_EXECUTOR": "0",
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
        "MESOS_RECOVERY_TIMEOUT": "15mins",
        "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2secs",
        "MESOS_CONTAINER_ID": "C",
        "MESOS_ALLOCATION_ROLE": "web",
        "LIBPROCESS_IP": "10.0.0.9",
        "LIBPROCESS_PORT": "0",
    }


def test_a_request_takes_everything_from_the_task() -> None:
    info = task(
        command=CommandInfo(
            value="x", user="app", uris=[URI(value="u", executable=True, output_file="o")]
        ),
        limits={"cpus": Scalar(value=float("inf")), "mem": Scalar(value=256)},
        container=ContainerInfo(
            type="MESOS",
            volumes=[WireVolume(mode="RO", container_path="c", host_path="/h")],
            rlimit_info=RLimitInfo(rlimits=[RLimit(type="RLMT_NOFILE", soft=1, hard=2)]),
        ),
    )
    assert why_unsupported(info, CONFIG) == ""
    made = container_request(info, FRAMEWORK, "A", "C", from_wire(info.resources), CONFIG)
    assert (made.cpus_milli, made.mem_bytes) == (500, 64 * MIB)
    assert (made.cpus_limit_milli, made.mem_limit_bytes) == (-1, 256 * MIB)
    assert made.user == "app"
    assert made.uris == (Uri("u", True, True, "o"),)
    assert made.around.volumes == (Volume("c", "/h", True),)
    assert made.around.rlimits == (ResourceLimit("NOFILE", 1, 2),)


@pytest.mark.parametrize(
    ("container", "why"),
    [
        (ContainerInfo(type="MESOS", network_infos=[NetworkInfo(name="cni")]), "network"),
        (
            ContainerInfo(type="MESOS", volumes=[WireVolume(mode="RW", container_path="c")]),
            "the volume at 'c' is of no source",
        ),
    ],
)
def test_what_can_not_be_done_is_said(container: ContainerInfo, why: str) -> None:
    assert why in why_unsupported(task(container=container), CONFIG)


def test_volumes_that_are_more_than_links_need_the_oci_isolation() -> None:
    container = ContainerInfo(
        type="MESOS", volumes=[WireVolume(mode="RO", container_path="c", host_path="/h")]
    )
    posix = msgspec.structs.replace(CONFIG, host=POSIX)
    assert "need the OCI isolation" in why_unsupported(task(container=container), posix)


def test_a_host_that_can_only_be_read_has_shared_memory_of_its_own() -> None:
    host = msgspec.structs.replace(OCI, read_only_root=True)
    mounts = build_plan(request(), host)["config"]["mounts"]
    places = [mount["destination"] for mount in mounts]
    assert places.index("/dev") < places.index("/dev/shm")
