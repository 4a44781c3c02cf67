#!/usr/bin/python
"""Ansible module: a gate between the steps of an operation, from the cluster's live state."""

DOCUMENTATION = r"""
module: cluster_gate
short_description: Wait until a cluster is whole, and refuse what it can't lose
description:
  - Asks every ZooKeeper server, master, Marathon, Chronos and load balancer what it is.
  - With O(expect=whole) it waits until all of them answer, each layer has its one leader and enough
    agents are active. With O(losing) it then refuses when the servers at those addresses can't be
    lost, because ZooKeeper's quorum or the last server of a kind would go with them.
  - Changes nothing. What is not listed is not asked.
version_added: "0.2.0"
options:
  zookeeper:
    description: ZooKeeper's servers, C(host:port).
    type: list
    elements: str
    default: []
  masters:
    description: URLs of the masters.
    type: list
    elements: str
    default: []
  marathon:
    description: URLs of the Marathons.
    type: list
    elements: str
    default: []
  chronos:
    description: URLs of the Chronos servers.
    type: list
    elements: str
    default: []
  loadbalancers:
    description: URLs of the load balancers' statistics.
    type: list
    elements: str
    default: []
  agents:
    description: How many agents must be active.
    type: int
    default: 0
  expect:
    description: V(whole) fails unless everything is well; V(any) only reports.
    type: str
    choices: [whole, any]
    default: whole
  losing:
    description: Addresses of hosts that the next step takes away; their own faults don't count.
    type: list
    elements: str
    default: []
  may_be_last:
    description: Components whose last server may be lost for a moment.
    type: list
    elements: str
    choices: [masters, marathon, chronos, loadbalancers]
    default: []
  wait_timeout:
    description: Seconds to wait for a whole cluster.
    type: int
    default: 120
extends_documentation_fragment: [mesosphere]
attributes:
  check_mode:
    support: full
    description: It only reads.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: All must be well before the first restart
  cluster_gate:
    zookeeper: ["192.0.2.11:2181", "192.0.2.12:2181", "192.0.2.13:2181"]
    masters: ["http://192.0.2.11:5050", "http://192.0.2.12:5050", "http://192.0.2.13:5050"]
    agents: 3

- name: May the first host be rebooted?
  cluster_gate:
    zookeeper: ["192.0.2.11:2181", "192.0.2.12:2181", "192.0.2.13:2181"]
    losing: ["192.0.2.11"]
"""

RETURN = r"""
zookeeper:
  description: Servers, leader, voters and whether there is a quorum.
  type: dict
  returned: always
masters:
  description: Servers, leader, agents_active, agents_unreachable, tasks_running.
  type: dict
  returned: always
marathon:
  description: Servers and leader.
  type: dict
  returned: always
chronos:
  description: Servers and leader.
  type: dict
  returned: always
loadbalancers:
  description: Servers.
  type: dict
  returned: always
problems:
  description: What is not as it should be, a sentence each.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.cluster import Observer, losses, problems
from ansible.module_utils.mesosphere_http import ACCESS_ARGUMENTS, Api, wait_until

SERVERS = {"type": "list", "elements": "str", "default": []}
ARGUMENTS = {
    "zookeeper": SERVERS,
    "masters": SERVERS,
    "marathon": SERVERS,
    "chronos": SERVERS,
    "loadbalancers": SERVERS,
    "agents": {"type": "int", "default": 0},
    "expect": {"type": "str", "choices": ["whole", "any"], "default": "whole"},
    "losing": {"type": "list", "elements": "str", "default": []},
    "may_be_last": {
        "type": "list",
        "elements": "str",
        "choices": ["masters", "marathon", "chronos", "loadbalancers"],
        "default": [],
    },
    "wait_timeout": {"type": "int", "default": 120},
    **ACCESS_ARGUMENTS,
}


def main():
    """Read the arguments, ask, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = module.params
    observer = Observer(lambda url: Api(module, [url]))
    state, found = {}, []

    def well():
        nonlocal state, found
        state = observer.observe(given)
        found = problems(state, given["agents"], given["losing"])
        return not found

    if given["expect"] == "any":
        well()
    elif not wait_until(well, given["wait_timeout"]):
        module.fail_json(
            msg=f"The cluster is not well after {given['wait_timeout']} s: {'; '.join(found)}.",
            problems=found,
            **state,
        )
    if given["losing"]:
        against = losses(state, given["losing"], given["may_be_last"])
        if against:
            module.fail_json(
                msg=f"{', '.join(given['losing'])} can't be taken away now: {'; '.join(against)}.",
                problems=against,
                **state,
            )
    module.exit_json(changed=False, problems=found, **state)


if __name__ == "__main__":
    main()
