"""Commands that the API makes of requests: each is answered through its `request` id."""

from typing import Any

from mesosphere.kernel.events import Event
from mesosphere.wire import mesos
from mesosphere.wire.mesos import link, scheduler
from mesosphere.wire.mesos.media import Media


class SchedulerCalled(Event, frozen=True):
    """A valid call of the scheduler API. `stream_id` is the Mesos-Stream-Id header; `media` is what
    a stream that answers it is to be written in."""

    request: str
    call: scheduler.Call
    stream_id: str | None
    peer: str
    media: Media = Media.JSON


class AgentCalled(Event, frozen=True):
    """A call on the link of an agent."""

    request: str
    call: link.Call
    stream_id: str | None
    peer: str


class OperatorSubscribed(Event, frozen=True):
    """An operator wants the event stream, written in `media`."""

    request: str
    media: Media = Media.JSON


class TeardownRequested(Event, frozen=True):
    """An operator removes a framework."""

    request: str
    framework_id: str


class AgentGone(Event, frozen=True):
    """An operator says that an agent will never come back."""

    request: str
    agent_id: str


class AgentDrained(Event, frozen=True):
    """An operator wants an agent emptied."""

    request: str
    agent_id: str
    config: mesos.DrainConfig


class AgentDeactivated(Event, frozen=True):
    """An operator wants nothing new on an agent."""

    request: str
    agent_id: str


class AgentReactivated(Event, frozen=True):
    """An operator wants an agent used again."""

    request: str
    agent_id: str


class ScheduleReplaced(Event, frozen=True):
    """An operator plans maintenance: the whole schedule."""

    request: str
    schedule: mesos.Schedule


class MachinesStopped(Event, frozen=True):
    """An operator takes machines of the schedule down."""

    request: str
    machines: list[mesos.MachineID]


class MachinesStarted(Event, frozen=True):
    """An operator brings machines up again."""

    request: str
    machines: list[mesos.MachineID]


class OperationRequested(Event, frozen=True):
    """An operator changes the resources of an agent."""

    request: str
    agent_id: str
    operation: mesos.Operation
    principal: str | None = None


class QuotasUpdated(Event, frozen=True):
    """An operator sets quotas, all or none; `force`: also what can't be met at once."""

    request: str
    configs: list[mesos.QuotaConfig]
    force: bool


class QuotaSet(Event, frozen=True):
    """An operator sets a role's quota the old way."""

    request: str
    quota: mesos.QuotaRequest


class QuotaRemoved(Event, frozen=True):
    """An operator removes a role's quota the old way; `path` of the request, if it named it."""

    request: str
    role: str
    path: str = ""


class WeightsUpdated(Event, frozen=True):
    """An operator sets weights of roles."""

    request: str
    infos: list[mesos.WeightInfo]


class FileWanted(Event, frozen=True):
    """A file of the master's is read; `effect` answers it."""

    effect: Any
