"""Ansible callback: what a run did, phase by phase, for people and for machines."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from ansible.plugins.callback import CallbackBase

from ansible import context

DOCUMENTATION = r"""
name: mesosphere_run
type: notification
short_description: Phases of a run, and a record of it that machines can read
version_added: "0.2.0"
author: Mesosphere maintainers
description:
  - A play is a phase. At the end it prints how long each phase took and the slowest tasks; of a run
    that failed also the phase, the hosts, and how to go on.
  - Writes a line of JSON for each event that matters (phase, change, failure, end) to a file of its
    own; values of tasks are never written, so no secret is.
options:
  record_directory:
    description: Where the records go; empty for none.
    type: str
    default: .cache/runs
    env:
      - name: MESOSPHERE_RUN_RECORDS
    ini:
      - section: mesosphere
        key: run_records
  records_kept:
    description: How many records are kept.
    type: int
    default: 50
    env:
      - name: MESOSPHERE_RUN_RECORDS_KEPT
    ini:
      - section: mesosphere
        key: run_records_kept
  support_bundle:
    description:
      - Whether a run that failed on a host of the cluster gathers logs and states of the hosts that
        failed, five at most. A refusal before anything was done is none, and neither is a run that
        would have to ask for a password again.
    type: bool
    default: true
    env:
      - name: MESOSPHERE_SUPPORT_BUNDLE
    ini:
      - section: mesosphere
        key: support_bundle
  support_bundle_directory:
    description: Where the bundles go, a directory for each run; the newest ten are kept.
    type: str
    default: .cache/support
    env:
      - name: MESOSPHERE_SUPPORT_BUNDLES
    ini:
      - section: mesosphere
        key: support_bundles
  support_bundle_timeout_s:
    description: Most seconds that gathering may take.
    type: int
    default: 120
    env:
      - name: MESOSPHERE_SUPPORT_BUNDLE_TIMEOUT
    ini:
      - section: mesosphere
        key: support_bundle_timeout_s
"""

SLOWEST = 5
BUNDLE_PLAYBOOK = Path(__file__).resolve().parent.parent / "playbooks" / "support_bundle.yml"
BUNDLE_HOSTS_LIMIT = 5
BUNDLES_KEPT = 10
REFUSALS = ("roles/common/tasks/preflight.yml", "playbooks/inventory.yml")
"""Tasks of these files fail before anything was done: there is nothing to find out."""

ASKED = ("ask_pass", "become_ask_pass", "ask_vault_pass")
PASSED_ON = {
    "inventory": "--inventory",
    "extra_vars": "--extra-vars",
    "vault_ids": "--vault-id",
    "vault_password_files": "--vault-password-file",
    "private_key_file": "--private-key",
    "remote_user": "--user",
    "become_method": "--become-method",
    "become_password_file": "--become-password-file",
    "connection_password_file": "--connection-password-file",
    "ssh_common_args": "--ssh-common-args",
    "ssh_extra_args": "--ssh-extra-args",
}
"""What a run was told on its command line that gathering needs too."""

PHASE_MINIMUM_S = 0.05


class Record:
    """Lines of JSON in a file; a disk that is full or read-only ends the record, not the run."""

    def __init__(self, directory, kept, now):
        self.file = None
        if not directory:
            return
        try:
            place = Path(directory).expanduser()
            place.mkdir(parents=True, exist_ok=True)
            for old in sorted(place.glob("*.jsonl"))[: -max(kept - 1, 1)]:
                old.unlink()
            name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)) + f"-{os.getpid()}.jsonl"
            self.file = (place / name).open("w")
        except OSError:
            self.file = None

    def write(self, kind, **members):
        """One event."""
        if self.file is None:
            return
        try:
            self.file.write(
                json.dumps({"at": round(time.time(), 3), "event": kind, **members}) + "\n"
            )
            self.file.flush()
        except OSError:
            self.file = None


def bundle_command(given, hosts, directory):
    """How the bundles of hosts are gathered, by what the run was told; None if it can't be."""
    if any(given.get(name) for name in ASKED):
        return None
    words = [str(Path(sys.argv[0])), str(BUNDLE_PLAYBOOK), "--limit", ",".join(hosts)]
    for name, option in PASSED_ON.items():
        values = given.get(name) or ()
        words += [
            f"{option}={value}" for value in ([values] if isinstance(values, str) else values)
        ]
    return [sys.executable, *words, "--extra-vars", f"support_bundle_directory={directory}"]


def gather(command, directory, timeout_s):
    """Run the command, for so long at most; the archives that it has brought."""
    silent = {"MESOSPHERE_SUPPORT_BUNDLE": "false", "MESOSPHERE_RUN_RECORDS": ""}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **silent},
        start_new_session=True,
    ) as running:
        try:
            running.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
    for old in sorted(each for each in directory.parent.glob("2*Z*") if each.is_dir())[
        :-BUNDLES_KEPT
    ]:
        shutil.rmtree(old, ignore_errors=True)
    return sorted(directory.glob("*.tar.gz"))


