"""Joins containers to networks with CNI plugins, and takes them out again. Standard library only.

Each container has a network namespace, bound to a path so that it lives without a process. What was
added is written down before it is added, so that it can be taken away whatever happens.
Source: the CNI specification 0.4.0; "Mesos: CNI support" (apache/mesos docs/cni.md), whose port
mapper `mesos-cni-port-mapper` is read as its delegate followed by `portmap`.
"""

import contextlib
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
from pathlib import Path
from typing import Any

from mesosphere.agent.isolation.processes import (
    CLONE_NEWNET,
    MS_BIND,
    read_record,
    system_call,
    write_aside,
)

PLUGIN_TIMEOUT_S = 60.0
MNT_DETACH = 2
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40
CNI_VERSION = "0.4.0"
SUFFIXES = (".conflist", ".conf", ".json")
PORT_MAP = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NetworkError(Exception):
    """A network can't be joined; the message is one sentence."""


def find_configuration(name: str, networks: dict[str, Any]) -> dict[str, Any]:
    """The list of plugins of a network: from the directory, or the built-in bridge."""
    directory = networks["config_dir"]
    for path in sorted(Path(directory).iterdir()) if directory and Path(directory).is_dir() else ():
        if path.suffix not in SUFFIXES:
            continue
        with contextlib.suppress(OSError, ValueError):
            value = json.loads(path.read_text())
            if isinstance(value, dict) and value.get("name") == name:
                return as_list(value)
    bridge, subnet = networks["bridge"]
    if name == bridge and subnet:
        return bridge_configuration(bridge, subnet)
    raise NetworkError(f"the network '{name}' is not configured in '{directory}'")


def as_list(value: dict[str, Any]) -> dict[str, Any]:
    """One plugin's configuration, or the port mapper's, as a list of plugins."""
    if isinstance(value.get("plugins"), list):
        return value
    plugin = {key: each for key, each in value.items() if key not in ("name", "cniVersion")}
    plugins = [plugin]
    if plugin.get("type") == "mesos-cni-port-mapper":
        plugins = [plugin.get("delegate") or {}, PORT_MAP]
    version = value.get("cniVersion", CNI_VERSION)
    return {"cniVersion": version, "name": value["name"], "plugins": plugins}


