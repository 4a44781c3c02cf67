"""SUBSCRIBE: operators who follow what happens."""

from mesosphere.kernel.http import Request
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.operator.table import Handlers
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.wire.mesos import operator
from mesosphere.wire.mesos.media import Media, wanted


def subscribe(master: MasterMachine, now: float, request: Request, call: operator.Call) -> Answer:
    """SUBSCRIBE: the stream of events."""
    media = wanted(request.headers)
    assert isinstance(media, Media)
    return commands.OperatorSubscribed(request.id, media)


CALLS: Handlers = {"SUBSCRIBE": subscribe}
