"""Callback of `script/bench ansible`: counts what Ansible does for each host, skipping included."""

import json
import os
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: counted
type: aggregate
short_description: Counts of a benchmark
author: Mesosphere maintainers
description: Writes how many tasks were done, changed and skipped for hosts to BENCH_COUNTS.
"""


class CallbackModule(CallbackBase):
    """What Ansible calls."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "counted"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.counts = dict.fromkeys(("done", "changed", "skipped", "failed", "items"), 0)
        self.tasks = {}

    def count(self, result, kind):
        """One task of one host."""
        self.counts[kind] += 1
        task = self.tasks.setdefault(
            str(result._task.get_path()), {"name": result._task.get_name()}
        )
        task[kind] = task.get(kind, 0) + 1

    def v2_runner_on_ok(self, result):
        """It was done."""
        self.count(result, "done")
        if result._result.get("changed"):
            self.count(result, "changed")

    def v2_runner_on_skipped(self, result):
        """It was not needed."""
        self.count(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """It failed; a failure that is allowed counts as done."""
        self.count(result, "done" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result):
        """It was not reached."""
        self.count(result, "failed")

    def v2_runner_item_on_ok(self, result):
        """One round of a loop."""
        self.counts["items"] += 1

    def v2_playbook_on_stats(self, stats):
        """The run ends."""
        found = {**self.counts, "hosts": len(stats.processed), "tasks": self.tasks}
        Path(os.environ["BENCH_COUNTS"]).write_text(json.dumps(found))
