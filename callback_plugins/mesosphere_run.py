"""Ansible callback: what a run did, phase by phase, for people and for machines."""

import json
import os
import time
from pathlib import Path

from ansible.plugins.callback import CallbackBase

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
"""

SLOWEST = 5
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
        for line in self.summary(bad, took, slow):
            self._display.display(line)

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
                " it finds; playbooks/support_bundle.yml gathers what helps to find the fault"
            )
        return lines
