#!/usr/bin/python
"""Ansible module: an app of Marathon is there as described, or is not there."""

DOCUMENTATION = r"""
module: marathon_app
short_description: Deploy, change, scale or remove an app of Marathon
description:
  - Compares what you wrote with what Marathon has. What you did not write, and the defaults that
    Marathon fills in, don't count as a change.
  - O(definition) and O(instances) are merged into an existing app, a member of the top level at a
    time; C(env) and C(labels) are given whole, so a variable that you don't write is removed.
  - The old forms (C(ports), C(uris), C(docker.network), C(docker.portMappings)), numbers in
    C(env), service ports that are 0, the order of constraints and what a definition copied from
    Marathon holds beside (C(version), C(tasks)) are no change.
version_added: "0.1.0"
options:
  id:
    description: Path of the app, for example C(/shop/web).
    type: str
    required: true
  state:
    description: V(present) deploys or changes the app; V(absent) removes it with its tasks.
    type: str
    choices: [present, absent]
    default: present
  definition:
    description:
      - The app as Marathon's C(/v2/apps) takes it, in YAML or JSON.
      - Needed to deploy a new app; without it an existing app is only scaled.
    type: dict
  instances:
    description: Number of instances; it wins over the one in O(definition).
    type: int
  restart:
    description:
      - Replace every instance by a rolling deployment. That is a change each time; where the app is
        changed anyway nothing more is done.
    type: bool
    default: false
  force:
    description: Change the app even while a deployment of it is under way, which is then cancelled.
    type: bool
    default: false
  wait:
    description: Wait until the deployment is done and every instance runs and is healthy.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait before the task fails.
    type: int
    default: 300
extends_documentation_fragment: [mesosphere.marathon]
attributes:
  check_mode:
    support: full
    description: Says what would be changed and changes nothing.
  diff_mode:
    support: full
    description: Shows the values that differ, with their path; not those that look like secrets.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: Deploy the shop
  marathon_app:
    marathon_url: http://marathon1:8080
    id: /shop/web
    definition:
      cmd: ./serve --port $PORT0
      cpus: 0.5
      mem: 128
      instances: 3
      portDefinitions: [{port: 10001}]
      healthChecks: [{protocol: HTTP, path: /health}]
      labels: {HAPROXY_GROUP: external}

- name: Scale it
  marathon_app:
    id: /shop/web
    instances: 6

- name: Restart every instance
  marathon_app:
    id: /shop/web
    restart: true

- name: Remove it
  marathon_app:
    id: /shop/web
    state: absent
"""

RETURN = r"""
app:
  description: The app as Marathon shows it, after the change.
  type: dict
  returned: when state is present and not in check mode
changes:
  description: Paths of what was (or would be) changed.
  type: list
  elements: str
  returned: always
  sample: ["instances"]
deployment:
  description: Id of the deployment that the change began.
  type: str
  returned: when something was changed
"""

from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.hidden import hide_secrets
from ansible.module_utils.marathon import (
    MARATHON_ARGUMENTS,
    app_differences,
    app_id,
    normal_app,
    why_not_settled,
)
from ansible.module_utils.mesosphere_http import (
    Api,
    RequestError,
    once_led,
    outcome,
    report,
    wait_until,
)

ARGUMENTS = {
    "id": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "definition": {"type": "dict"},
    "instances": {"type": "int"},
    "restart": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
    **MARATHON_ARGUMENTS,
}


class App:
    """One app of Marathon."""

    def __init__(self, api, identifier, force):
        self.api = api
        self.id = app_id(identifier)
        self.path = f"/v2/apps/{quote(self.id.strip('/'))}"
        self.query = "?force=true" if force else ""

    def read(self):
        """The app as Marathon shows it; None if there is none."""
        answer = self.api.expect("GET", self.path, allowed=(200, 404), shape=dict)
        if answer.status == 404:
            return None
        if not isinstance(answer.json.get("app"), dict):
            raise RequestError(f"GET {answer.url} was answered without an app: {answer.says[:200]}")
        return answer.json["app"]

    def write(self, wanted, exists):
        """Create or change it; the id of the deployment."""
        if not exists:
            answer = self.api.expect("POST", "/v2/apps", wanted, (200, 201), dict)
            return (answer.json.get("deployments") or [{}])[0].get("id")
        path = f"{self.path}{self.query}"
        return self.api.expect("PUT", path, wanted, (200, 201), dict).json.get("deploymentId")

    def restart(self):
        """Replace every instance; the id of the deployment."""
        path = f"{self.path}/restart{self.query}"
        return self.api.expect("POST", path, {}, shape=dict).json.get("deploymentId")

    def remove(self):
        """Remove it; the id of the deployment. None if it went away meanwhile."""
        path = f"{self.path}{self.query}"
        answer = self.api.expect("DELETE", path, allowed=(200, 404), shape=dict)
        return answer.json.get("deploymentId") if answer.status == 200 else None

    def deployments(self):
        """The deployments under way."""
        return self.api.expect("GET", "/v2/deployments", shape=list).json

    def settle(self, timeout_s):
        """Wait until it is as it should be. Raises RequestError when the time is over."""
        why = ""

        def settled():
            nonlocal why
            found = self.read()
            why = "it is gone"
            if found is not None:
                why = why_not_settled(found, self.deployments())
            return not why

        if not wait_until(settled, timeout_s):
            failure = (self.read() or {}).get("lastTaskFailure") or {}
            said = f"; its last failure: {failure['message']}" if failure.get("message") else ""
            raise RequestError(f"app {self.id} is not settled after {timeout_s} s: {why}{said}")

    def vanish(self, timeout_s):
        """Wait until it and its tasks are gone. Raises RequestError when the time is over."""

        def gone():
            affected = [each.get("affectedApps", []) for each in self.deployments()]
            under_way = any(self.id in apps for apps in affected)
            return self.read() is None and not under_way

        if not wait_until(gone, timeout_s):
            raise RequestError(f"app {self.id} is still there after {timeout_s} s")


def be_present(module, app):
    """Deploy or change the app; the module's result."""
    given = module.params
    before = once_led(app.read)
    hide_secrets(module, before)
    if before is None and given["definition"] is None:
        raise RequestError(f"there is no app {app.id}, and no definition to deploy it from")
    wanted = normal_app(given["definition"] or {}, given["id"])
    if given["instances"] is not None:
        wanted["instances"] = given["instances"]
    found = app_differences(wanted, before or {})
    restarts = given["restart"] and not found
    result = outcome(found, app.id, ["restart"] if restarts else [])
    if module.check_mode:
        return result
    if found:
        result["deployment"] = app.write(wanted, before is not None)
    elif restarts:
        result["deployment"] = app.restart()
    if given["wait"]:
        app.settle(given["wait_timeout"])
    result["app"] = app.read()
    return result


def be_absent(module, app):
    """Remove the app; the module's result."""
    found = {} if once_led(app.read) is None else {"id": (app.id, None)}
    result = outcome(found, app.id)
    if module.check_mode:
        return result
    if found:
        result["deployment"] = app.remove()
    if module.params["wait"]:
        app.vanish(module.params["wait_timeout"])
    return result


def main():
    """Read the arguments, act, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    hide_secrets(module, module.params["definition"])
    app = App(
        Api(module, module.params["marathon_url"]), module.params["id"], module.params["force"]
    )
    act = be_present if module.params["state"] == "present" else be_absent
    report(module, lambda: act(module, app))


if __name__ == "__main__":
    main()
