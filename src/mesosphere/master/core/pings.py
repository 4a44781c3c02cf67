"""Pings: each agent is asked once in an interval whether it is there.

Ten thousand are not asked in one breath: a round is cut into parts that are spread evenly over the
interval, so that neither the questions nor the answers hold others up. An agent that comes within a
round is asked in the next. Source: Mesos, src/master/master.cpp, SlaveObserver.
"""

from typing import TYPE_CHECKING

from mesosphere.kernel.effects import Send, SetTimer
from mesosphere.master.core import removals
from mesosphere.wire import recordio
from mesosphere.wire.mesos import codec, link

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

TIMER = "ping"
PING = recordio.encode(codec.encode(link.Event(type="PING")))

PARTS_MOST = 50
PART_LEAST = 100
"""Agents that are always asked together."""


def ask_some(master: "MasterMachine", now: float) -> None:
    """Ask the next part; an agent that was silent too often goes."""
    interval_s = master.config.agent_ping_interval_s
    if not master.to_ping:
        everybody = list(master.state.agents)
        count = max(1, min(PARTS_MOST, len(everybody) // PART_LEAST))
        master.to_ping = [everybody[start::count] for start in reversed(range(count))]
        master.ping_delay_s = interval_s / count
    master.out.append(SetTimer(TIMER, master.ping_delay_s))
    for agent_id in master.to_ping.pop():
        agent = master.state.agents.get(agent_id)
        if agent is None:
            continue
        if agent.missed_pings >= master.config.max_agent_ping_timeouts:
            removals.schedule(master, agent_id)
        agent.missed_pings += 1
        if agent.stream is not None:
            master.out.append(Send(agent.stream, PING))
    if master.state.removals:
        master.revision += 1
        removals.run(master, now)
