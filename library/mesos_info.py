#!/usr/bin/python
"""Ansible module: what a Mesos master knows."""

DOCUMENTATION = r"""
module: mesos_info
short_description: Ask the leading Mesos master what it knows
description:
  - Reads the leader, agents, frameworks, tasks and metrics. Changes nothing.
  - Any master of the cluster may be asked; one that does not lead sends on to the leader.
version_added: "0.1.0"
options:
  gather:
    description: What to read; V(leader) and V(version) are cheap whatever the size of the cluster.
    type: list
    elements: str
    choices: [leader, version, agents, agent_states, frameworks, tasks, metrics]
    default: [leader, version]
  framework:
    description: Only the tasks of this framework id.
    type: str
  wait_for_agents:
    description: Wait until at least so many agents are registered and active.
    type: int
    default: 0
  wait_timeout:
    description: Seconds to wait before the task fails; also for a leader.
    type: int
    default: 60
extends_documentation_fragment: [mesosphere.master]
attributes:
  check_mode:
    support: full
    description: It only reads.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: Wait for three agents
  mesos_info:
    master_url: ["http://master1:5050", "http://master2:5050"]
    gather: [leader, agents]
    wait_for_agents: 3
  register: cluster

- name: Show the leader
  ansible.builtin.debug:
    var: cluster.leader
"""

RETURN = r"""
leader:
  description: The leading master, C(host:port).
  type: str
  returned: when gathered
  sample: 192.0.2.11:5050
version:
  description: What C(/version) says.
  type: dict
  returned: when gathered
agents:
  description: The agents as C(/slaves) shows them.
  type: list
  elements: dict
  returned: when gathered
agent_states:
  description:
    - Of each agent its id, hostname, address, attributes, version, whether it answers, and its
      state, which is active, inactive, deactivated, draining, drained or recovered.
  type: list
  elements: dict
  returned: when gathered
frameworks:
  description: The registered frameworks as C(/frameworks) shows them, without their tasks.
  type: list
  elements: dict
  returned: when gathered
tasks:
  description: The tasks as C(/tasks) shows them, newest first.
  type: list
  elements: dict
  returned: when gathered
metrics:
  description: What C(/metrics/snapshot) says.
  type: dict
  returned: when gathered
"""

from urllib.parse import urlencode

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mesos import MASTER_ARGUMENTS, agent_states, read
from ansible.module_utils.mesosphere_http import Api, RequestError, report, wait_until

ARGUMENTS = {
    "gather": {
        "type": "list",
        "elements": "str",
        "choices": [
            "leader",
            "version",
            "agents",
            "agent_states",
            "frameworks",
            "tasks",
            "metrics",
        ],
        "default": ["leader", "version"],
    },
    "framework": {"type": "str"},
    "wait_for_agents": {"type": "int", "default": 0},
    "wait_timeout": {"type": "int", "default": 60},
    **MASTER_ARGUMENTS,
}
TASKS_LIMIT = 100_000


def find_leader(api, timeout_s):
    """`host:port` of the leader. Raises RequestError when there is none in time."""
    said = "no answer"

    def lead():
        nonlocal said
        answer = api.ask("POST", "/api/v1", {"type": "GET_MASTER"})
        said = f"{answer.status} {answer.says[:200]}"
        if answer.status in (401, 403, 404):
            raise RequestError(f"POST {answer.url} was answered {said}")
        if answer.status != 200 or not isinstance(answer.json, dict):
            return None
        return answer.json.get("get_master", {}).get("master_info", {}).get("address")

    address = wait_until(lead, timeout_s)
    if address is None:
        raise RequestError(f"no master leads after {timeout_s} s (last: {said})")
    return f"{address.get('hostname') or address['ip']}:{address['port']}"


def members(api, path, name):
    """A list in the answer of the leader. Raises RequestError."""
    answer = api.expect("GET", path, shape=dict)
    if not isinstance(answer.json.get(name), list):
        raise RequestError(f"GET {answer.url} was answered without {name}: {answer.says[:200]}")
    return answer.json[name]


def wait_for_agents(api, count, timeout_s):
    """The agents, once there are enough. Raises RequestError when the time is over."""
    agents = []

    def enough():
        nonlocal agents
        agents = members(api, "/slaves", "slaves")
        return sum(1 for agent in agents if agent.get("active")) >= count

    if not wait_until(enough, timeout_s):
        active = sum(1 for agent in agents if agent.get("active"))
        raise RequestError(f"{active} of {count} agents are active after {timeout_s} s")
    return agents


def gather(module, api):
    """What was asked for."""
    given = module.params
    wanted = given["gather"]
    leader = find_leader(api, given["wait_timeout"])
    result = {}
    if "leader" in wanted:
        result["leader"] = leader
    if "agents" in wanted or given["wait_for_agents"]:
        agents = wait_for_agents(api, given["wait_for_agents"], given["wait_timeout"])
        if "agents" in wanted:
            result["agents"] = agents
    if "agent_states" in wanted:
        result["agent_states"] = agent_states(read(api, "GET_AGENTS"))
    if "version" in wanted:
        result["version"] = api.expect("GET", "/version", shape=dict).json
    if "frameworks" in wanted:
        shown = members(api, "/frameworks", "frameworks")
        heavy = ("tasks", "completed_tasks", "unreachable_tasks", "executors", "offers")
        result["frameworks"] = [
            {key: value for key, value in each.items() if key not in heavy} for each in shown
        ]
    if "tasks" in wanted:
        query = {"limit": TASKS_LIMIT}
        if given["framework"]:
            query["framework_id"] = given["framework"]
        result["tasks"] = members(api, f"/tasks?{urlencode(query)}", "tasks")
    if "metrics" in wanted:
        result["metrics"] = api.expect("GET", "/metrics/snapshot", shape=dict).json
    return result


def main():
    """Read the arguments, ask, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    api = Api(module, module.params["master_url"])
    report(module, lambda: {"changed": False, **gather(module, api)})


if __name__ == "__main__":
    main()
