#!/usr/bin/python
"""Ansible module: a server is a voting member of a ZooKeeper ensemble, or is not one."""

DOCUMENTATION = r"""
module: zookeeper_ensemble
short_description: Add a member to a live ZooKeeper ensemble, or take one away
description:
  - Changes the members by dynamic reconfiguration, one at a time, without a restart. A server that
    joins must run already, with a list of members that holds the others and itself.
  - Refuses what would leave no quorum of servers that answer, the last member, and a number that
    another server has.
  - Needs C(reconfigEnabled) and the password of the superuser; run it with a Python that has kazoo,
    for example that of an installed release.
version_added: "0.2.0"
options:
  servers:
    description: Servers of the ensemble, C(host:port).
    type: list
    elements: str
    required: true
  member:
    description:
      - The member as a configuration lists it; V(absent) needs its number only, for example C(4).
    type: str
    required: true
  state:
    description: Whether it is a member.
    type: str
    choices: [present, absent]
    default: present
  password:
    description: Password of ZooKeeper's superuser.
    type: str
    required: true
  wait_timeout:
    description: Seconds until the ensemble has taken the change up.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    description: Says whether the members would be changed.
  diff_mode:
    support: full
    description: Shows the members before and after.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: The fourth server votes
  zookeeper_ensemble:
    servers: ["192.0.2.11:2181", "192.0.2.12:2181", "192.0.2.13:2181"]
    member: server.4=192.0.2.14:2888:3888:participant;0.0.0.0:2181
    password: "{{ zookeeper_super_password }}"
  vars:
    ansible_python_interpreter: /opt/mesosphere/current/bin/python

- name: The first one leaves
  zookeeper_ensemble:
    servers: ["192.0.2.12:2181", "192.0.2.13:2181", "192.0.2.14:2181"]
    member: "1"
    state: absent
    password: "{{ zookeeper_super_password }}"
"""

RETURN = r"""
members:
  description: The members after the change, a line each.
  type: list
  elements: str
  returned: always
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mesosphere_http import outcome, wait_until
from ansible.module_utils.zookeeper import EnsembleError, member_state, parse_members
from ansible.module_utils.zookeeper_client import IN_DOUBT, connected, perform

ARGUMENTS = {
    "servers": {"type": "list", "elements": "str", "required": True},
    "member": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "password": {"type": "str", "required": True, "no_log": True},
    "wait_timeout": {"type": "int", "default": 120},
}


def as_line(member):
    """A member as a configuration lists it, without the address that its port is bound to."""
    host = f"[{member['host']}]" if ":" in member["host"] else member["host"]
    return (
        f"server.{member['id']}={host}:{member['peer']}:{member['election']}"
        f":{member['role']};{member['client']}"
    )


def number_of(text):
    """The number in "server.4=..." or "4". Raises EnsembleError."""
    number = text.split("=")[0].removeprefix("server.").strip()
    if not number.isdigit():
        raise EnsembleError(f"{text!r} names no member; give server.<number>=... or a number")
    return int(number)


def plan(members, given, state):
    """(joining, leaving) for a reconfiguration, (None, None) for no change.

    Raises EnsembleError for a number or an address that another member has, and for the last one.
    """
    number = number_of(given)
    if state == "absent":
        if number not in members:
            return None, None
        if len(members) == 1:
            raise EnsembleError(f"member {number} is the last one; add another before it leaves")
        return None, str(number)
    wanted = parse_members(given).get(number)
    if wanted is None or wanted["client"] is None:
        shape = "server.N=host:port:port:participant;port"
        raise EnsembleError(f"{given!r} is no member; write {shape}")
    for other in members.values():
        if other["id"] != number and other["host"] == wanted["host"]:
            raise EnsembleError(
                f"{wanted['host']} is member {other['id']}; a member keeps its number for life"
            )
    known = members.get(number)
    if known is not None and known["host"] != wanted["host"]:
        raise EnsembleError(
            f"member {number} is {known['host']}; give {wanted['host']} another number"
        )
    if known is not None and as_line(known) == as_line(wanted):
        return None, None
    return given, None


def guard(members, leaving, answers):
    """Refuse a change after which too few members answer for a quorum. Raises EnsembleError.

    `answers(member)` says whether a member does.
    """
    left = [each for each in members.values() if str(each["id"]) != leaving]
    voting = [each for each in left if each["role"] == "participant"]
    answering = [each for each in voting if answers(each)]
    needed = len(voting) // 2 + 1
    if len(answering) < needed:
        raise EnsembleError(
            f"{len(answering)} of the {len(voting)} members would answer, and a quorum needs"
            f" {needed}; bring the others up first"
        )


class Ensemble:
    """The ensemble through its client."""

    def __init__(self, client):
        self.client = client

    def members(self):
        """The members by number."""
        text, _ = self.client.get("/zookeeper/config")
        return parse_members(text.decode())

    def change(self, joining, leaving):
        """One reconfiguration. What became of it when the answer is lost, `has` will say."""
        with contextlib.suppress(*IN_DOUBT):
            self.client.reconfig(joining=joining, leaving=leaving, new_members=None)

    def has(self, numbers):
        """Whether the members are these; not yet, while a new leader is elected."""
        try:
            return set(self.members()) == set(numbers)
        except IN_DOUBT:
            return False


def answers(member):
    """Whether a member does."""
    return member_state(f"{member['host']}:{member['client']}")["answers"]


def run(module):
    """Change the members; the module's result. Raises EnsembleError."""
    given = module.params
    with connected(given["servers"], f"super:{given['password']}") as client:
        ensemble = Ensemble(client)
        before = ensemble.members()
        joining, leaving = plan(before, given["member"], given["state"])
        after = dict(before)
        if joining is not None:
            after.update(parse_members(joining))
        if leaving is not None:
            after.pop(int(leaving))
        lines = [as_line(each) for _, each in sorted(after.items())]
        shown = [as_line(each) for _, each in sorted(before.items())]
        found = {"members": (shown, lines)} if joining is not None or leaving is not None else {}
        result = {**outcome(found, "ensemble"), "members": lines}
        if not found:
            return result
        guard(after, None, answers)
        if not module.check_mode:
            ensemble.change(joining, leaving)
            if not wait_until(lambda: ensemble.has(after), given["wait_timeout"]):
                raise EnsembleError("the ensemble did not take the change up in time")
        return result


def main():
    """Read the arguments, act, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    perform(module, run)


if __name__ == "__main__":
    main()
