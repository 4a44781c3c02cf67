#!/usr/bin/python
"""Ansible module: what the servers of a ZooKeeper ensemble say."""

DOCUMENTATION = r"""
module: zookeeper_info
short_description: Ask the servers of a ZooKeeper ensemble what they are
description:
  - Reads mode, number, version and the list of members of each server by its four-letter words
    C(srvr) and C(conf). Changes nothing, needs no client library.
version_added: "0.2.0"
options:
  servers:
    description: The servers, C(host:port).
    type: list
    elements: str
    default: ["127.0.0.1:2181"]
  wait:
    description: Wait until every server answers, one of them leads, and all name the same members.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait before the task fails.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    description: It only reads.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: Wait until the ensemble is whole
  zookeeper_info:
    servers: ["192.0.2.11:2181", "192.0.2.12:2181", "192.0.2.13:2181"]
    wait: true
  register: ensemble
"""

RETURN = r"""
servers:
  description:
    - Of each server address, answers, mode, id, version, zxid, nodes, connections and members.
  type: list
  elements: dict
  returned: always
leader:
  description: Address of the server that leads, or of the only one; empty if none does.
  type: str
  returned: always
  sample: 192.0.2.12:2181
answering:
  description: Addresses of the servers that answer.
  type: list
  elements: str
  returned: always
voters:
  description: Numbers of the members that vote.
  type: list
  elements: int
  returned: always
has_quorum:
  description: Whether a server leads, which takes a quorum.
  type: bool
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mesosphere_http import wait_until
from ansible.module_utils.zookeeper import ensemble_state

ARGUMENTS = {
    "servers": {"type": "list", "elements": "str", "default": ["127.0.0.1:2181"]},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
}


def why_not_whole(state):
    """Why an ensemble is not whole; empty if it is."""
    silent = [each["fault"] for each in state["servers"] if not each["answers"]]
    if silent:
        return "; ".join(silent)
    if not state["leader"]:
        return "no server leads"
    lists = {tuple(sorted(each["members"])) for each in state["servers"]}
    if len(lists) > 1:
        return "the servers do not name the same members"
    return ""


def main():
    """Read the arguments, ask, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = module.params
    state = {}

    def whole():
        nonlocal state
        state = ensemble_state(given["servers"])
        return not why_not_whole(state)

    if not whole() and given["wait"] and not wait_until(whole, given["wait_timeout"]):
        why = why_not_whole(state)
        module.fail_json(
            msg=f"the ensemble is not whole after {given['wait_timeout']} s: {why}", **state
        )
    module.exit_json(changed=False, **state)


if __name__ == "__main__":
    main()
