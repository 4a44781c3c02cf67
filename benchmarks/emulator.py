"""Ten thousand agents in one process: a connection each, no containers.

Reads commands, one JSON object a line, and answers each with one line:

    {"do": "connect", "first": 0, "count": 1000}                 until all are subscribed
    {"do": "prepare", "tasks": 10}                               agents now have tasks to report
    {"do": "rejoin", "port": 5050}                               all connect and subscribe anew
    {"do": "statistics"}                                         what was seen since the last time

An agent answers PING at once, runs every task at once and for ever, and comes back with its tasks
after the master was lost.
"""

import argparse
import asyncio
import functools
import gc
import json
import os
import sys
import time
from typing import Any

import msgspec
import uvloop
from benchmarks import messages
from benchmarks.connection import Calls, Connection, request

from mesosphere.wire.mesos import link
from mesosphere.wire.recordio import Decoder

CONNECTING_AT_ONCE = 256
CALLERS = 64
AGENTS_PER_ADDRESS = 8_000
"""Source ports of one loopback address are fewer than 28,000."""


class _Id(msgspec.Struct, gc=False, frozen=True):
    value: str = ""


class _Info(msgspec.Struct, gc=False, frozen=True):
    id: _Id = _Id()


class _Task(msgspec.Struct, gc=False, frozen=True):
    task_id: _Id = _Id()


class _RunTask(msgspec.Struct, gc=False, frozen=True):
    framework_info: _Info = _Info()
    task: _Task = _Task()


class _Subscribed(msgspec.Struct, gc=False, frozen=True):
    agent_id: _Id = _Id()


class _Event(msgspec.Struct, gc=False, frozen=True):
    """What an emulated agent reads of an event."""

    type: str
    subscribed: _Subscribed | None = None
    run_task: _RunTask | None = None


_EVENTS = msgspec.json.Decoder(_Event)


class Agent(Connection):
    """One agent's connection."""

    def __init__(self, fleet: "Fleet", number: int) -> None:
        super().__init__()
        self.fleet = fleet
        self.number = number
        self.id = ""
        self.stream_id = ""
        self.first = messages.subscribe_agent(number, "", b"")
        self.pinged_at = 0.0
        self.decoder = Decoder()

    def restart(self) -> None:
        """Be ready for another connection."""
        Connection.__init__(self)
        self.decoder = Decoder()
        self.pinged_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(request("POST", link.PATH, self.first))

    def on_answer(self, status: int) -> None:
        self.stream_id = self.headers.get("mesos-stream-id", "")
        if status != 200:
            self.fleet.refused += 1

    def on_data(self, data: bytes) -> None:
        for record in self.decoder.feed(data):
            if record == messages.PING:
                self.fleet.pinged(self)
            else:
                self.take(_EVENTS.decode(record))

    def take(self, event: _Event) -> None:
        """An event but PING."""
        if event.subscribed is not None:
            self.id = event.subscribed.agent_id.value
            self.fleet.subscribed += 1
            self.fleet.wake.set()
        elif event.run_task is not None:
            run = event.run_task
            self.call(
                messages.running(self.id, run.framework_info.id.value, run.task.task_id.value)
            )
            self.fleet.launched += 1

    def call(self, body: bytes) -> None:
        """Make a call on the link."""
        extra = f"Mesos-Stream-Id: {self.stream_id}\r\n"
        self.fleet.calls.send(request("POST", link.PATH, body, extra))

    def on_lost(self) -> None:
        self.fleet.lost += 1


def _same(agent: Agent) -> Agent:
    return agent


class Fleet:
    """All agents, and what they saw."""

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)
        self.agents: list[Agent] = []
        self.calls = Calls(host, port, CALLERS)
        self.subscribed = self.refused = self.lost = self.launched = self.pings = 0
        self.lateness: list[float] = []
        self.wake = asyncio.Event()

    def pinged(self, agent: Agent) -> None:
        """Answer a PING; keep by how much its interval was off the first one's."""
        now = time.monotonic()
        if agent.pinged_at:
            self.lateness.append(now - agent.pinged_at)
        agent.pinged_at = now
        self.pings += 1
        agent.call(messages.pong(agent.id))

    async def connect(self, agents: list[Agent]) -> float:
        """Connect and wait until the master admitted each; seconds from the first byte."""
        wanted = self.subscribed + len(agents)
        waiting = iter(agents)
        began = time.monotonic()

        async def some() -> None:
            loop = asyncio.get_running_loop()
            for agent in waiting:
                source = (f"127.0.1.{1 + agent.number // AGENTS_PER_ADDRESS}", 0)
                await loop.create_connection(
                    functools.partial(_same, agent), *self.address, local_addr=source
                )

        await asyncio.gather(*(some() for _ in range(CONNECTING_AT_ONCE)))
        while self.subscribed < wanted:
            self.wake.clear()
            await self.wake.wait()
        return time.monotonic() - began

    def prepare(self, tasks: int) -> None:
        """Make what each agent will say when it comes back."""
        for agent in self.agents:
            reports = messages.reports(agent.number, agent.id, tasks)
            agent.first = messages.subscribe_agent(agent.number, agent.id, reports)

    async def take(self, command: dict[str, Any]) -> dict[str, Any]:
        """One command."""
        if command["do"] == "connect":
            first = command["first"]
            new = [Agent(self, first + number) for number in range(command["count"])]
            if not self.agents:
                await self.calls.open()
            self.agents += new
            seconds = await self.connect(new)
        elif command["do"] == "prepare":
            self.prepare(command["tasks"])
            seconds = 0.0
        elif command["do"] == "rejoin":
            for agent in self.agents:
                agent.transport.abort()
            while self.lost < len(self.agents):
                await asyncio.sleep(0.01)
            self.lost = 0
            self.address = (self.address[0], command.get("port", self.address[1]))
            self.calls.close()
            self.calls = Calls(*self.address, CALLERS)
            for agent in self.agents:
                agent.restart()
            await self.calls.open()
            seconds = await self.connect(self.agents)
        else:
            return self.statistics()
        return {"agents": len(self.agents), "seconds": seconds}

    def statistics(self) -> dict[str, Any]:
        """What was seen since the last time."""
        found = {
            "pings": self.pings,
            "launched": self.launched,
            "lost": self.lost,
            "refused": self.refused,
            "intervals": sorted(self.lateness),
            "calls": dict(self.calls.statuses),
            "cpu_s": sum(os.times()[:2]),
        }
        self.pings = self.launched = 0
        self.lateness = []
        self.calls.statuses.clear()
        return found


async def run(host: str, port: int) -> None:
    """Serve commands until the input ends."""
    fleet = Fleet(host, port)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        print(json.dumps(await fleet.take(json.loads(line))), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    gc.disable()  # an emulator's pauses must not be taken for the master's
    uvloop.run(run(given.host, given.port))
