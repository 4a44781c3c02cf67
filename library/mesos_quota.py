#!/usr/bin/python
"""Ansible module: a role has a quota, or has none."""

DOCUMENTATION = r"""
module: mesos_quota
short_description: Set the quota of a role of Mesos, or remove it
description:
  - A guarantee is what the master keeps for the role, a limit the most that it gets. Both are set
    in one call, which is carried out whole or not at all.
  - The master refuses guarantees that are more than the cluster has, and limits below what the role
    uses already, unless O(force) is set.
  - Quotas are of top roles, not of nested ones such as C(eng/web).
version_added: "0.2.0"
options:
  role:
    description: The role.
    type: str
    required: true
  state:
    description: V(absent) leaves neither guarantees nor limits.
    type: str
    choices: [present, absent]
    default: present
  guarantees:
    description:
      - Amounts by resource; C(mem) and C(disk) in MiB, or with a unit such as V(4GB).
      - The whole of them, so a resource that is not here gets no guarantee. They stay as they are
        if this is not given.
    type: dict
  limits:
    description:
      - The same for limits; a resource that is not here has no limit.
    type: dict
  force:
    description: Set it although the cluster is too small or the role uses more.
    type: bool
    default: false
extends_documentation_fragment: [mesosphere.master]
attributes:
  check_mode:
    support: full
    description: Says whether the quota would be changed; the master checks it only when it is.
  diff_mode:
    support: full
    description: Shows each guarantee and limit that differs.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: The web team gets 20 CPUs at least and 40 at most
  mesos_quota:
    master_url: ["http://master1:5050", "http://master2:5050"]
    role: web
    guarantees: {cpus: 20, mem: 64GB}
    limits: {cpus: 40, mem: 128GB}

- name: Others may have what is left
  mesos_quota:
    role: web
    state: absent
"""

RETURN = r"""
quota:
  description: Guarantees and limits after the change.
  type: dict
  returned: always
  sample: {"guarantees": {"cpus": 20}, "limits": {"cpus": 40}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mesos import MASTER_ARGUMENTS, call, read
from ansible.module_utils.mesos_resources import amounts, scalars_of, show_all, wire_scalars
from ansible.module_utils.mesosphere_http import Api, RequestError, outcome, report

ARGUMENTS = {
    "role": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "guarantees": {"type": "dict"},
    "limits": {"type": "dict"},
    "force": {"type": "bool", "default": False},
    **MASTER_ARGUMENTS,
}
KINDS = ("guarantees", "limits")


def quota_of(known, role):
    """{guarantees, limits} of a role in the answer to GET_QUOTA, in thousandths."""
    status = known.get("status") or {}
    for config in status.get("configs", ()):
        if config["role"] == role:
            return {kind: scalars_of(config.get(kind)) for kind in KINDS}
    if "configs" not in status:
        # A master before 1.9 knows guarantees only, which are limits too.
        for info in status.get("infos", ()):
            if info["role"] == role:
                found = scalars_of({each["name"]: each["scalar"] for each in info["guarantee"]})
                return {"guarantees": found, "limits": dict(found)}
    return {"guarantees": {}, "limits": {}}


def wanted_quota(before, given):
    """What the role shall have; what was not given stays. Raises RequestError."""
    if given["state"] == "absent":
        return {"guarantees": {}, "limits": {}}
    wanted = {kind: before[kind] if given[kind] is None else amounts(given[kind]) for kind in KINDS}
    # A guarantee of nothing is none; a limit of nothing is one.
    wanted["guarantees"] = {name: each for name, each in wanted["guarantees"].items() if each}
    for name, least in wanted["guarantees"].items():
        most = wanted["limits"].get(name)
        if most is not None and least > most:
            low, high = show_all({name: least})[name], show_all({name: most})[name]
            raise RequestError(f"{name}: the guarantee of {low} is more than the limit of {high}")
    return wanted


def changes_between(before, wanted):
    """{path: (before, wanted)} of what differs."""
    found = {}
    for kind in KINDS:
        old, new = show_all(before[kind]), show_all(wanted[kind])
        for name in {**old, **new}:
            if old.get(name) != new.get(name):
                found[f"{kind}.{name}"] = (old.get(name), new.get(name))
    return found


def change(api, given, before, wanted):
    """Set or remove it. Raises RequestError."""
    role = given["role"]
    master = read(api, "GET_MASTER").get("master_info") or {}
    if "QUOTA_V2" in {each.get("type") for each in master.get("capabilities", ())}:
        config = {"role": role, **{kind: wire_scalars(wanted[kind]) for kind in KINDS}}
        call(api, "UPDATE_QUOTA", {"force": given["force"], "quota_configs": [config]})
        return
    if wanted["guarantees"] != wanted["limits"]:
        raise RequestError(
            f"{api.urls[0]} is a master before 1.9, where limits are what the guarantees are"
        )
    if before["guarantees"]:
        call(api, "REMOVE_QUOTA", {"role": role})
    if wanted["guarantees"]:
        guarantee = [
            {"name": name, "type": "SCALAR", "scalar": each}
            for name, each in wire_scalars(wanted["guarantees"]).items()
        ]
        request = {"force": given["force"], "role": role, "guarantee": guarantee}
        call(api, "SET_QUOTA", {"quota_request": request})


def run(module, api):
    """Bring the role's quota about; the module's result. Raises RequestError."""
    given = module.params
    before = quota_of(read(api, "GET_QUOTA"), given["role"])
    wanted = wanted_quota(before, given)
    found = changes_between(before, wanted)
    if found and not module.check_mode:
        change(api, given, before, wanted)
    quota = {kind: show_all(wanted[kind]) for kind in KINDS}
    return {**outcome(found, f"quota of {given['role']}"), "quota": quota}


def main():
    """Read the arguments, act, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    report(module, lambda: run(module, Api(module, module.params["master_url"])))


if __name__ == "__main__":
    main()
