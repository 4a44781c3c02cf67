#!/usr/bin/python
"""Ansible module: a program of supervisor, on hosts whose process 1 is not systemd."""

DOCUMENTATION = r"""
module: supervisor_program
short_description: Run or remove a program of supervisor
description:
  - Starts supervisord when it does not run, takes up the program's changed configuration, and
    starts, restarts or stops it.
  - The configuration file itself is written by other means, for example a template.
version_added: "0.1.0"
options:
  name:
    description: Name of the program.
    type: str
    required: true
  state:
    description:
      - V(started) runs it; V(restarted) runs it anew, unless taking up a changed configuration
        did that already.
      - V(absent) stops it; its configuration file must be gone.
    type: str
    choices: [started, restarted, absent]
    default: started
  supervisord_config:
    description: Configuration that supervisord is started with.
    type: path
    default: /etc/supervisor/supervisord.conf
attributes:
  check_mode:
    support: full
    description: Says whether the program would be started, restarted or stopped.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: Run Chronos
  supervisor_program:
    name: chronos

- name: Stop Chronos, whose configuration was removed
  supervisor_program:
    name: chronos
    state: absent
"""

RETURN = r"""
before:
  description: The program's state before, as supervisor calls it; empty if it was not known.
  type: str
  returned: always
  sample: RUNNING
after:
  description: The program's state after.
  type: str
  returned: when not in check mode
  sample: RUNNING
"""

import time

from ansible.module_utils.basic import AnsibleModule

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "state": {
        "type": "str",
        "choices": ["started", "restarted", "absent"],
        "default": "started",
    },
    "supervisord_config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
}
RUNNING = ("STARTING", "RUNNING", "BACKOFF")
START_TIMEOUT_S = 15


def state_of(output):
    """The state in a line of `supervisorctl status`; "" for a program that is not known."""
    words = output.split()
    if len(words) < 2 or "no such" in output:
        return ""
    return words[1]


def decide(before, wanted, taken_up):
    """The command that is left to give after `update`; None for nothing.

    `taken_up` says that `update` has added or changed the program, which starts it.
    """
    if wanted == "absent":
        return None
    if wanted == "restarted" and not taken_up:
        return "restart" if before in RUNNING else "start"
    if before in RUNNING or taken_up:
        return None
    return "start"


class Supervisor:
    """supervisorctl behind a module."""

    def __init__(self, module):
        self.module = module

    def control(self, *words):
        """(code, output) of a command."""
        code, out, err = self.module.run_command(["supervisorctl", *words])
        return code, (out + err).strip()

    def is_up(self):
        """Whether supervisord answers."""
        code, output = self.control("pid")
        return code == 0 and output.isdigit()

    def start(self):
        """Start supervisord and wait until it answers."""
        config = self.module.params["supervisord_config"]
        code, out, err = self.module.run_command(["supervisord", "-c", config])
        if code != 0:
            self.module.fail_json(msg=f"supervisord can't be started: {(out + err).strip()}")
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_up():
            if time.monotonic() > deadline:
                self.module.fail_json(msg=f"supervisord did not answer in {START_TIMEOUT_S} s")
            time.sleep(0.2)

    def state(self, name):
        """The program's state."""
        return state_of(self.control("status", name)[1])


def run(module):
    """Do it; returns the module's results."""
    name, wanted = module.params["name"], module.params["state"]
    supervisor = Supervisor(module)
    was_up = supervisor.is_up()
    if not was_up and wanted == "absent":
        return {"changed": False, "before": ""}
    before = supervisor.state(name) if was_up else ""
    if module.check_mode:
        if wanted == "absent":
            changed = before != ""
        else:
            changed = not was_up or wanted == "restarted" or before not in RUNNING
        return {"changed": changed, "before": before}
    if not was_up:
        supervisor.start()
    code, output = supervisor.control("update", name)
    # It says so of a program that it has forgotten already.
    is_gone = wanted == "absent" and "no such group" in output
    if code != 0 and not is_gone:
        module.fail_json(msg=f"supervisor can't take up {name}: {output}")
    taken_up = not was_up or any(
        word in output for word in ("added process group", "updated process group")
    )
    removed = "removed process group" in output or "stopped" in output
    command = decide(supervisor.state(name), wanted, taken_up)
    if command is not None:
        code, output = supervisor.control(command, name)
        if code != 0:
            module.fail_json(msg=f"supervisor can't {command} {name}: {output}")
    changed = taken_up or command is not None or (wanted == "absent" and removed)
    return {"changed": changed, "before": before, "after": supervisor.state(name)}


def main():
    """Parse and exit."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
    )
    module.exit_json(**run(module))


if __name__ == "__main__":
    main()
