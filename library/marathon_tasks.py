#!/usr/bin/python
"""Ansible module: Marathon's tasks leave a host, replacements first."""

DOCUMENTATION = r"""
module: marathon_tasks
short_description: Move Marathon's tasks off a host without a gap
description:
  - Of each app with tasks on the host as many more instances are started; when they run and are
    healthy, those on the host are killed, and the app has as many as before.
  - The host's agent must get no offers meanwhile; see M(mesos_agent_state).
  - An app whose replacements find no place in time is left as it was, and named in RV(left).
version_added: "0.2.0"
options:
  host:
    description: Hostname of the agent whose tasks are to leave.
    type: str
    required: true
  journal:
    description:
      - File that keeps how many instances an app shall have while it has more, so that a run that
        died is made good by the next.
    type: path
    required: true
  wait_timeout:
    description: Seconds that the replacements of an app may take.
    type: int
    default: 180
extends_documentation_fragment: [mesosphere.marathon]
attributes:
  check_mode:
    support: full
    description: Says which apps would be moved.
  diff_mode:
    support: full
    description: Shows each app's tasks on the host before and after.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: Move the apps away
  marathon_tasks:
    marathon_url: http://marathon1:8080
    host: agent7
    journal: /var/tmp/moved-apps.json
"""

RETURN = r"""
moved:
  description: Ids of the apps that were (or would be) moved.
  type: list
  elements: str
  returned: always
left:
  description: Ids of apps whose tasks are still there, for their replacements found no place.
  type: list
  elements: str
  returned: always
"""

import json
import os
from pathlib import Path
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.marathon import MARATHON_ARGUMENTS
from ansible.module_utils.mesosphere_http import (
    Api,
    RequestError,
    once_led,
    outcome,
    wait_until,
)

ARGUMENTS = {
    "host": {"type": "str", "required": True},
    "journal": {"type": "path", "required": True},
    "wait_timeout": {"type": "int", "default": 180},
    **MARATHON_ARGUMENTS,
}


class Journal:
    """How many instances apps shall have that have more for the moment; on disk."""

    def __init__(self, path):
        self.path = Path(path)
        self.apps = json.loads(self.path.read_text()) if self.path.exists() else {}

    def write(self, app, instances):
        """Remember, or forget with None, before anything is done that needs it."""
        if instances is None:
            self.apps.pop(app, None)
        else:
            self.apps[app] = instances
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        with new.open("w") as file:
            json.dump(self.apps, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)


class Mover:
    """Moves one app after the other."""

    def __init__(self, api, given):
        self.api = api
        self.host = given["host"]
        self.timeout_s = given["wait_timeout"]
        self.journal = Journal(given["journal"])

    def tasks(self):
        """{app id: ids of its tasks on the host}."""
        answer = once_led(lambda: self.api.expect("GET", "/v2/tasks", shape=dict))
        found = {}
        for task in answer.json.get("tasks", ()):
            if task.get("host") == self.host:
                found.setdefault(task["appId"], []).append(task["id"])
        return found

    def app(self, name):
        """The app, None if it is gone."""
        path = f"/v2/apps/{quote(name.strip('/'))}"
        answer = self.api.expect("GET", path, allowed=(200, 404), shape=dict)
        return answer.json.get("app") if answer.status == 200 else None

    def scale(self, name, instances):
        """Give it so many instances."""
        path = f"/v2/apps/{quote(name.strip('/'))}?force=true"
        self.api.expect("PUT", path, {"instances": instances}, (200, 201), dict)

    def settled(self, name, instances):
        """Wait until so many run and are healthy; False when the time is over."""

        def well():
            app = self.app(name)
            if app is None:
                return True
            checked = bool(app.get("healthChecks"))
            healthy = app.get("tasksHealthy", 0) if checked else app.get("tasksRunning", 0)
            return healthy >= instances and app.get("tasksRunning", 0) >= instances

        return wait_until(well, self.timeout_s)

    def move(self, name, tasks):
        """Start replacements, then kill; False if the replacements found no place."""
        app = self.app(name)
        if app is None:
            return True
        wanted = self.journal.apps.get(name, app["instances"])
        self.journal.write(name, wanted)
        self.scale(name, wanted + len(tasks))
        if not self.settled(name, wanted + len(tasks)):
            self.scale(name, wanted)
            self.settled(name, wanted)
            self.journal.write(name, None)
            return False
        self.api.expect("POST", "/v2/tasks/delete?scale=true", {"ids": tasks}, shape=dict)
        self.finish(name, wanted)
        return True

    def finish(self, name, wanted):
        """It has as many as it shall have, whatever became of those that were killed."""

        def quiet():
            app = self.app(name)
            return app is None or not app.get("deployments")

        wait_until(quiet, self.timeout_s)
        app = self.app(name)
        if app is not None and app["instances"] != wanted:
            self.scale(name, wanted)
        self.journal.write(name, None)


def run(module, mover):
    """Move them all; the module's result. Raises RequestError."""
    tasks = mover.tasks()
    names = sorted(tasks)
    result = outcome({name: (len(tasks[name]), 0) for name in names}, mover.host)
    result.update(moved=names, left=[])
    if module.check_mode:
        return result
    for name in sorted(set(mover.journal.apps) - set(names)):
        # An earlier run died after its tasks had left the host.
        mover.finish(name, mover.journal.apps[name])
    for name in names:
        if not mover.move(name, tasks[name]):
            result["left"].append(name)
    result["moved"] = [name for name in names if name not in result["left"]]
    return result


def main():
    """Read the arguments, act, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        api = Api(module, module.params["marathon_url"])
        result = run(module, Mover(api, module.params))
    except (RequestError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
