"""The user of the cluster: changes apps and jobs, and remembers what was acknowledged.

Every change is repeated, at any Marathon or Chronos, until it is answered 2xx; only then comes the
next one. What was acknowledged last must hold in the end, whatever happened in between.
"""

import json
from typing import Any

from mesosphere.kernel.http import Request
from mesosphere.simulation.cluster import Cluster
from mesosphere.simulation.exchange import Caller, Exchange
from mesosphere.simulation.world import World

HOST = "127.9.0.1"
PATIENCE_S = 15.0
PAUSE_S = 1.0


class Change:
    """One request. `target` is the kind of process that is asked."""

    def __init__(self, target: str, method: str, path: str, body: dict[str, Any]) -> None:
        self.target = target
        self.method = method
        self.path = path
        self.body = body


class _Answer(Caller):
    def __init__(self, operator: "Operator", change: Change) -> None:
        self.operator = operator
        self.change = change
        self.is_over = False

    def answered(self, status: int, headers: dict[str, str], body: bytes) -> None:
        if not self.is_over:
            self.is_over = True
            self.operator.answered(self.change, status, body)

    def broken(self, reason: str, definite: bool) -> None:
        if not self.is_over:
            self.is_over = True
            self.operator.failed(self.change, reason)


class Operator:
    """Makes changes one after the other."""

    def __init__(self, world: World, cluster: Cluster) -> None:
        self.world = world
        self.cluster = cluster
        self.instances: dict[str, int] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.waiting: list[Change] = []
        self.acknowledged = 0
        self._count = 0

    def put_app(self, app_id: str, instances: int, version: int = 0) -> None:
        """Wish for an app."""
        body = {
            "id": app_id,
            "cmd": "serve",
            "cpus": 0.5,
            "mem": 64,
            "instances": instances,
            "env": {"VERSION": str(version)},
            "portDefinitions": [{"port": 0}],
            "backoffSeconds": 1,
            "maxLaunchDelaySeconds": 10,
            "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5},
        }
        self._wish(Change("marathon", "PUT", f"/v2/apps/{app_id}?force=true", body))

    def put_job(self, name: str, schedule: str, parents: tuple[str, ...] = ()) -> None:
        """Wish for a job."""
        body: dict[str, Any] = {"name": name, "command": "work 2", "cpus": 0.1, "mem": 32}
        path = "/v1/scheduler/iso8601"
        if parents:
            body["parents"] = list(parents)
            path = "/v1/scheduler/dependency"
        else:
            body["schedule"] = schedule
        self._wish(Change("chronos", "POST", path, body))

    def _wish(self, change: Change) -> None:
        self.waiting.append(change)
        if len(self.waiting) == 1:
            self._ask()

    def _ask(self) -> None:
        change = self.waiting[0]
        nodes = self.cluster.of(change.target)
        node = nodes[self.world.random.randrange(len(nodes))]
        caller = _Answer(self, change)
        self._count += 1
        exchange = Exchange(self.cluster.network, HOST, caller, f"operator/{self._count}")
        path, _, query = change.path.partition("?")
        wanted = {"force": ["true"]} if query else {}
        headers = {"content-type": "application/json"}
        body = json.dumps(change.body).encode()
        request = Request("", change.method, path, wanted, headers, body, HOST)
        self.cluster.network.carry(
            HOST, node.host, exchange.name, lambda: node.receive(request, exchange)
        )
        self.world.at(PATIENCE_S, lambda: caller.broken("timed out", False))

    def answered(self, change: Change, status: int, body: bytes) -> None:
        """An answer has come."""
        self.world.note(f"operator {change.method} {change.path} {status}")
        if status // 100 != 2:
            if status in (400, 404, 405, 415, 422):
                raise AssertionError(f"{change.method} {change.path}: {status} {body[:300]!r}")
            self.failed(change, str(status))
            return
        self.acknowledged += 1
        if change.target == "marathon":
            self.instances[change.body["id"]] = change.body["instances"]
        else:
            self.jobs[change.body["name"]] = change.body
        self.waiting.pop(0)
        if self.waiting:
            self.world.at(self.world.between(0.1, PAUSE_S), self._ask)

    def failed(self, change: Change, reason: str) -> None:
        """Nobody knows whether the change was made: it is asked for again."""
        self.world.at(self.world.between(0.5, 2 * PAUSE_S), self._ask)
