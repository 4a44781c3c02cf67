"""The operator of the masters: drains, deactivates, marks gone, plans and does maintenance.

Each change is asked of some master, redirects are followed, and only an answer of 200 counts as
acknowledged; what was not answered is in doubt, and no promise hangs on it.
"""

import json
from typing import Any
from urllib.parse import urlsplit

from mesosphere.kernel.events import StopRequested
from mesosphere.kernel.http import Request
from mesosphere.simulation.cluster import Cluster
from mesosphere.simulation.exchange import Caller, Exchange
from mesosphere.simulation.node import Node
from mesosphere.simulation.world import Violation, World

HOST = "127.9.0.2"
PATIENCE_S = 20.0
CLOSED_MOST = 0.3
"""Part of the agents that are drained, deactivated, down or gone at a time."""


class _Asked(Caller):
    def __init__(self, administrator: "Administrator", call: dict[str, Any]) -> None:
        self.administrator = administrator
        self.call = call
        self.is_over = False

    def answered(self, status: int, headers: dict[str, str], body: bytes) -> None:
        if self.is_over:
            return
        self.is_over = True
        location = {name.lower(): value for name, value in headers.items()}.get("location", "")
        if status == 307:
            self.administrator.ask(self.call, urlsplit(f"http:{location}").hostname)
        else:
            self.administrator.settle(self.call, status, body)

    def broken(self, reason: str, definite: bool) -> None:
        if not self.is_over:
            self.is_over = True
            self.administrator.settle(self.call, 0, reason.encode())


