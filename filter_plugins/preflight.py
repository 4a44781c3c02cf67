"""What is wrong with an inventory, found before any host is touched."""

import difflib
import functools
import re
from pathlib import Path

import yaml
from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

GROUPS = ("zookeeper", "masters", "agents", "marathon", "chronos", "loadbalancers")
ODD = ("zookeeper", "masters")
PORTS = {
    "mesosphere_zookeeper_port": "zookeeper",
    "mesosphere_zookeeper_peer_port": "zookeeper",
    "mesosphere_zookeeper_election_port": "zookeeper",
    "mesosphere_master_port": "masters",
    "mesosphere_agent_port": "agents",
    "mesosphere_marathon_port": "marathon",
    "mesosphere_chronos_port": "chronos",
    "mesosphere_http_port": "loadbalancers",
    "mesosphere_stats_port": "loadbalancers",
}
"""The port table: who listens on what."""

DAEMONS = {
    "mesos_master": ("master", "MESOS"),
    "mesos_agent": ("agent", "MESOS"),
    "marathon": ("marathon", "MARATHON"),
    "chronos": ("chronos", "CHRONOS"),
    "haproxy": ("haproxy", "HAPROXY_LB"),
}
"""Roles of daemons: the component, and what names of its environment begin with."""

FLAGS = "docs/operations/flags.md"
FLAG_ROW = re.compile(r"^\| (`--.+?`) \| (.*?) \|")
FLAG_VALUES = {
    "integer": re.compile(r"-?\d+"),
    "number": re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?"),
    "switch": re.compile(r"true|false|1|0|yes|no|on|off", re.IGNORECASE),
    "duration": re.compile(r"-?\d+(\.\d+)?(ns|us|ms|secs|mins|hrs|days|weeks)"),
    "size": re.compile(r"\d+\s*([KMGT]?B)?", re.IGNORECASE),
    "port": re.compile(r"\d{1,5}"),
}
URL_SECRET = re.compile(r"//[^/@]+:[^/@]+@")
CLOSE_NAME, CLOSE_GROUP = 0.9, 0.85
"""How alike a name must be to one of ours to be a mistake for it, from 0 to 1."""

PORT_GROUPS = tuple(dict.fromkeys(PORTS.values()))
SHARED = "playbooks/group_vars/all/cluster.yml"

PORT_LIMIT = 65535
ID_LIMIT = 255
FACTS = ("release_active_id", "release_archive", "release_program")
"""Names with a role's prefix that a run makes itself."""


def inventory_faults(groups, hostvars, roles, hosts=None):
    """A sentence for each fault, with the host and the variable.

    `roles` is the directory of the roles, whose specifications say which variables there are;
    `hosts` limits the check of variables to some hosts.
    """
    if not hasattr(groups, "get") or not Path(roles).is_dir():
        raise AnsibleFilterError(
            "inventory_faults: needs the groups and the directory of the roles"
        )
    found, by_variable = group_faults(groups), {}
    members = list(dict.fromkeys(host for name in GROUPS for host in groups.get(name, ())))
    checked = members if hosts is None else [host for host in members if host in hosts]
    options = specified(Path(roles))
    shared = yaml.safe_load((Path(roles).parent / SHARED).read_text())
    flags = specified_flags((Path(roles).parent / FLAGS).read_text())
    for host in checked:
        faults = variable_faults(hostvars[host], options, shared)
        for role in DAEMONS:
            faults += flag_faults(role, hostvars[host].get(f"{role}_flags"), flags)
        own = [group for group in PORT_GROUPS if host in groups.get(group, ())]
        for fault in faults + port_faults(hostvars[host], own):
            by_variable.setdefault(fault, []).append(host)
    # A fault that many hosts have is said once.
    for fault, named in by_variable.items():
        others = f" and {len(named) - 1} more" if len(named) > 1 else ""
        found.append(f"{named[0]}{others}: {fault}.")
    return found + duplicate_faults(checked, hostvars, groups.get("zookeeper", ()))


def group_faults(groups):
    """Groups that are missing, empty or even."""
    found = []
    for name in GROUPS:
        if name not in groups:
            found.append(f"The inventory has no group '{name}'; inventories/sample shows them all.")
        elif name in ODD and len(groups[name]) % 2 == 0:
            found.append(
                f"The group '{name}' has {len(groups[name])} hosts; it needs an odd number"
                " (1, 3 or 5), because an even number survives no more failures than one less."
            )
    for name in groups:
        close = [] if name in GROUPS else difflib.get_close_matches(name, GROUPS, 1, CLOSE_GROUP)
        outside = [host for host in groups[name] if close and host not in groups.get(close[0], ())]
        if outside:
            found.append(
                f"{outside[0]} is in the group '{name}', which nobody reads; did you mean"
                f" '{close[0]}'."
            )
    return found


def specified(roles):
    """{variable: its specification} of every role."""
    found = {}
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            found.update(entry.get("options", {}))
    return found


