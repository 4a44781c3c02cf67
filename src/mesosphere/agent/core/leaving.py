"""How an agent goes for good: its master has dismissed it, or SIGUSR1 asked it to leave.

Everything it runs is ended, its id is taken off the disk so that the next life is a new agent, and
only then the process ends. Who leaves unasked by the master says UNREGISTER, so that the master
need not wait for it. Source: apache/mesos src/slave/slave.cpp (shutdown, signaled).
"""

from mesosphere.agent.core import checkpoint
from mesosphere.agent.core.registration import Registration
from mesosphere.agent.core.state import State
from mesosphere.kernel.effects import Checkpoint, Effect, Halt, Log, SetTimer
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.wire.mesos import link
from mesosphere.wire.mesos.ids import AgentID

TIMER = "leave"
FORGOTTEN_TIMER = "leave/forgotten"
GRACE_S = 10.0
"""Tasks have so long to end."""

HEARD_TO_THE_END = ("SUBSCRIBED", "ACKNOWLEDGE", "SHUTDOWN", "ERROR")
"""What the master says otherwise is no longer done: everything is being ended already."""

GOODBYE_S = 1.0
"""UNREGISTER has so long to arrive."""


class Leaving:
    """`reason` is empty until the agent leaves; `has_gone` once it told its master so."""

    def __init__(self, state: State, link_: Registration) -> None:
        self._state = state
        self._link = link_
        self.reason = ""
        self._code = ExitCode.CLEAN
        self._is_forgotten = False
        self.has_gone = False

    def begin(self, reason: str, code: ExitCode) -> list[Effect]:
        """From here on there is no way back; the caller ends what runs."""
        self.reason, self._code = reason, code
        forgotten = (SetTimer(FORGOTTEN_TIMER, 0.0),)
        return [
            Log("error", "leaving", {"reason": reason}),
            Checkpoint(checkpoint.LATEST, checkpoint.NOBODY, then=forgotten),
            SetTimer(TIMER, GRACE_S),
        ]

    def forget(self) -> None:
        """The id is off the disk, or can't be taken off it."""
        self._is_forgotten = True

    def go_on(self, anything_runs: bool) -> list[Effect]:
        """After each end: the process ends with the last."""
        if not self.reason or not self._is_forgotten or anything_runs or self.has_gone:
            return []
        if self._code is not ExitCode.CLEAN or not self._link.is_registered:
            return self.end()
        self.has_gone = True
        call = link.Call(
            type="UNREGISTER",
            agent_id=AgentID(self._state.agent_id or ""),
            unregister=link.Unregister(message=self.reason),
        )
        return [*self._link.send(call), SetTimer(TIMER, GOODBYE_S)]

    def end(self) -> list[Effect]:
        """Now, whatever is left."""
        return [Halt(self._code, self.reason)]
