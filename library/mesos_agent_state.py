#!/usr/bin/python
"""Ansible module: an agent of Mesos takes tasks, takes none, is empty, or is gone for ever."""

DOCUMENTATION = r"""
module: mesos_agent_state
short_description: Drain, deactivate, reactivate an agent, or mark it gone
description:
  - Asks the leading master to bring an agent into a state, and waits until it is there.
  - V(drained) ends the agent's tasks, each with its own grace period or O(max_grace_period) if that
    is shorter, so that schedulers start them elsewhere; the agent gets no offers meanwhile.
  - V(gone) is for ever. An agent that still has tasks is refused unless O(force) is set.
version_added: "0.2.0"
options:
  agent:
    description:
      - Id or hostname of the agent. One that the master has already declared unreachable is found
        by its id only.
    type: str
    required: true
  state:
    description:
      - V(active) gets offers; V(deactivated) gets none and keeps its tasks; V(drained) gets none
        and has no tasks; V(gone) is never let in again and its tasks count as lost.
    type: str
    choices: [active, deactivated, drained, gone]
    default: active
  max_grace_period:
    description: Seconds that a task may take to end while the agent is drained.
    type: int
  force:
    description: Mark an agent gone although it has tasks, for one whose host is dead.
    type: bool
    default: false
  wait:
    description: Wait until the agent is in the state.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait before the task fails.
    type: int
    default: 300
extends_documentation_fragment: [mesosphere.master]
attributes:
  check_mode:
    support: full
    description: Says whether the agent's state would be changed.
  diff_mode:
    support: full
    description: Shows the state before and after.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: Empty an agent
  mesos_agent_state:
    master_url: ["http://master1:5050", "http://master2:5050"]
    agent: agent7
    state: drained
    max_grace_period: 60
    wait_timeout: 600

- name: Let it work again
  mesos_agent_state:
    agent: agent7
    state: active

- name: Give up an agent whose host burnt down
  mesos_agent_state:
    agent: 4b0f4a2e-6d2c-4d7b-9d58-0d2a5d6a1b0e-S7
    state: gone
    force: true
"""

RETURN = r"""
agent_id:
  description: Id of the agent; empty if the master knows none by that name.
  type: str
  returned: always
before:
  description:
    - State before, one of active, inactive, deactivated, draining, drained, recovered and away.
  type: str
  returned: always
  sample: active
after:
  description: State after.
  type: str
  returned: when not in check mode
  sample: drained
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mesos import MASTER_ARGUMENTS, call, find_agent, read, tasks_of
from ansible.module_utils.mesosphere_http import Api, RequestError, outcome, report, wait_until

ARGUMENTS = {
    "agent": {"type": "str", "required": True},
    "state": {
        "type": "str",
        "choices": ["active", "deactivated", "drained", "gone"],
        "default": "active",
    },
    "max_grace_period": {"type": "int"},
    "force": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
    **MASTER_ARGUMENTS,
}
AGENT_ID = re.compile(r".+-S\d+")
SETTLED = {
    "active": ("active",),
    "deactivated": ("deactivated", "draining", "drained"),
    "drained": ("drained",),
    "gone": ("away",),
}
"""States of an agent that need no call, by the wanted state."""


def decide(before, wanted):
    """The calls that lead from a state to another; an empty list where waiting is enough.

    Raises RequestError for what can't be.
    """
    if before in SETTLED[wanted] or (wanted == "drained" and before == "draining"):
        return []
    if wanted == "gone":
        return ["MARK_AGENT_GONE"]
    if before == "away":
        raise RequestError("it is not registered")
    if wanted == "active":
        if before in ("inactive", "recovered"):
            return []
        return ["REACTIVATE_AGENT"]
    return ["DEACTIVATE_AGENT"] if wanted == "deactivated" else ["DRAIN_AGENT"]


class Agent:
    """One agent, through the master."""

    def __init__(self, api, name):
        self.api = api
        self.name = name

    def read(self):
        """{id, hostname, state}; `away` if the master has none by this name."""
        found = find_agent(read(self.api, "GET_AGENTS"), self.name)
        if found is None:
            known = self.name if AGENT_ID.fullmatch(self.name) else ""
            return {"id": known, "hostname": "", "state": "away"}
        return found

    def heard(self, timeout_s):
        """What was found once a new leader has heard of it; before, its drain is not known."""
        wait_until(lambda: self.read()["state"] != "recovered", timeout_s)
        return self.read()

    def perform(self, kind, found, grace_s):
        """Make one call. Raises RequestError."""
        body = {"agent_id": {"value": found["id"]}}
        if kind == "DRAIN_AGENT" and grace_s is not None:
            body["max_grace_period"] = {"seconds": grace_s, "nanos": 0}
        # 404: the master has forgotten an agent that was away for long, so it is gone.
        call(self.api, kind, body, (200, 404) if kind == "MARK_AGENT_GONE" else (200,))

    def settle(self, wanted, timeout_s):
        """Wait for the state; what was found. Raises RequestError when the time is over."""
        found = {}

        def settled():
            nonlocal found
            found = self.read()
            if wanted == "drained" and found["state"] == "away":
                raise RequestError(f"agent {self.name} went away while it was drained")
            return found["state"] in SETTLED[wanted]

        if not wait_until(settled, timeout_s):
            left = tasks_of(self.api, found["id"]) if wanted == "drained" else []
            tasks = f"; it still has {len(left)} tasks: {', '.join(left[:5])}" if left else ""
            raise RequestError(
                f"agent {self.name} is {found['state']}, not {wanted}, after {timeout_s} s{tasks}"
            )
        return found


def run(module, agent):
    """Bring the agent into the state; the module's result. Raises RequestError."""
    given = module.params
    wanted = given["state"]
    found = agent.read()
    before = found["state"]
    if before == "recovered" and wanted == "active" and not module.check_mode:
        found = agent.heard(given["wait_timeout"])
        before = found["state"]
    if before == "draining" and wanted == "active" and not module.check_mode:
        # The master refuses to reactivate an agent before its tasks have ended.
        before = agent.settle("drained", given["wait_timeout"])["state"]
    gone_by_id = wanted == "gone" and before == "away" and found["id"]
    try:
        calls = ["MARK_AGENT_GONE"] if gone_by_id else decide(before, wanted)
    except RequestError as error:
        raise RequestError(f"agent {given['agent']} can't be {wanted}: {error}") from error
    if calls == ["MARK_AGENT_GONE"] and before != "away" and not given["force"]:
        left = tasks_of(agent.api, found["id"])
        if left:
            raise RequestError(
                f"agent {given['agent']} still has {len(left)} tasks, which would be lost; drain it"
                " first, or set force for an agent whose host is dead"
            )
    waiting = before == "draining" and wanted == "drained"
    # An id that is away may be gone already; the call is harmless, and no change that can be seen.
    changes = (bool(calls) and not gone_by_id) or waiting
    result = outcome({"state": (found["state"], wanted)} if changes else {}, given["agent"])
    result.update(agent_id=found["id"], before=found["state"])
    if module.check_mode:
        return result
    for kind in calls:
        agent.perform(kind, found, given["max_grace_period"])
    if given["wait"]:
        result["after"] = agent.settle(wanted, given["wait_timeout"])["state"]
    else:
        result["after"] = agent.read()["state"]
    return result


def main():
    """Read the arguments, act, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    api = Api(module, module.params["master_url"])
    report(module, lambda: run(module, Agent(api, module.params["agent"])))


if __name__ == "__main__":
    main()
