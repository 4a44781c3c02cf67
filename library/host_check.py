#!/usr/bin/python
"""Ansible module: whether a host can carry a part of the cluster."""

DOCUMENTATION = r"""
module: host_check
short_description: Refuse a host that can't carry its part of the cluster
description:
  - Looks at the distribution, the memory, the clock, and who listens on the ports that are needed.
    Changes nothing. All that is wrong is said at once, a sentence each.
version_added: "0.2.0"
options:
  host:
    description: What the host is called in sentences; its own name if not given.
    type: str
  distributions:
    description: Names of distributions as F(/etc/os-release) has them, with the least version.
    type: dict
    default: {debian: "12", ubuntu: "22.04"}
  memory_mb:
    description: The least memory of the host in MB.
    type: int
    default: 0
  memory_variables:
    description: The variables that this comes from, for the sentence.
    type: str
    default: common_memory_minimum_mb
  now:
    description: The controller's time in seconds since 1970; without it the clock is not checked.
    type: float
  clock_skew_s:
    description: Most seconds that the host's clock may be wrong.
    type: int
    default: 30
  ports:
    description: Ports that must be free, or held by the cluster's own services.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The port.
        type: int
        required: true
      variable:
        description: The variable that it comes from.
        type: str
        required: true
      group:
        description: The component that needs it.
        type: str
        required: true
  member:
    description: The number of a member of ZooKeeper, which a host keeps for life.
    type: dict
    suboptions:
      number:
        description: The number that the inventory gives the host; 0 for none.
        type: int
        required: true
      file:
        description: Where the host keeps its number.
        type: path
        required: true
      variable:
        description: The variable that the number comes from.
        type: str
        required: true
  own_commands:
    description: What the command lines of the cluster's own processes hold.
    type: list
    elements: str
    default: [mesosphere, zookeeper, haproxy]
attributes:
  check_mode:
    support: full
    description: It only reads.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: Can the host carry an agent?
  host_check:
    memory_mb: 512
    now: "{{ now().timestamp() }}"
    ports: [{port: 5051, variable: mesosphere_agent_port, group: agents}]
"""

RETURN = r"""
distribution:
  description: Name and version of the distribution.
  type: str
  returned: always
  sample: debian 12
memory_mb:
  description: The host's memory.
  type: int
  returned: always
skew_s:
  description: How far the host's clock is ahead of the controller's, in seconds.
  type: float
  returned: when now is given
listening:
  description: Who listens on the ports that were asked for, by port.
  type: dict
  returned: always
ports:
  description: The ports that were looked at.
  type: list
  elements: int
  returned: always
faults:
  description: What is wrong, a sentence each.
  type: list
  elements: str
  returned: always
"""

import socket
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

ARGUMENTS = {
    "host": {"type": "str"},
    "distributions": {"type": "dict", "default": {"debian": "12", "ubuntu": "22.04"}},
    "memory_mb": {"type": "int", "default": 0},
    "memory_variables": {"type": "str", "default": "common_memory_minimum_mb"},
    "now": {"type": "float"},
    "clock_skew_s": {"type": "int", "default": 30},
    "ports": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "int", "required": True},
            "variable": {"type": "str", "required": True},
            "group": {"type": "str", "required": True},
        },
    },
    "member": {
        "type": "dict",
        "options": {
            "number": {"type": "int", "required": True},
            "file": {"type": "path", "required": True},
            "variable": {"type": "str", "required": True},
        },
    },
    "own_commands": {
        "type": "list",
        "elements": "str",
        "default": ["mesosphere", "zookeeper", "haproxy"],
    },
}
LISTEN = "0A"


def release_of(text):
    """(id, version) of an os-release file."""
    pairs = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return pairs.get("ID", "").strip('"'), pairs.get("VERSION_ID", "").strip('"')


def is_older(version, least):
    """Whether a version such as 22.04 is older than another; one without a number is not."""

    def parts(text):
        return [int(part) for part in str(text).split(".") if part.isdigit()]

    return bool(parts(version)) and parts(version) < parts(least)


