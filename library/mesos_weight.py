#!/usr/bin/python
"""Ansible module: roles share the cluster by weight."""

DOCUMENTATION = r"""
module: mesos_weight
short_description: Set the weights by which roles of Mesos share the cluster
description:
  - A role with twice the weight of another gets twice as much of a busy cluster. Roles without a
    weight have 1.
  - All weights are set in one call, for the master takes every offer back when one changes.
version_added: "0.2.0"
options:
  weights:
    description: Weights by role, more than 0. Roles that are not here keep theirs.
    type: dict
    required: true
extends_documentation_fragment: [mesosphere.master]
attributes:
  check_mode:
    support: full
    description: Says which weights would be changed.
  diff_mode:
    support: full
    description: Shows each weight that differs.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: Production before everything else
  mesos_weight:
    master_url: ["http://master1:5050", "http://master2:5050"]
    weights:
      production: 5
      batch: 0.5

- name: Batch is like any other role
  mesos_weight:
    weights: {batch: 1}
"""

RETURN = r"""
weights:
  description: Every weight that is set after the change, by role.
  type: dict
  returned: always
  sample: {"production": 5.0}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mesos import MASTER_ARGUMENTS, call, read
from ansible.module_utils.mesosphere_http import Api, RequestError, outcome, report

ARGUMENTS = {"weights": {"type": "dict", "required": True}, **MASTER_ARGUMENTS}
DEFAULT = 1.0


def wanted_weights(given):
    """{role: weight}. Raises RequestError."""
    wanted = {}
    for role, value in given.items():
        try:
            weight = float(value) if not isinstance(value, bool) else 0.0
        except (TypeError, ValueError):
            weight = 0.0
        if not 0 < weight < float("inf"):
            raise RequestError(f"the weight of {role} is {value!r}; give a number above 0")
        wanted[str(role)] = weight
    return wanted


def run(module, api):
    """Bring the weights about; the module's result. Raises RequestError."""
    wanted = wanted_weights(module.params["weights"])
    infos = read(api, "GET_WEIGHTS").get("weight_infos", ())
    before = {each["role"]: float(each["weight"]) for each in infos}
    changed = {
        role: weight for role, weight in wanted.items() if before.get(role, DEFAULT) != weight
    }
    found = {role: (before.get(role, DEFAULT), weight) for role, weight in changed.items()}
    if changed and not module.check_mode:
        infos = [{"role": role, "weight": weight} for role, weight in changed.items()]
        call(api, "UPDATE_WEIGHTS", {"weight_infos": infos})
    return {**outcome(found, "weights"), "weights": {**before, **changed}}


def main():
    """Read the arguments, act, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    report(module, lambda: run(module, Api(module, module.params["master_url"])))


if __name__ == "__main__":
    main()
