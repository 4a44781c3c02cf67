"""Draining: the master wants this agent empty, and it takes no task until that is over.

The order is written down before it is carried out, so that a restart does not forgive it: every
task is killed with the least of its own grace and the order's. It is done when no task is left and
no update waits; the master then remembers for us that nothing may come, and says so again each time
that we register. Source: apache/mesos src/slave/slave.cpp (drain, updateDrainStatus).
"""

from collections.abc import Mapping

import msgspec

from mesosphere.agent.core.executors import Executors
from mesosphere.agent.core.life_cycle import Phase
from mesosphere.agent.core.state import State
from mesosphere.kernel.effects import Checkpoint, Effect, Log, RemoveCheckpoint, SetTimer
from mesosphere.kernel.seals import seal, unseal
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.agents import DrainConfig

TIMER = "drain"
REFUSAL = "The agent is draining"


class _File(msgspec.Struct):
    """What is written down of an order."""

    config: DrainConfig
    began_at: float


class Draining:
    """The order to drain of one agent, if there is one."""

    def __init__(self, state: State, executors: Executors) -> None:
        self._state = state
        self._executors = executors

    @property
    def path(self) -> str:
        """The file of the order."""
        return f"meta/slaves/{self._state.agent_id}/drain_config"

    def recover(self, files: Mapping[str, bytes]) -> list[Effect]:
        """Take up an order of an earlier life."""
        data = files.get(self.path)
        if data is None:
            return []
        try:
            found = codec.decode(unseal(data), _File)
        except (WireError, ValueError) as error:
            # The master tells it again when we register.
            return self._state.set_aside(self.path, str(error))
        self._state.drain, self._state.drain_began_at = found.config, found.began_at
        return []

    def resume(self) -> list[Effect]:
        """The containers are found again: go on."""
        return [SetTimer(TIMER, 0.0)] if self._state.drain is not None else []

    def take(self, now: float, config: DrainConfig | None) -> list[Effect]:
        """The master's order; None: an earlier one is over."""
        state = self._state
        if config is None:
            return self._end("the master wants no more draining") if state.drain is not None else []
        if state.drain is None:
            if self._is_empty():
                return []
            state.drain_began_at = now
        state.drain = config
        data = seal(codec.encode(_File(config, state.drain_began_at)))
        fields = {"tasks": len(state.tasks()), "mark_gone": config.mark_gone}
        carry_out = (SetTimer(TIMER, 0.0),)
        return [Log("info", "draining", fields), Checkpoint(self.path, data, then=carry_out)]

    def carry_out(self, now: float) -> list[Effect]:
        """The order is durable, or can't be: end everything."""
        effects: list[Effect] = []
        if self._state.drain is not None:
            for task in list(self._state.tasks()):
                if task.phase is not Phase.ENDED:
                    effects += self._executors.kill(now, task, None)
        return effects

    def settle(self) -> list[Effect]:
        """After each step: done when nothing is left."""
        if self._state.drain is None or not self._is_empty():
            return []
        return self._end("nothing is left here")

    def _is_empty(self) -> bool:
        return not self._state.tasks() and not self._state.streams.outstanding()

    def _end(self, reason: str) -> list[Effect]:
        self._state.drain, self._state.drain_began_at = None, 0.0
        return [Log("info", "drain_over", {"reason": reason}), RemoveCheckpoint(self.path)]
