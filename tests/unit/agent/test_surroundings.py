"""What a ContainerInfo asks for: read to values, or refused in one sentence."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mesosphere.agent.core.containers import ContainerRequest, build_plan
from mesosphere.agent.core.host import Host
from mesosphere.agent.core.oci import capabilities
from mesosphere.agent.core.refusals import Unsupported
from mesosphere.agent.core.surroundings import (
    Image,
    Network,
    Port,
    ResourceLimit,
    Surroundings,
    Volume,
    read_surroundings,
)
from mesosphere.agent.isolation.image_layers import ImageError
from mesosphere.agent.isolation.image_sources import Place, locate
from mesosphere.agent.isolation.plans import PlanError, image_process, read_only_mounts
from mesosphere.agent.isolation.sandboxes import SandboxError, make_sandbox
from mesosphere.agent.isolation.seccomp import ProfileError, read_profile
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.containers import ContainerInfo

OCI = Host(
    isolation="oci", reason="", work_dir="/w", runtime_dir="/w/run", is_root=True,
    runtime="/usr/sbin/runc", private_root="/w/run/root", cgroup_version=1,
    cgroup_mounts={"cpu": "/cg/cpu", "memory": "/cg/memory", "pids": "/cg/pids"},
    capabilities=("CAP_CHOWN", "CAP_NET_RAW", "CAP_KILL", "CAP_SYS_MODULE"),
    why_no_networks="", image_store="/w/store",
)  # fmt: skip
POSIX = msgspec.structs.replace(OCI, isolation="posix")


def read(value: dict[str, Any], host: Host = OCI) -> Surroundings:
    return read_surroundings(codec.decode(json.dumps(value).encode(), ContainerInfo), host)


def docker(**more: Any) -> dict[str, Any]:
    return {"type": "DOCKER", "docker": {"image": "nginx", **more}}


def parameters(**more: str) -> dict[str, Any]:
    pairs = [{"key": key.replace("_", "-"), "value": value} for key, value in more.items()]
    return docker(parameters=pairs)


def test_both_types_of_container_name_the_same_image() -> None:
    mesos = {"type": "DOCKER", "docker": {"name": "nginx"}}
    assert read({"type": "MESOS", "mesos": {"image": mesos}}).image == Image("nginx")
    assert read(docker()).image == Image("nginx")
    assert read(docker(force_pull_image=True)).image == Image("nginx", cached=False)
    assert read({"type": "MESOS"}) == Surroundings()


def test_docker_networks_are_read_as_networks_with_their_ports() -> None:
    mapping = [{"host_port": 31000, "container_port": 80, "protocol": "UDP"}]
    ports = (Port(31000, 80, "udp"),)
    assert read(docker()).networks == ()
    assert read(docker(network="NONE")).networks == (Network("none"),)
    bridge = read(docker(network="BRIDGE", port_mappings=mapping))
    assert bridge.networks == (Network("mesos-bridge", ports),)
    user = {**docker(network="USER"), "network_infos": [{"name": "n", "port_mappings": mapping}]}
    assert read(user).networks == (Network("n", ports),)


def test_docker_parameters_are_understood_where_they_mean_something() -> None:
    found = read(
        parameters(
            hostname="h", env="A=b=c", volume="/srv:/data:ro", tmpfs="/t:size=8m",
            ulimit="nofile=10:20", shm_size="128m", security_opt="seccomp=unconfined",
            read_only="true", label="x=y",
        )
    )  # fmt: skip
    assert (found.hostname, found.environment) == ("h", {"A": "b=c"})
    assert found.volumes == (
        Volume("/data", "/srv", read_only=True),
        Volume("/t", kind="tmpfs", size_mib=8),
    )
    assert found.rlimits == (ResourceLimit("NOFILE", 10, 20),)
    assert (found.shm_mib, found.private_ipc, found.seccomp) == (128, True, "")
    assert found.read_only_root


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (parameters(cpus="3"), "'cpus' has no meaning"),
        (parameters(tmpfs="here"), "'tmpfs' can't be 'here'"),
        (parameters(ulimit="nofile"), "'ulimit' can't be 'nofile'"),
        (parameters(shm_size="much"), "'shm-size' can't be 'much'"),
        ({"type": "DOCKER"}, "names no image"),
        ({"type": "MESOS", "mesos": {"image": {"type": "APPC", "appc": {"name": "x"}}}}, "APPC"),
        (docker(network="USER"), "names one network"),
        (
            {"type": "MESOS", "volumes": [
                {"mode": "RW", "container_path": "../up", "host_path": "/h"}]},
            "'../up' is no container_path",
        ),
        (
            {"type": "MESOS", "volumes": [{"mode": "RW", "container_path": "v", "source": {
                "type": "SANDBOX_PATH", "sandbox_path": {"type": "PARENT", "path": "p"}}}]},
            "is of a parent, and there is none",
        ),
        (
            {"type": "MESOS", "linux_info": {"shm_size": 1, "ipc_mode": "SHARE_PARENT"}},
            "needs the IPC mode PRIVATE",
        ),
        (
            {"type": "MESOS", "linux_info": {"effective_capabilities": {
                "capabilities": ["SYS_ADMIN"]}}},
            "does not hold CAP_SYS_ADMIN",
        ),
        (
            {"type": "MESOS", "linux_info": {
                "effective_capabilities": {"capabilities": ["KILL"]},
                "bounding_capabilities": {"capabilities": ["CHOWN"]}}},
            "do not hold the effective CAP_KILL",
        ),
    ],
)  # fmt: skip
def test_what_can_not_be_given_is_refused(value: dict[str, Any], why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        read(value)


@pytest.mark.parametrize(
    "value",
    [
        docker(),
        {"type": "MESOS", "network_infos": [{"name": "n"}]},
        {"type": "MESOS", "linux_info": {"share_pid_namespace": False}},
        {"type": "MESOS", "linux_info": {"seccomp": {"profile_name": "p"}}},
    ],
)
def test_plain_processes_have_no_surroundings(value: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match="need the OCI isolation"):
        read(value, POSIX)


def test_without_mounts_a_volume_is_a_link_in_the_sandbox() -> None:
    volumes = [
        {"mode": "RW", "container_path": "data", "host_path": "/srv/data"},
        {"mode": "RW", "container_path": "again", "source": {
            "type": "SANDBOX_PATH", "sandbox_path": {"type": "SELF", "path": "own"}}},
    ]  # fmt: skip
    around = read({"type": "MESOS", "volumes": volumes}, POSIX)
    request = ContainerRequest("C", "A", "F", "E", ("x",), {}, 100, 1 << 20, around=around)
    plan = build_plan(request, POSIX)
    sandbox = plan["sandbox"]
    assert plan["links"][1:] == [
        [f"{sandbox}/data", "/srv/data"],
        [f"{sandbox}/again", f"{sandbox}/own"],
    ]
    assert plan["make"] == [f"{sandbox}/own"]


def test_the_containers_of_a_pod_share_directories_of_its_sandbox() -> None:
    source = {"type": "SANDBOX_PATH", "sandbox_path": {"type": "PARENT", "path": "shared"}}
    value = {"type": "MESOS", "volumes": [
        {"mode": "RW", "container_path": "c", "source": source}]}  # fmt: skip
    info = codec.decode(json.dumps(value).encode(), ContainerInfo)
    around = read_surroundings(info, OCI, nested=True)
    request = ContainerRequest("P.C", "A", "F", "E", ("x",), {}, 100, 1 << 20, around=around)
    plan = build_plan(request, OCI)
    shared = "/w/slaves/A/frameworks/F/executors/E/runs/P/shared"
    assert plan["make"] == [shared]
    assert plan["config"]["mounts"][-1]["source"] == shared
    assert plan["config"]["mounts"][-1]["destination"] == f"{plan['sandbox']}/c"


def test_a_shared_directory_is_not_made_behind_a_link(tmp_path: Path) -> None:
    sandbox = tmp_path / "runs" / "P" / "containers" / "C"
    sandbox.mkdir(parents=True)
    parent = tmp_path / "runs" / "P"
    (parent / "evil").symlink_to(tmp_path)
    plan = {"sandbox": str(sandbox), "links": [], "make": [str(parent / "good" / "deep")]}
    make_sandbox(plan, None)
    assert (parent / "good" / "deep").is_dir()
    with pytest.raises(SandboxError, match="leads out of its sandbox"):
        make_sandbox({**plan, "make": [str(parent / "evil" / "x")]}, None)
    assert not (tmp_path / "x").exists()


def test_an_operator_bounds_what_tasks_may_ask_for() -> None:
    bounded = msgspec.structs.replace(OCI, bounding_capabilities=("CAP_CHOWN", "CAP_KILL"))
    with pytest.raises(Unsupported, match="do not allow CAP_NET_RAW"):
        read({"type": "MESOS", "linux_info": {
            "effective_capabilities": {"capabilities": ["NET_RAW"]}}}, bounded)  # fmt: skip
    assert capabilities(Surroundings(), bounded) == {
        "bounding": ["CAP_CHOWN", "CAP_KILL"],
        "effective": ["CAP_CHOWN", "CAP_KILL"],
        "permitted": ["CAP_CHOWN", "CAP_KILL"],
    }
    asked = Surroundings(effective=("CAP_KILL",))
    assert capabilities(asked, OCI)["bounding"] == ["CAP_KILL"]
    assert capabilities(asked, OCI)["ambient"] == ["CAP_KILL"]
    assert "CAP_SYS_MODULE" in capabilities(Surroundings(privileged=True), OCI)["effective"]
    assert "CAP_SYS_MODULE" not in capabilities(Surroundings(), OCI)["effective"]


@pytest.mark.parametrize(
    ("around", "host", "kinds"),
    [
        (Surroundings(), {}, ["mount"]),
        (Surroundings(), {"pid_namespace": True}, ["mount", "pid"]),
        (Surroundings(share_pid=True), {"pid_namespace": True}, ["mount"]),
        (Surroundings(share_pid=False), {}, ["mount", "pid"]),
        (Surroundings(private_ipc=True), {}, ["mount", "ipc"]),
        (Surroundings(private_ipc=False), {"ipc_namespace": True}, ["mount"]),
        (Surroundings(networks=(Network("none"),)), {}, ["mount", "uts", "network"]),
    ],
)
def test_namespaces_are_those_of_the_task_else_those_of_the_flags(
    around: Surroundings, host: dict[str, Any], kinds: list[str]
) -> None:
    request = ContainerRequest("C", "A", "F", "E", ("x",), {}, 100, 1 << 20, around=around)
    plan = build_plan(request, msgspec.structs.replace(OCI, **host))
    assert [each["type"] for each in plan["config"]["linux"]["namespaces"]] == kinds


def test_the_plan_of_an_image_tells_its_root_and_its_sandbox() -> None:
    around = Surroundings(image=Image("nginx"), networks=(Network("n", (Port(31000, 80),)),))
    request = ContainerRequest("C", "A", "F", "E", (), {}, 100, 1 << 20, around=around)
    plan = build_plan(request, OCI)
    config = plan["config"]
    assert config["root"]["path"] == "/w/provisioner/containers/C/rootfs"
    assert config["process"]["cwd"] == "/mnt/mesos/sandbox"
    assert {"allow": False, "access": "rwm"} in config["linux"]["resources"]["devices"]
    places = {mount["destination"]: mount for mount in config["mounts"]}
    assert places["/mnt/mesos/sandbox"]["source"] == plan["sandbox"]
    assert places["/etc/hosts"]["source"] == "/w/run/bundles/C/hosts"
    steps = " ".join(plan["steps"])
    assert "take the image nginx" in steps and "join the network n, ports 31000 to 80" in steps


@pytest.mark.parametrize(
    ("asked", "told", "words"),
    [
        ({"argv": ["own"]}, {"Entrypoint": ["e"]}, ["own"]),
        ({}, {"Entrypoint": ["e", "f"], "Cmd": ["c"]}, ["e", "f", "c"]),
        ({"arguments": ["a"]}, {"Entrypoint": ["e"], "Cmd": ["c"]}, ["e", "a"]),
        ({}, {"Cmd": ["c", "d"]}, ["c", "d"]),
        ({"arguments": ["a"]}, {"Cmd": ["c", "d"]}, ["c", "a"]),
        ({"arguments": ["a"], "as_docker": True}, {"Cmd": ["c", "d"]}, ["a"]),
    ],
)
def test_the_command_is_the_tasks_or_the_images(
    asked: dict[str, Any], told: dict[str, Any], words: list[str]
) -> None:
    image = {"arguments": [], "as_docker": False, "environment": {}, **asked}
    plan = {"argv": asked.get("argv", []), "environment": {}, "image": image}
    assert image_process(plan, {"config": told})["args"] == words


def test_an_image_without_a_command_needs_one() -> None:
    image = {"arguments": [], "as_docker": True, "environment": {}}
    with pytest.raises(PlanError, match="neither the task nor its image"):
        image_process({"argv": [], "environment": {}, "image": image}, {"config": {}})


@pytest.mark.parametrize(
    ("name", "registry", "place"),
    [
        ("nginx", "", Place("registry", "docker.io/nginx:latest")),
        ("nginx:1", "https://registry-1.docker.io", Place("registry", "docker.io/nginx:1")),
        ("team/app", "https://r.test:5000/", Place("registry", "r.test:5000/team/app:latest")),
        ("r.test/app:2", "https://other", Place("registry", "r.test/app:2")),
        ("docker://r.test/app@sha256:x", "", Place("registry", "r.test/app@sha256:x")),
        ("oci:/images/app:3", "", Place("oci", "/images/app", "3")),
        ("docker-archive:/a.tar", "", Place("docker-archive", "/a.tar")),
    ],
)
def test_names_of_images_are_read_as_everywhere(name: str, registry: str, place: Place) -> None:
    assert locate(name, registry) == place


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "x" * 2000])
def test_nonsense_names_no_image(name: str) -> None:
    with pytest.raises(ImageError, match="no name of an image"):
        locate(name, "")


def test_seccomp_profiles_are_narrowed_to_this_machine(tmp_path: Path) -> None:
    profile = tmp_path / "p.json"
    rules = [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": []},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["arm"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_KILL"]}},
        {"name": "old", "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
    ]
    archs = [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}]
    document = {"defaultAction": "SCMP_ACT_ERRNO", "archMap": archs, "syscalls": rules}
    profile.write_text(json.dumps(document))
    found = read_profile(str(profile), ["CAP_KILL"], "x86_64")
    assert [rule["names"] for rule in found["syscalls"]] == [["read"], ["old"]]
    assert found["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    for text, why in {"{": "can't be read", "{}": "malformed", '{"defaultAction": 1, '
                      '"syscalls": [1]}': "malformed"}.items():  # fmt: skip
        profile.write_text(text)
        with pytest.raises(ProfileError, match=why):
            read_profile(str(profile), [], "x86_64")


def test_a_host_is_made_read_only_mount_by_mount() -> None:
    table = "a / ext4 rw 0 0\nb /data\\040x ext4 rw 0 0\nc /proc proc rw 0 0\nd /r/x ext4 rw 0 0\n"
    found = read_only_mounts(table, {"config": {"root": {"path": "/r"}}})
    assert [mount["destination"] for mount in found] == ["/data x"]
    assert found[0]["options"] == ["bind", "ro"]
