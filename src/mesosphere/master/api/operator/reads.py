"""Calls that only read: the answers are made in `views.operator`."""

from collections.abc import Callable

from mesosphere.kernel.http import Request
from mesosphere.master.api.operator.table import Handler, Handlers
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.views.operator import READS
from mesosphere.wire.mesos import operator
from mesosphere.wire.mesos.base import WireStruct


def _read(view: Callable[[MasterMachine], WireStruct]) -> Handler:
    def answer(
        master: MasterMachine, now: float, request: Request, call: operator.Call
    ) -> WireStruct:
        return view(master)

    return answer


CALLS: Handlers = {kind: _read(view) for kind, view in READS.items()}