class Administrator:
    """What was acknowledged, by agent id or host, and what is in doubt."""

    def __init__(self, world: World, cluster: Cluster) -> None:
        self.world = world
        self.cluster = cluster
        self.gone: dict[str, None] = {}
        self.leaving: dict[str, None] = {}  # ids that were asked to be gone, answered or not
        self.closed: dict[str, None] = {}  # drained or deactivated, and never reactivated since
        self.reopened: dict[str, None] = {}
        self.planned: dict[str, None] = {}  # hosts in the schedule as it was acknowledged
        self.down: dict[str, None] = {}
        self.ever_down: dict[str, None] = {}  # hosts that were asked to go down, answered or not
        self.is_sure_of_schedule = True
        self.acknowledged: dict[str, int] = {}
        self._count = 0
        self._is_busy = False

    # --- asking -----------------------------------------------------------------------------

    def act(self) -> None:
        """One change of what an operator may wish."""
        leader = self.leader()
        if leader is None or self._is_busy:
            return
        random = self.world.random
        agents = list(leader.machine.state.agents)  # type: ignore[attr-defined]
        known = [*agents, *leader.machine.state.unreachable]  # type: ignore[attr-defined]
        kind = random.randrange(12)
        count = len(self.cluster.of("agent"))
        closed = len(self.closed) + len(self.planned) + len(self.down)
        if kind < 3 and self.closed:
            names = list(self.closed)
            self._agent("REACTIVATE_AGENT", names[random.randrange(len(names))])
        elif kind < 5:
            self._maintain()
        elif closed < CLOSED_MOST * count and known:
            agent = known[random.randrange(len(known))]
            if kind < 9:
                grace = {"seconds": random.randrange(20)}
                gone = random.random() < 0.2
                more = {"max_grace_period": grace} if random.random() < 0.7 else {}
                self._agent("DRAIN_AGENT", agent, mark_gone=gone, **more)
            elif kind < 11:
                self._agent("DEACTIVATE_AGENT", agent)
            else:
                self._agent("MARK_AGENT_GONE", agent)

    def send_away(self) -> None:
        """SIGUSR1 to an agent."""
        agents = self.cluster.of("agent")
        agents[self.world.random.randrange(len(agents))].deliver(StopRequested("USR1"))

    def share_out(self, role: str) -> None:
        """Another limit of a role, or another weight."""
        random = self.world.random
        if self._is_busy:
            return
        if random.random() < 0.3:
            infos = [{"role": role, "weight": 0.5 + random.randrange(6)}]
            self.ask({"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": infos}})
            return
        limits = {"cpus": {"value": 1 + random.randrange(16) / 4}}
        guarantees = {"cpus": {"value": 0.5}} if random.random() < 0.5 else {}
        config = {"role": role, "guarantees": guarantees, "limits": limits}
        force = random.random() < 0.3
        body = {"force": force, "quota_configs": [config]}
        self.ask({"type": "UPDATE_QUOTA", "update_quota": body})

    def tear_down(self, framework_id: str) -> None:
        """Remove a framework."""
        if not self._is_busy:
            body = {"framework_id": {"value": framework_id}}
            self.ask({"type": "TEARDOWN", "teardown": body})

    def _agent(self, kind: str, agent: str, **more: Any) -> None:
        if kind == "REACTIVATE_AGENT":
            self.reopened[agent] = None
        if kind == "MARK_AGENT_GONE" or more.get("mark_gone"):
            self.leaving[agent] = None
        self.ask({"type": kind, kind.lower(): {"agent_id": {"value": agent}, **more}})

    def _maintain(self) -> None:
        random = self.world.random
        hosts = [node.host for node in self.cluster.of("agent")]
        waiting = [host for host in self.planned if host not in self.down]
        if self.down and random.random() < 0.5:
            self._machines("STOP_MAINTENANCE", next(iter(self.down)))
        elif waiting and random.random() < 0.5:
            self.ever_down[waiting[0]] = None
            self._machines("START_MAINTENANCE", waiting[0])
        else:
            chosen = dict.fromkeys(self.down)
            for _ in range(random.randrange(3)):
                chosen[hosts[random.randrange(len(hosts))]] = None
            self.plan(list(chosen))

    def plan(self, hosts: list[str]) -> None:
        """Another schedule."""
        window = {
            "machine_ids": [{"hostname": host, "ip": host} for host in hosts],
            "unavailability": {"start": {"nanoseconds": int(self.world.now * 1e9)}},
        }
        schedule = {"windows": [window] if hosts else []}
        kind = "UPDATE_MAINTENANCE_SCHEDULE"
        self.ask({"type": kind, kind.lower(): {"schedule": schedule}})

    def _machines(self, kind: str, host: str) -> None:
        self.ask({"type": kind, kind.lower(): {"machines": [{"hostname": host, "ip": host}]}})

    def open_all(self) -> None:
        """After the trouble: machines come up again, one call at a time."""
        leader = self.leader()
        if leader is None or self._is_busy:
            return
        for machine in leader.machine.state.maintenance.down:  # type: ignore[attr-defined]
            self._machines("STOP_MAINTENANCE", machine.hostname)
            return

    def leader(self) -> Node | None:
        """The master that leads and has recovered."""
        for node in self.cluster.of("master"):
            if self.leads(node):
                return node
        return None

    def leads(self, node: Node) -> bool:
        """Whether a master leads and has recovered."""
        return self.cluster.leads(node) and node.machine.is_recovered  # type: ignore[attr-defined]

    def ask(self, call: dict[str, Any], host: str | None = None) -> None:
        """Send a call to a master."""
        self._is_busy = True
        masters = self.cluster.of("master")
        node = masters[self.world.random.randrange(len(masters))]
        node = next((each for each in masters if each.host == host), node)
        caller = _Asked(self, call)
        self._count += 1
        exchange = Exchange(self.cluster.network, HOST, caller, f"administrator/{self._count}")
        headers = {"content-type": "application/json"}
        request = Request("", "POST", "/api/v1", {}, headers, json.dumps(call).encode(), HOST)
        self.cluster.network.carry(
            HOST, node.host, exchange.name, lambda: node.receive(request, exchange)
        )
        self.world.at(PATIENCE_S, lambda: caller.broken("timed out", False))

    # --- answers ----------------------------------------------------------------------------

    def settle(self, call: dict[str, Any], status: int, body: bytes) -> None:
        """A call was answered, or nobody knows (0)."""
        self._is_busy = False
        kind = call["type"]
        text = body[:120].decode("utf-8", "replace")
        self.world.note(f"administrator {kind} {status} {text}")
        if status in (405, 406, 415, 500, 501):
            raise Violation(f"{kind} was answered {status}: {text}")
        if status in (0, 503):
            self._doubt(kind, call[kind.lower()])
        if status != 200:
            return
        self.acknowledged[kind] = self.acknowledged.get(kind, 0) + 1
        self._take(kind, call[kind.lower()])

    def _doubt(self, kind: str, body: dict[str, Any]) -> None:
        if "agent_id" in body:
            self.closed.pop(body["agent_id"]["value"], None)
            self.reopened[body["agent_id"]["value"]] = None
        elif kind not in ("TEARDOWN", "UPDATE_WEIGHTS", "UPDATE_QUOTA"):
            self.is_sure_of_schedule = False

    def _take(self, kind: str, body: dict[str, Any]) -> None:
        agent = body.get("agent_id", {}).get("value", "")
        hosts = [machine["hostname"] for machine in body.get("machines", [])]
        if kind == "MARK_AGENT_GONE":
            self.gone[agent] = None
            self.closed.pop(agent, None)
        elif kind in ("DRAIN_AGENT", "DEACTIVATE_AGENT"):
            if not body.get("mark_gone"):
                self.closed[agent] = None
        elif kind == "REACTIVATE_AGENT":
            self.closed.pop(agent, None)
        elif kind == "START_MAINTENANCE":
            self.down |= dict.fromkeys(hosts)
        elif kind == "STOP_MAINTENANCE":
            for host in hosts:
                self.down.pop(host, None)
                self.planned.pop(host, None)
        elif kind == "UPDATE_MAINTENANCE_SCHEDULE":
            windows = body["schedule"]["windows"]
            self.planned = {
                machine["hostname"]: None for window in windows for machine in window["machine_ids"]
            }
            self.is_sure_of_schedule = True
