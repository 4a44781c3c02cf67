"""Commands that the API makes of requests: each is answered through its `request` id."""

from typing import Any

from mesosphere.kernel.events import Event
from mesosphere.wire.mesos import link, scheduler


class SchedulerCalled(Event, frozen=True):
    """A valid call of the scheduler API. `stream_id` is the Mesos-Stream-Id header."""

    request: str
    call: scheduler.Call
    stream_id: str | None
    peer: str


class AgentCalled(Event, frozen=True):
    """A call on the link of an agent."""

    request: str
    call: link.Call
    stream_id: str | None
    peer: str


class OperatorSubscribed(Event, frozen=True):
    """An operator wants the event stream."""

    request: str


class TeardownRequested(Event, frozen=True):
    """An operator removes a framework."""

    request: str
    framework_id: str


class AgentGone(Event, frozen=True):
    """An operator says that an agent will never come back."""

    request: str
    agent_id: str


class FileWanted(Event, frozen=True):
    """A file of the master's is read; `effect` answers it."""

    effect: Any
