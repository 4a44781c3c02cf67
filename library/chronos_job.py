#!/usr/bin/python
"""Ansible module: a job of Chronos is there as described, or is not there."""

DOCUMENTATION = r"""
module: chronos_job
short_description: Add, change, run or remove a job of Chronos
description:
  - Compares what you wrote with what Chronos has. What you did not write, and the defaults that
    Chronos fills in, don't count as a change, nor does a schedule that has moved on since.
  - A change keeps what you did not write, the counts of runs, and where the schedule has got to.
version_added: "0.1.0"
options:
  chronos_url:
    description: URLs of Chronos, tried in turn; any Chronos passes requests to the leader.
    type: list
    elements: str
    default: ["http://127.0.0.1:4400"]
  name:
    description: Name of the job.
    type: str
    required: true
  state:
    description: V(present) adds or changes the job; V(absent) removes it and kills its tasks.
    type: str
    choices: [present, absent]
    default: present
  definition:
    description:
      - The job as Chronos takes it, in YAML or JSON; with C(schedule) a scheduled one, with
        C(parents) a dependent one. Needed for V(present).
    type: dict
  run:
    description: Run it now as well, whatever its schedule says. That is a change each time.
    type: bool
    default: false
  wait:
    description:
      - Wait until it has succeeded; after a change or with O(run), until it has succeeded since.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait before the task fails.
    type: int
    default: 300
extends_documentation_fragment: [mesosphere]
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
- name: Clean up each night
  chronos_job:
    chronos_url: http://chronos1:4400
    name: clean-up
    definition:
      schedule: R/2026-01-01T02:00:00Z/P1D
      command: /usr/local/bin/clean-up
      owner: operations@example.com

- name: Report after it
  chronos_job:
    name: report
    definition:
      parents: [clean-up]
      command: /usr/local/bin/report

- name: Run it now and wait for it
  chronos_job:
    name: clean-up
    definition: {schedule: R/2026-01-01T02:00:00Z/P1D, command: /usr/local/bin/clean-up}
    run: true
    wait: true
"""

RETURN = r"""
job:
  description: The job as Chronos shows it, after the change.
  type: dict
  returned: when state is present and not in check mode
changes:
  description: Paths of what was (or would be) changed.
  type: list
  elements: str
  returned: always
  sample: ["command"]
"""

from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.chronos import job_differences, job_to_write, normal_job
from ansible.module_utils.hidden import hide_secrets
from ansible.module_utils.mesosphere_http import (
    ACCESS_ARGUMENTS,
    Api,
    RequestError,
    once_led,
    outcome,
    report,
    wait_until,
)

ARGUMENTS = {
    "chronos_url": {"type": "list", "elements": "str", "default": ["http://127.0.0.1:4400"]},
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "definition": {"type": "dict"},
    "run": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 300},
    **ACCESS_ARGUMENTS,
}


class Job:
    """One job of Chronos."""

    def __init__(self, api, name):
        self.api = api
        self.name = name
        self.path = f"/v1/scheduler/job/{quote(name, safe='')}"

    def read(self):
        """The job as Chronos shows it; None if there is none."""
        answer = self.api.expect("GET", "/v1/scheduler/jobs", shape=list)
        return next((job for job in answer.json if job.get("name") == self.name), None)

    def write(self, document):
        """Add or change it."""
        kind = "dependency" if "parents" in document else "iso8601"
        self.api.expect("POST", f"/v1/scheduler/{kind}", document, (200, 204))

    def remove(self):
        """Remove it."""
        self.api.expect("DELETE", self.path, allowed=(200, 204))

    def run(self):
        """Start it now."""
        self.api.expect("PUT", self.path, allowed=(200, 204))

    def succeed(self, beyond, timeout_s):
        """Wait for a success more than `beyond`. Raises RequestError when the time is over."""

        def done():
            job = self.read()
            return job is not None and job["successCount"] > beyond

        if not wait_until(done, timeout_s):
            job = self.read() or {}
            raise RequestError(
                f"job {self.name} did not succeed within {timeout_s} s: it has"
                f" {job.get('successCount', 0)} successes and {job.get('errorCount', 0)} errors"
            )


def be_present(module, job):
    """Add or change the job; the module's result."""
    given = module.params
    before = once_led(job.read)
    hide_secrets(module, before)
    wanted = normal_job(given["definition"], given["name"])
    found = job_differences(wanted, before or {})
    result = outcome(found, job.name, ["run"] if given["run"] else [])
    if module.check_mode:
        return result
    beyond = before["successCount"] if before is not None and result["changed"] else 0
    if found:
        job.write(job_to_write(wanted, before or {}))
    if given["run"]:
        job.run()
    if given["wait"]:
        job.succeed(beyond, given["wait_timeout"])
    result["job"] = job.read()
    return result


def be_absent(module, job):
    """Remove the job; the module's result."""
    found = {} if once_led(job.read) is None else {"name": (job.name, None)}
    if found and not module.check_mode:
        job.remove()
    return outcome(found, job.name)


def main():
    """Read the arguments, act, report."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_if=[("state", "present", ["definition"])],
    )
    hide_secrets(module, module.params["definition"])
    job = Job(Api(module, module.params["chronos_url"]), module.params["name"])
    act = be_present if module.params["state"] == "present" else be_absent
    report(module, lambda: act(module, job))


if __name__ == "__main__":
    main()