def lasted(seconds):
    """A duration as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:2} s" if minutes else f"{rest} s"


class CallbackModule(CallbackBase):
    """What Ansible calls."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "mesosphere_run"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.record = None
        self.playbook = ""
        self.phases = []
        self.tasks = {}
        self.began = time.time()
        self.failed = {}
        self.to_gather = []

    def v2_playbook_on_start(self, playbook):
        """A run begins."""
        self.playbook = os.path.basename(playbook._file_name)
        directory, kept = self.get_option("record_directory"), self.get_option("records_kept")
        self.record = Record(directory, kept, self.began)
        self.record.write("begun", playbook=self.playbook)

    def v2_playbook_on_play_start(self, play):
        """A phase begins, and the one before has ended."""
        self.end_phase()
        self.phases.append([play.get_name().strip(), time.time(), None])
        self.record.write("phase", name=play.get_name().strip(), number=len(self.phases))

    def end_phase(self):
        """Note how long the phase took."""
        if self.phases and self.phases[-1][2] is None:
            self.phases[-1][2] = time.time() - self.phases[-1][1]

    def v2_playbook_on_task_start(self, task, is_conditional):
        """A task begins."""
        self.tasks[task._uuid] = [task.get_name(), time.time(), 0.0]

    def note(self, result, kind):
        """The end of a task on a host."""
        known = self.tasks.get(result._task._uuid)
        if known is not None:
            known[2] = time.time() - known[1]
        name = result._task.get_name()
        if kind != "ok":
            self.record.write(kind, host=result._host.get_name(), task=name)
        return name

    def v2_runner_on_ok(self, result):
        """It went well; a change is worth a line."""
        self.note(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """It failed."""
        name = self.note(result, "ignored" if ignore_errors else "failed")
        if not ignore_errors:
            self.failed[result._host.get_name()] = (self.phases[-1][0], name)
            refused = any(path in str(result._task.get_path()) for path in REFUSALS)
            if not refused and not result._host.implicit:
                self.to_gather.append(result._host.get_name())

    def v2_runner_on_unreachable(self, result):
        """The host does not answer."""
        name = self.note(result, "unreachable")
        self.failed[result._host.get_name()] = (self.phases[-1][0], name)

    def v2_playbook_on_stats(self, stats):
        """The run ends."""
        self.end_phase()
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        bad = [host for host, one in hosts.items() if one["failures"] or one["unreachable"]]
        took = time.time() - self.began
        slow = sorted(self.tasks.values(), key=lambda each: -each[2])[:SLOWEST]
        self.record.write(
            "ended",
            took_s=round(took, 3),
            hosts=hosts,
            failed=bad,
            phases=[{"name": name, "took_s": round(s or 0, 3)} for name, _, s in self.phases],
            slowest=[{"task": name, "took_s": round(s, 3)} for name, _, s in slow],
        )
        for line in self.summary(bad, took, slow) + self.bundles(bad):
            self._display.display(line)

    def bundles(self, bad):
        """Gather what helps to find the fault; the lines that say where it is, or how to get it."""
        if not bad or self.playbook == BUNDLE_PLAYBOOK.name:
            return []
        by_hand = (
            "  for logs and states of every host: ansible-playbook playbooks/support_bundle.yml"
        )
        hosts = list(dict.fromkeys(host for host in self.to_gather if host in bad))
        if not hosts or not self.get_option("support_bundle"):
            return [by_hand]
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.began)) + f"-{os.getpid()}"
        directory = (
            Path(self.get_option("support_bundle_directory")).expanduser().absolute() / stamp
        )
        command = bundle_command(context.CLIARGS, hosts[:BUNDLE_HOSTS_LIMIT], directory)
        if command is None:
            return [by_hand]
        self._display.display("gathering what helps to find the fault ...")
        try:
            found = gather(command, directory, self.get_option("support_bundle_timeout_s"))
        except OSError:
            found = []
        if not found:
            return ["  nothing could be gathered from " + ", ".join(hosts), by_hand]
        return ["  support bundle: " + " ".join(str(path) for path in found), by_hand]

    def summary(self, bad, took, slow):
        """The lines at the end."""
        lines = [f"{self.playbook}: {lasted(took)}"]
        for name, _, seconds in self.phases:
            if (seconds or 0) >= PHASE_MINIMUM_S:
                lines.append(f"  {lasted(seconds):>12}  {name}")
        if slow and slow[0][2] >= 1:
            lines.append("  slowest: " + ", ".join(f"{name} ({lasted(s)})" for name, _, s in slow))
        for host in bad:
            phase, task = self.failed.get(host, ("?", "?"))
            lines.append(f"  {host} failed in phase '{phase}', task '{task}'")
        if bad:
            lines.append(
                f"  run playbooks/{self.playbook} again when that is mended: it goes on from what"
                " it finds"
            )
        return lines
