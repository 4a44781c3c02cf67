"""Ansible inventory plugin: a Mesosphere cluster as it is now."""

from pathlib import Path

import ansible.module_utils
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

# Ansible ships our module_utils to hosts; on the controller a plugin has to say where they are.
ansible.module_utils.__path__.append(str(Path(__file__).resolve().parents[1] / "module_utils"))

from ansible.module_utils.mesos import agent_states  # noqa: E402
from ansible.module_utils.mesosphere_http import Api, RequestError  # noqa: E402

DOCUMENTATION = r"""
name: mesosphere
short_description: Groups of a live Mesosphere cluster
version_added: "0.2.0"
author: Mesosphere maintainers
description:
  - Asks the leading master for its agents and itself, and makes groups of what it says. Put a file
    C(live.mesosphere.yml) beside a static inventory and give C(-i) the directory.
  - A host of the static inventory whose C(mesosphere_address) or C(ansible_host) is an agent's
    hostname is that agent; other agents become hosts of their own.
  - Groups are C(mesos_leader), C(agents_active), C(agents_inactive), C(agents_deactivated),
    C(agents_draining), C(agents_drained), C(agents_recovered), and for each attribute that is text
    C(agents_<attribute>_<value>).
  - Variables of an agent are C(mesos_agent_id), C(mesos_agent_state), C(mesos_agent_attributes) and
    C(mesos_agent_version); of the leader C(mesos_master_leads).
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: C(mesosphere).
    required: true
    choices: [mesosphere]
  master_url:
    description: URLs of masters, tried in turn.
    type: list
    elements: str
    required: true
    env:
      - name: MESOSPHERE_MASTER_URL
  url_username:
    description: User, where the master wants one.
    type: str
    env:
      - name: MESOSPHERE_USERNAME
  url_password:
    description: Password of O(url_username).
    type: str
    env:
      - name: MESOSPHERE_PASSWORD
  validate_certs:
    description: Whether the certificate of an C(https) URL must be valid.
    type: bool
    default: true
  unreachable_ok:
    description: An empty result and a warning instead of an error when no master answers.
    type: bool
    default: false
"""

EXAMPLES = r"""
# inventories/mine/live.mesosphere.yml
plugin: mesosphere
master_url: ["http://192.0.2.11:5050", "http://192.0.2.12:5050", "http://192.0.2.13:5050"]
unreachable_ok: true
keyed_groups:
  - key: mesos_agent_attributes.rack
    prefix: rack
"""

STATES = ("active", "inactive", "deactivated", "draining", "drained", "recovered")
GROUP_OTHER = "_"
LOOPBACK = "127.0.0.1"


class Given:
    """The options in the form that Api reads."""

    def __init__(self, params):
        self.params = params


def snapshot(api):
    """{leader: hostname, agents: as mesos_info shows them} of a cluster. Raises RequestError."""

    def ask(kind):
        answer = api.expect("POST", "/api/v1", {"type": kind}, shape=dict)
        return answer.json.get(kind.lower()) or {}

    leader = (ask("GET_MASTER").get("master_info") or {}).get("address") or {}
    return {
        "leader": leader.get("hostname") or leader.get("ip") or "",
        "agents": agent_states(ask("GET_AGENTS")),
    }


def group_name(*parts):
    """A name that Ansible takes for a group."""
    text = "_".join(str(part) for part in parts)
    return "".join(each if each.isalnum() or each == "_" else GROUP_OTHER for each in text)


def memberships(agent):
    """The groups of one agent."""
    found = [f"agents_{agent['state']}"]
    for name, value in sorted(agent["attributes"].items()):
        if isinstance(value, str):
            found.append(group_name("agents", name, value))
    return found


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """What Ansible calls."""

    NAME = "mesosphere"

    def verify_file(self, path):
        """Only files that are meant for it."""
        return super().verify_file(path) and path.endswith((".mesosphere.yml", ".mesosphere.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        """Read the cluster, or what is cached of it."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        key = self.get_cache_key(path)
        wanted = self.get_option("cache")
        known = self._cache.get(key) if wanted and cache else None
        if known is None:
            known = self.read()
            if wanted and known is not None:
                self._cache[key] = known
        if known is not None:
            self.populate(known)

    def read(self):
        """The cluster's snapshot; None if nobody answers and that may be."""
        options = ("url_username", "url_password", "validate_certs")
        api = Api(
            Given({name: self.get_option(name) for name in options}), self.get_option("master_url")
        )
        try:
            return snapshot(api)
        except RequestError as error:
            if not self.get_option("unreachable_ok"):
                raise AnsibleParserError(f"the cluster can't be asked: {error}") from error
            self.display.warning(f"the cluster can't be asked, its groups are empty: {error}")
            return None

    def populate(self, known):
        """Make hosts, groups and variables."""
        for name in ("mesos_leader", *(f"agents_{state}" for state in STATES)):
            self.inventory.add_group(name)
        named = self.named()
        if known["leader"]:
            leader = self.host(known["leader"], named)
            self.inventory.add_child("mesos_leader", leader)
            self.inventory.set_variable(leader, "mesos_master_leads", True)
        for agent in known["agents"]:
            host = self.host(agent["hostname"], named)
            for group in memberships(agent):
                self.inventory.add_group(group)
                self.inventory.add_child(group, host)
            for name in ("id", "state", "attributes", "version"):
                self.inventory.set_variable(host, f"mesos_agent_{name}", agent[name])
            self.construct(host)

    def named(self):
        """{address: host} of the hosts that other sources have."""
        found = {}
        for name, host in self.inventory.hosts.items():
            variables = host.get_vars()
            for key in ("ansible_host", "mesosphere_address"):
                if variables.get(key):
                    found[str(variables[key])] = name
            found.setdefault(name, name)
        return found

    def host(self, address, named):
        """The host with an address, made if there is none.

        A master that calls itself localhost is the host at 127.0.0.1: Ansible's own localhost is
        none of the cluster's.
        """
        address = LOOPBACK if address == "localhost" else address
        if address not in named:
            named[address] = self.inventory.add_host(address) or address
        return named[address]

    def construct(self, host):
        """What the file itself asks for: compose, groups, keyed_groups."""
        strict = self.get_option("strict")
        variables = self.inventory.get_host(host).get_vars()
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        variables = self.inventory.get_host(host).get_vars()
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(
            self.get_option("keyed_groups"), variables, host, strict=strict
        )
