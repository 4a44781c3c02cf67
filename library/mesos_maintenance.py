#!/usr/bin/python
"""Ansible module: machines are scheduled for maintenance, in it, or out of it."""

DOCUMENTATION = r"""
module: mesos_maintenance
short_description: Schedule, start and stop maintenance of machines
description:
  - V(scheduled) puts the machines into a window of the master's schedule; frameworks are told and
    may leave. Windows of other machines stay as they are.
  - V(started) takes the machines down; their agents are shut down and their tasks lost, so drain
    them before. A machine that is not scheduled yet is scheduled first, from now on.
  - V(absent) brings machines back that are down, and takes machines that are only scheduled out of
    the schedule.
version_added: "0.2.0"
options:
  machines:
    description: The machines, by the hostname and the address of their agents.
    type: list
    elements: dict
    required: true
    suboptions:
      hostname:
        description: The agent's hostname.
        type: str
      ip:
        description: The agent's address.
        type: str
  state:
    description: What the machines shall be.
    type: str
    choices: [scheduled, started, absent]
    default: scheduled
  start:
    description:
      - When the window begins, in seconds since 1970; now if not given.
      - A machine that is scheduled already keeps its start if this is not given.
    type: float
  duration:
    description: How long it lasts in seconds; without end if not given.
    type: float
extends_documentation_fragment: [mesosphere.master]
attributes:
  check_mode:
    support: full
    description: Says what would be changed and changes nothing.
  diff_mode:
    support: full
    description: Shows each machine's state and window before and after.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: Tell the frameworks that two machines will be away for an hour
  mesos_maintenance:
    machines:
      - {hostname: agent7, ip: 192.0.2.27}
      - {hostname: agent8, ip: 192.0.2.28}
    start: 1798761600
    duration: 3600

- name: Begin
  mesos_maintenance:
    machines: [{hostname: agent7, ip: 192.0.2.27}]
    state: started

- name: It is over
  mesos_maintenance:
    machines: [{hostname: agent7, ip: 192.0.2.27}]
    state: absent
"""

RETURN = r"""
machines:
  description: The state of each machine before, one of up, scheduled, down.
  type: dict
  returned: always
  sample: {"agent7/192.0.2.27": "up"}
changes:
  description: What was (or would be) changed.
  type: list
  elements: str
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mesos import MASTER_ARGUMENTS, NANOSECONDS, call, read
from ansible.module_utils.mesosphere_http import Api, RequestError, outcome, report

ARGUMENTS = {
    "machines": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {"hostname": {"type": "str"}, "ip": {"type": "str"}},
    },
    "state": {
        "type": "str",
        "choices": ["scheduled", "started", "absent"],
        "default": "scheduled",
    },
    "start": {"type": "float"},
    "duration": {"type": "float"},
    **MASTER_ARGUMENTS,
}


def title(machine):
    """A machine as people name it; the hostname counts without case, as the master compares."""
    return f"{(machine.get('hostname') or '').lower()}/{machine.get('ip') or ''}"


def as_id(machine):
    """A machine as the master names it."""
    return {key: machine[key] for key in ("hostname", "ip") if machine.get(key)}


def windows_of(schedule):
    """{machine: its unavailability} of a schedule."""
    return {
        title(machine): window.get("unavailability", {})
        for window in schedule.get("windows", ())
        for machine in window.get("machine_ids", ())
    }


def without(schedule, names):
    """A schedule without machines; a window that has none left goes."""
    kept = []
    for window in schedule.get("windows", ()):
        ids = [each for each in window.get("machine_ids", ()) if title(each) not in names]
        if ids:
            kept.append({**window, "machine_ids": ids})
    return {"windows": kept}


def wanted_window(known, start, duration, now):
    """The unavailability that a machine shall have; what was not given stays as it is."""
    if start is None and duration is None and known is not None:
        return known
    began = (known or {}).get("start", {}).get("nanoseconds")
    at = int(start * NANOSECONDS) if start is not None else began
    window = {"start": {"nanoseconds": int(now * NANOSECONDS) if at is None else int(at)}}
    if duration is not None:
        window["duration"] = {"nanoseconds": int(duration * NANOSECONDS)}
    return window


def plain(window):
    """A window as numbers, for the master may write them as text."""
    if window is None:
        return None
    return {
        key: int(value["nanoseconds"]) / NANOSECONDS
        for key, value in window.items()
        if isinstance(value, dict) and "nanoseconds" in value
    }


class Maintenance:
    """The master's schedule and machines that are down."""

    def __init__(self, api):
        self.api = api
        self.schedule = read(api, "GET_MAINTENANCE_SCHEDULE").get("schedule") or {}
        status = read(api, "GET_MAINTENANCE_STATUS").get("status") or {}
        self.down = {title(each) for each in status.get("down_machines", ())}
        self.windows = windows_of(self.schedule)

    def state(self, name):
        """up, scheduled or down."""
        if name in self.down:
            return "down"
        return "scheduled" if name in self.windows else "up"

    def replace(self, schedule):
        """Write a schedule; it replaces the whole of the old one."""
        call(self.api, "UPDATE_MAINTENANCE_SCHEDULE", {"schedule": schedule})

    def write(self, machines, windows):
        """Give machines windows of their own, beside those of others."""
        schedule = without(self.schedule, set(windows))
        for machine in machines:
            window = {"machine_ids": [as_id(machine)], "unavailability": windows[title(machine)]}
            schedule["windows"].append(window)
        self.replace(schedule)


def plan(maintenance, given, now):
    """({what differs}, {machine: window to write}, to start, to stop, to unschedule)."""
    found, windows, start, stop, drop = {}, {}, [], [], []
    for machine in given["machines"]:
        name = title(machine)
        state = maintenance.state(name)
        known = maintenance.windows.get(name)
        if given["state"] == "absent":
            if state != "up":
                found[f"{name}.state"] = (state, "up")
                (stop if state == "down" else drop).append(machine)
            continue
        window = wanted_window(known, given["start"], given["duration"], now)
        if plain(known) != plain(window):
            found[f"{name}.window"] = (plain(known), plain(window))
            windows[name] = window
        if given["state"] == "started" and state != "down":
            found[f"{name}.state"] = (state, "down")
            start.append(machine)
        elif state == "up":
            found[f"{name}.state"] = (state, "scheduled")
    return found, windows, start, stop, drop


def run(module, api):
    """Bring the machines into the state; the module's result. Raises RequestError."""
    given = module.params
    for machine in given["machines"]:
        if not as_id(machine):
            raise RequestError("a machine needs a hostname, an ip, or both")
    maintenance = Maintenance(api)
    found, windows, start, stop, drop = plan(maintenance, given, time.time())
    result = outcome(found, "maintenance")
    result["machines"] = {title(each): maintenance.state(title(each)) for each in given["machines"]}
    if module.check_mode:
        return result
    if windows:
        maintenance.write([each for each in given["machines"] if title(each) in windows], windows)
    if drop:
        maintenance.replace(without(maintenance.schedule, {title(each) for each in drop}))
    if start:
        call(api, "START_MAINTENANCE", {"machines": [as_id(each) for each in start]})
    if stop:
        call(api, "STOP_MAINTENANCE", {"machines": [as_id(each) for each in stop]})
    return result


def main():
    """Read the arguments, act, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    report(module, lambda: run(module, Api(module, module.params["master_url"])))


if __name__ == "__main__":
    main()