def listening_sockets(texts):
    """{port: {inode}} of the files in /proc/net."""
    found = {}
    for text in texts:
        for line in text.splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == LISTEN:
                port = int(fields[1].rpartition(":")[2], 16)
                found.setdefault(port, set()).add(fields[9])
    return found


def number_of(path):
    """The number in a file, None if there is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def owners(inodes):
    """{inode: "command line"} of the processes that hold sockets; of those that may be seen."""
    found = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            for descriptor in (process / "fd").iterdir():
                target = str(descriptor.readlink())
                inode = target[8:-1] if target.startswith("socket:[") else ""
                if inode in inodes:
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[inode] = command.decode("utf-8", "replace").strip()
        except OSError:
            continue
    return found


def faults(host, known, given):
    """What is wrong with a host, a sentence each. Pure."""
    found = []
    name, version = known["release"]
    least = given["distributions"].get(name)
    if least is None:
        names = " and ".join(sorted(given["distributions"]))
        found.append(
            f"{host} runs {name or 'an unknown system'}; the roles are written for {names}"
            " (common_distributions)."
        )
    elif is_older(version, least):
        found.append(
            f"{host} runs {name} {version}; the roles need {least} or later (common_distributions)."
        )
    if known["memory_mb"] < given["memory_mb"]:
        found.append(
            f"{host} has {known['memory_mb']} MB of memory; its services need"
            f" {given['memory_mb']} MB ({given['memory_variables']})."
        )
    if known["skew_s"] is not None and abs(known["skew_s"]) > given["clock_skew_s"]:
        way = "ahead of" if known["skew_s"] > 0 else "behind"
        found.append(
            f"The clock of {host} is {abs(known['skew_s']):.0f} s {way} the controller's; set it"
            " right first, for example with chrony (common_clock_skew_s is"
            f" {given['clock_skew_s']})."
        )
    member, kept = given["member"], known["number"]
    if member is not None and kept not in (None, member["number"]) and member["number"]:
        found.append(
            f"{host} is member {kept} of the ensemble, and the inventory says"
            f" {member['variable']} is {member['number']}; a member keeps its number for life. Set"
            f" {member['variable']} to {kept} or leave it out."
        )
    for each in given["ports"]:
        holder = known["listening"].get(each["port"])
        if holder is not None and not any(own in holder for own in given["own_commands"]):
            found.append(
                f"Port {each['port']} of {host}, which {each['group']} needs"
                f" ({each['variable']}), is taken by: {holder or 'a process of another user'}."
            )
    return found


def look(given):
    """What the host is."""
    memory = Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0]
    files = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    sockets = listening_sockets([path.read_text() for path in files if path.exists()])
    asked = [each["port"] for each in given["ports"]]
    wanted = {port: sockets[port] for port in asked if port in sockets}
    holders = owners({inode for inodes in wanted.values() for inode in inodes})
    return {
        "release": release_of(Path("/etc/os-release").read_text()),
        "memory_mb": int(memory) // 1024,
        "skew_s": None if given["now"] is None else time.time() - given["now"],
        "number": None if given["member"] is None else number_of(Path(given["member"]["file"])),
        "listening": {
            port: next((holders[inode] for inode in inodes if inode in holders), "")
            for port, inodes in wanted.items()
        },
    }


def main():
    """Read the arguments, look, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    known = look(module.params)
    host = module.params["host"] or socket.gethostname()
    found = faults(host, known, module.params)
    result = {
        "distribution": " ".join(known["release"]),
        "memory_mb": known["memory_mb"],
        "listening": {str(port): who for port, who in known["listening"].items()},
        "ports": [each["port"] for each in module.params["ports"]],
        "faults": found,
    }
    if known["skew_s"] is not None:
        result["skew_s"] = known["skew_s"]
    if found:
        module.fail_json(msg=" ".join(found), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
