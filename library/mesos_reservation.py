#!/usr/bin/python
"""Ansible module: resources and volumes of an agent are reserved for a role, or are not."""

DOCUMENTATION = r"""
module: mesos_reservation
short_description: Reserve resources of an agent for a role, with persistent volumes
description:
  - Makes a dynamic reservation on one agent what is described, and waits until the agent has it.
    Offers that hold what is needed are taken back by the master; tasks are never ended.
  - Amounts are those of the whole reservation. More is reserved or given back as needed; resources
    that are not named stay as they are.
  - Volumes are made of the reservation's disk; they grow and shrink. No volume is destroyed
    unless its id is written.
version_added: "0.2.0"
options:
  agent:
    description: Id or hostname of the agent.
    type: str
    required: true
  role:
    description: The role that it is for.
    type: str
    required: true
  refines:
    description:
      - For a reservation on top of another one, the roles beneath it, the lowest first, for example
        V([eng]) for the role C(eng/web).
    type: list
    elements: str
    default: []
  principal:
    description: The reservation's principal; needed where the master authenticates operators.
    type: str
  labels:
    description: The reservation's labels. With others it would be another reservation.
    type: dict
    default: {}
  state:
    description:
      - V(absent) gives all of the reservation back, and destroys the volumes in O(volumes).
    type: str
    choices: [present, absent]
    default: present
  resources:
    description:
      - Amounts by resource; C(mem) and C(disk) in MiB or with a unit such as V(4GB), C(ports) as
        V(31000-31009,31100).
      - C(disk) is with that of the volumes; without it as much is reserved as they need.
    type: dict
    default: {}
  volumes:
    description: Persistent volumes.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: The volume's id, once in a role on an agent.
        type: str
        required: true
      size:
        description: MiB, or with a unit; needed unless the volume shall be away.
        type: raw
      container_path:
        description: Where tasks find it; its id if not given.
        type: str
      state:
        description: V(absent) destroys it with its data.
        type: str
        choices: [present, absent]
        default: present
  wait_timeout:
    description: Seconds until the agent has what was asked for.
    type: int
    default: 60
extends_documentation_fragment: [mesosphere.master]
attributes:
  check_mode:
    support: full
    description: Says what would be changed, and refuses what is not there or in use.
  diff_mode:
    support: full
    description: Shows each amount and volume before and after.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: A database's place
  mesos_reservation:
    master_url: ["http://master1:5050", "http://master2:5050"]
    agent: agent7
    role: database
    resources: {cpus: 4, mem: 16GB, ports: 31000-31001}
    volumes:
      - {id: tables, size: 200GB, container_path: data}

- name: Half of the CPUs that engineering has there are for its web team
  mesos_reservation:
    agent: agent7
    role: eng/web
    refines: [eng]
    resources: {cpus: 2}

- name: The database is gone, with its data
  mesos_reservation:
    agent: agent7
    role: database
    state: absent
    volumes:
      - {id: tables, state: absent}
"""

RETURN = r"""
agent_id:
  description: Id of the agent.
  type: str
  returned: always
reserved:
  description: What the reservation holds, after the change if there was one.
  type: dict
  returned: always
  sample: {"cpus": 4, "disk": 204800, "ports": "31000-31001"}
volumes:
  description: Sizes in MiB of the volumes in it, by id.
  type: dict
  returned: always
  sample: {"tables": 204800}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mesos import MASTER_ARGUMENTS, call, find_agent, read
from ansible.module_utils.mesos_reservations import Plan, find_base
from ansible.module_utils.mesosphere_http import Api, RequestError, outcome, wait_until

ARGUMENTS = {
    "agent": {"type": "str", "required": True},
    "role": {"type": "str", "required": True},
    "refines": {"type": "list", "elements": "str", "default": []},
    "principal": {"type": "str"},
    "labels": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "resources": {"type": "dict", "default": {}},
    "volumes": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "id": {"type": "str", "required": True},
            "size": {"type": "raw"},
            "container_path": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
    "wait_timeout": {"type": "int", "default": 60},
    **MASTER_ARGUMENTS,
}


def read_agent(api, name):
    """The agent as GET_AGENTS shows it. Raises RequestError if none is registered."""
    known = read(api, "GET_AGENTS")
    found = find_agent(known, name)
    for agent in known.get("agents", ()):
        if found is not None and agent["agent_info"]["id"]["value"] == found["id"]:
            return agent
    raise RequestError("it is not registered")


def run(module, api):
    """Bring the reservation about; the module's result. Raises RequestError."""
    given = module.params

    def plan():
        agent = read_agent(api, given["agent"])
        return agent, Plan(agent, find_base(agent, given["refines"]), given)

    agent, first = plan()
    agent_id = agent["agent_info"]["id"]["value"]
    result = {
        **outcome(first.found, f"{given['role']} on {given['agent']}"),
        "agent_id": agent_id,
        "reserved": first.total.show(),
        "volumes": first.total.show_volumes(),
    }
    if module.check_mode or not first.calls:
        return result
    for kind, body in first.calls:
        call(api, kind, {"agent_id": {"value": agent_id}, **body}, (200, 202))
    last = first

    def settled():
        nonlocal last
        _, last = plan()
        return not last.calls

    if not wait_until(settled, given["wait_timeout"]):
        left = ", ".join(sorted(last.found))
        raise RequestError(f"after {given['wait_timeout']} s these are not as wanted: {left}")
    result.update(reserved=last.total.show(), volumes=last.total.show_volumes())
    return result


def main():
    """Read the arguments, act, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run(module, Api(module, module.params["master_url"]))
    except RequestError as error:
        module.fail_json(msg=f"agent {module.params['agent']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