def bridge_configuration(name: str, subnet: str) -> dict[str, Any]:
    """The network that there is without any configuration."""
    bridge = {
        "type": "bridge", "bridge": "mesos0", "isGateway": True, "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local", "ranges": [[{"subnet": subnet}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }  # fmt: skip
    return {"cniVersion": CNI_VERSION, "name": name, "plugins": [bridge, PORT_MAP]}


def plugin_inputs(configuration: dict[str, Any], ports: list[dict[str, Any]]) -> list[Any]:
    """What each plugin of a list is told, with the ports where one can map them."""
    plugins = list(configuration["plugins"])
    if ports and not any(_maps_ports(plugin) for plugin in plugins):
        plugins.append(PORT_MAP)
    mappings = [
        {"hostPort": port["host"], "containerPort": port["container"], "protocol": port["protocol"]}
        for port in ports
    ]
    inputs = []
    for plugin in plugins:
        told = {key: value for key, value in plugin.items() if key != "capabilities"}
        told["cniVersion"] = configuration.get("cniVersion", CNI_VERSION)
        told["name"] = configuration["name"]
        if mappings and _maps_ports(plugin):
            told["runtimeConfig"] = {"portMappings": mappings}
        inputs.append(told)
    return inputs


def _maps_ports(plugin: dict[str, Any]) -> bool:
    return bool((plugin.get("capabilities") or {}).get("portMappings"))


def attach(networks: dict[str, Any], container: str, bundle: Path) -> None:
    """Make the namespace, join every network, write the files about names. Raises NetworkError."""
    place = networks["namespace"]
    try:
        make_namespace(place)
    except OSError as error:
        raise NetworkError(f"no network namespace can be made: {error.strerror}") from error
    record: dict[str, Any] = {"namespace": place, "container": container, "added": [], "joined": []}
    write_aside(bundle / "network.json", record)
    dns: list[str] = []
    for number, network in enumerate(networks["joined"]):
        configuration = find_configuration(network["name"], networks)
        result: dict[str, Any] = {}
        for told in plugin_inputs(configuration, network["ports"]):
            step = {"interface": f"eth{number}", "config": told, "path": networks["plugins_dir"]}
            record["added"].append(step)
            write_aside(bundle / "network.json", record)
            # What is left of a failed step is removed by its DEL.
            given = {**told, "prevResult": result} if result else told
            result = call_plugin("ADD", step, given, record) or result
            step["config"] = {**told, "prevResult": result}
        addresses = [each["address"].partition("/")[0] for each in result.get("ips") or ()]
        dns += (result.get("dns") or {}).get("nameservers") or []
        record["joined"].append([network["name"], addresses])
        write_aside(bundle / "network.json", record)
    write_names(bundle, networks["hostname"], record["joined"], dns)


def write_names(bundle: Path, hostname: str, joined: list[Any], dns: list[str]) -> None:
    """`hosts`, `hostname` and `resolv.conf` as the container sees them."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    lines += [f"{address} {hostname}" for _, addresses in joined for address in addresses]
    (bundle / "hosts").write_text("\n".join(lines) + "\n")
    (bundle / "hostname").write_text(f"{hostname}\n")
    if dns:
        text = "".join(f"nameserver {server}\n" for server in dns)
    else:
        text = Path("/etc/resolv.conf").read_text() if Path("/etc/resolv.conf").exists() else ""
    (bundle / "resolv.conf").write_text(text)
    for name in ("hosts", "hostname", "resolv.conf"):
        (bundle / name).chmod(0o644)


def call_plugin(
    command: str, step: dict[str, Any], given: dict[str, Any], record: dict[str, Any]
) -> dict[str, Any]:
    """Run one plugin; its answer. Raises NetworkError."""
    kind = str(given.get("type"))
    program = shutil.which(os.path.basename(kind), path=step["path"])
    if program is None:
        raise NetworkError(f"the CNI plugin '{kind}' is not in '{step['path']}'")
    environment = {
        "CNI_COMMAND": command, "CNI_CONTAINERID": record["container"],
        "CNI_NETNS": record["namespace"], "CNI_IFNAME": step["interface"],
        "CNI_PATH": step["path"], "PATH": PATH,
    }  # fmt: skip
    try:
        done = subprocess.run(
            [program], input=json.dumps(given).encode(), env=environment, capture_output=True,
            timeout=PLUGIN_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetworkError(f"the CNI plugin {kind} can't be run: {error}") from error
    answer: Any = {}
    with contextlib.suppress(ValueError):
        answer = json.loads(done.stdout or b"{}")
    if done.returncode != 0:
        told = answer.get("msg") if isinstance(answer, dict) else None
        reason = told or done.stderr.decode(errors="replace").strip()[:500] or done.returncode
        raise NetworkError(f"the network '{given['name']}' can't be joined: {kind}: {reason}")
    return answer if isinstance(answer, dict) else {}


def detach(bundle: Path) -> None:
    """Undo everything that was written down; what is gone already is no fault."""
    record = read_record(bundle / "network.json")
    if record is None:
        return
    for step in reversed(record["added"]):
        with contextlib.suppress(NetworkError):
            call_plugin("DEL", step, step["config"], record)
    remove_namespace(record["namespace"])


def make_namespace(place: str) -> None:
    """A network namespace with its loopback up, bound to `place`; the caller stays in its own."""
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
    path.touch(mode=0o600)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        system_call("unshare", CLONE_NEWNET)
        system_call("mount", b"/proc/self/ns/net", os.fsencode(place), None, MS_BIND, None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            request = struct.pack("16sh", b"lo", IFF_UP | IFF_RUNNING)
            fcntl.ioctl(control, SIOCSIFFLAGS, request)
    finally:
        system_call("setns", home, CLONE_NEWNET)
        os.close(home)


def remove_namespace(place: str) -> None:
    """Let go of a namespace; it ends with its last process."""
    with contextlib.suppress(OSError):
        system_call("umount2", os.fsencode(place), MNT_DETACH)
    with contextlib.suppress(OSError):
        os.unlink(place)