def variable_faults(variables, options, shared):
    """Variables that nobody reads, and values that are not of their type or choices."""
    prefixes = tuple(sorted({"mesosphere_"} | {f"{_role(name)}_" for name in options}))
    known = (*options, *shared, "mesosphere_address")
    found = []
    for name in sorted(str(each) for each in variables):
        if name in options:
            # Defaults of roles are not here, only what an inventory or the command line sets.
            said = value_fault(name, variables[name], options[name])
            if said:
                found.append(said)
        elif name.startswith(prefixes) and name not in shared and name not in FACTS:
            close = meant(name, known, 0.6)
            hint = f"did you mean {close}" if close else "variables.md has all"
            found.append(f"there is no variable '{name}'; {hint}")
        elif not name.startswith((*prefixes, "ansible_")) and meant(name, known, CLOSE_NAME):
            close = meant(name, known, CLOSE_NAME)
            found.append(f"nobody reads the variable '{name}'; did you mean {close}")
    return found


@functools.lru_cache(maxsize=4096)
def meant(name, known, likeness):
    """The one of `known` that a name was perhaps meant to be, or None."""
    close = difflib.get_close_matches(name, known, 1, likeness)
    return close[0] if close else None


def specified_flags(page):
    """{component: {flag: what its value must be}} of the page of flags, which is generated."""
    found, component = {}, ""
    for line in page.splitlines():
        if line.startswith("## mesosphere "):
            component = line.removeprefix("## mesosphere ")
            found[component] = {}
        row = FLAG_ROW.match(line)
        for name in re.findall(r"`--([^`]+)`", row.group(1)) if row else ():
            found[component][name] = row.group(2)
    return found


def flag_faults(role, given, flags):
    """Flags that a daemon doesn't have, values that it would refuse, secrets that all would see."""
    if not isinstance(given, dict):
        return []
    component, prefix = DAEMONS[role]
    known, found = flags[component], []
    for name, value in given.items():
        flag = str(name).replace("-", "_")
        switched = re.sub("^(no|disable)_", "", flag)
        if flag not in known and known.get(switched) != "switch":
            close = meant(flag, tuple(known), 0.6)
            hint = f"did you mean {close}" if close else "flags.md has all"
            found.append(f"the variable '{role}_flags': there is no flag '{name}'; {hint}")
            continue
        kind = known.get(flag, "switch")
        for one in value if isinstance(value, list) else [value]:
            text = "" if one is None else str(one)
            if not text or text.startswith("file://"):
                continue
            if kind == "secret" or URL_SECRET.search(text):
                found.append(
                    f"the variable '{role}_flags' has the secret '{name}', and a command line is"
                    f" seen by every user; put it into '{role}_environment' as"
                    f" {prefix}_{flag.upper()}, or name a file: file:///path"
                )
            elif kind.startswith("one of "):
                if text not in kind.removeprefix("one of ").split(", "):
                    found.append(f"the variable '{role}_flags': '{name}' is '{text}', not {kind}")
            elif kind in FLAG_VALUES and not FLAG_VALUES[kind].fullmatch(text):
                found.append(f"the variable '{role}_flags': '{name}' is '{text}', no {kind}")
    return found


def _role(name):
    for prefix in ("mesos_master", "mesos_agent", "support_bundle"):
        if name.startswith(f"{prefix}_"):
            return prefix
    return name.partition("_")[0]


def value_fault(name, value, option):
    """What is wrong with a value; None if nothing is."""
    kept = {key: option[key] for key in ("type", "elements", "choices") if key in option}
    result = ArgumentSpecValidator({name: kept}).validate({name: value})
    if not result.error_messages:
        return None
    return f"the variable '{name}': {'; '.join(result.error_messages)}"


def port_faults(variables, groups):
    """Ports that are no ports, or wanted twice on one host."""
    taken, found = {}, []
    for name, group in PORTS.items():
        if group not in groups:
            continue
        port = variables.get(name)
        if isinstance(port, bool) or not str(port).isdigit() or not 0 < int(port) <= PORT_LIMIT:
            found.append(f"the variable '{name}' is {port!r}, no port from 1 to {PORT_LIMIT}")
            continue
        if int(port) in taken:
            found.append(f"the variables '{taken[int(port)]}' and '{name}' are both port {port}")
        taken[int(port)] = name
    return found


def duplicate_faults(hosts, hostvars, members):
    """Hosts with one address, members of ZooKeeper with one number."""
    addresses, numbers, found = {}, {}, []
    for host in hosts:
        address = str(hostvars[host].get("mesosphere_address") or host)
        if address in addresses:
            found.append(
                f"{host}: the variable 'mesosphere_address' is {address},"
                f" which {addresses[address]} has too."
            )
        addresses.setdefault(address, host)
        number = hostvars[host].get("zookeeper_id")
        if host not in members or number in (None, "", 0):
            continue
        if not str(number).isdigit() or not 0 < int(number) <= ID_LIMIT:
            found.append(
                f"{host}: the variable 'zookeeper_id' is {number!r},"
                f" no number from 1 to {ID_LIMIT}."
            )
        elif int(number) in numbers:
            found.append(
                f"{host}: the variable 'zookeeper_id' is {number},"
                f" which {numbers[int(number)]} has too."
            )
        numbers.setdefault(int(number) if str(number).isdigit() else number, host)
    return found


def listeners(variables, groups):
    """The port table for one host: [{port, variable, group}] of the groups that it is in."""
    return [
        {"port": int(variables[name]), "variable": name, "group": group}
        for name, group in PORTS.items()
        if group in groups and name in variables
    ]


class FilterModule:
    """The filters by name."""

    def filters(self):
        """What Ansible asks for."""
        return {"inventory_faults": inventory_faults, "listeners": listeners}
