"""Calls that only read: the answers are made in `views.operator`."""

from collections.abc import Callable
from typing import Any

from mesosphere.kernel.http import Request
from mesosphere.master.api.operator.table import Handler, Handlers
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.views.operator import READS
from mesosphere.wire.mesos import operator


def _read(view: Callable[[MasterMachine], dict[str, Any]]) -> Handler:
    def answer(
        master: MasterMachine, now: float, request: Request, call: operator.Call
    ) -> dict[str, Any]:
        return view(master)

    return answer


CALLS: Handlers = {kind: _read(view) for kind, view in READS.items()}
