"""The user of the cluster: changes apps and jobs, and remembers what was acknowledged.

Every change is repeated, at any Marathon or Chronos, until it is answered; only then comes the next
one. What was acknowledged last must hold in the end, whatever happened in between. One thing is
nobody's fault: a request that the user gave up may still be under way, and be executed after a
later one was acknowledged. Then that app or job is in doubt until its next change.
"""

import json
from typing import Any

from mesosphere.kernel.http import Request
from mesosphere.simulation.cluster import Cluster
from mesosphere.simulation.exchange import Caller, Exchange
from mesosphere.simulation.node import Node
from mesosphere.simulation.world import Violation, World

HOST = "127.9.0.1"
PATIENCE_S = 15.0
PAUSE_S = 1.0
MARK = "x-change"
REFUSALS = (400, 405, 415, 422)


class Change:
    """One request. `target` is the kind of process that is asked, `name` the app or job."""

    def __init__(
        self, target: str, method: str, path: str, name: str, wish: dict[str, Any] | None, body: Any
    ) -> None:
        self.target = target
        self.method = method
        self.path = path
        self.name = name
        self.wish = wish
        self.body = body
        self.number = 0
        self.executed = False
        self.overtaken = False


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
    """Makes changes one after the other. A wish of None is one for absence."""

    def __init__(self, world: World, cluster: Cluster) -> None:
        self.world = world
        self.cluster = cluster
        self.apps: dict[str, dict[str, Any] | None] = {}
        self.jobs: dict[str, dict[str, Any] | None] = {}
        self.in_doubt: dict[str, int] = {}
        self.waiting: list[Change] = []
        self.acknowledged = 0
        self._changes: list[Change] = []
        self._latest: dict[str, Change] = {}
        self._count = 0
        for node in [*cluster.of("marathon"), *cluster.of("chronos")]:
            node.on_request = self._executed

    # --- wishes -----------------------------------------------------------------------------

    def put_app(self, app_id: str, instances: int, version: int = 0, **extra: Any) -> None:
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
            **extra,
        }
        self._wish("marathon", "PUT", f"/v2/apps/{app_id}?force=true", app_id, body, body)

    def remove_app(self, app_id: str) -> None:
        """Wish for an app's absence."""
        self._wish("marathon", "DELETE", f"/v2/apps/{app_id}?force=true", app_id, None, None)

    def restart_app(self, app_id: str) -> None:
        """Wish for new instances."""
        wish = self._wished(app_id, self.apps)
        self._wish("marathon", "POST", f"/v2/apps{app_id}/restart?force=true", app_id, wish, {})

    def kill_tasks(self, app_id: str) -> None:
        """Kill every task; new ones must come."""
        wish = self._wished(app_id, self.apps)
        self._wish("marathon", "DELETE", f"/v2/apps{app_id}/tasks", app_id, wish, None)

    def put_job(self, name: str, schedule: str, parents: tuple[str, ...] = (), **e: Any) -> None:
        """Wish for a job."""
        body: dict[str, Any] = {"name": name, "command": "work 2", "cpus": 0.1, "mem": 32, **e}
        path = "/v1/scheduler/iso8601"
        if parents:
            body["parents"] = list(parents)
            path = "/v1/scheduler/dependency"
        else:
            body["schedule"] = schedule
        self._wish("chronos", "POST", path, name, body, body)

    def remove_job(self, name: str) -> None:
        """Wish for a job's absence."""
        self._wish("chronos", "DELETE", f"/v1/scheduler/job/{name}", name, None, None)

    def run_job(self, name: str) -> None:
        """Wish for a run now."""
        wish = self._wished(name, self.jobs)
        self._wish("chronos", "PUT", f"/v1/scheduler/job/{name}", name, wish, None)

    def _wished(self, name: str, known: dict[str, Any]) -> Any:
        latest = self._latest.get(name)
        return known.get(name) if latest is None else latest.wish

    def exists(self, name: str) -> bool:
        """Whether the latest wish for it is one for its presence."""
        latest = self._latest.get(name)
        return latest is not None and latest.wish is not None

    def _wish(self, target: str, method: str, path: str, name: str, wish: Any, body: Any) -> None:
        change = Change(target, method, path, name, wish, body)
        change.number = len(self._changes)
        self._changes.append(change)
        self._latest[name] = change
        self.waiting.append(change)
        if len(self.waiting) == 1:
            self._ask()

    # --- asking -----------------------------------------------------------------------------

    def _ask(self) -> None:
        change = self.waiting[0]
        nodes = self.cluster.of(change.target)
        node = nodes[self.world.random.randrange(len(nodes))]
        caller = _Answer(self, change)
        self._count += 1
        exchange = Exchange(self.cluster.network, HOST, caller, f"operator/{self._count}")
        path, _, query = change.path.partition("?")
        wanted = {"force": ["true"]} if query else {}
        headers = {"content-type": "application/json", MARK: str(change.number)}
        body = b"" if change.body is None else json.dumps(change.body).encode()
        request = Request("", change.method, path, wanted, headers, body, HOST)
        self.cluster.network.carry(
            HOST, node.host, exchange.name, lambda: node.receive(request, exchange)
        )
        self.world.at(PATIENCE_S, lambda: caller.broken("timed out", False))

    def _executed(self, node: Node, request: Request) -> None:
        """A request is being dispatched: an old one that comes late spoils what is known."""
        mark = request.headers.get(MARK)
        if mark is None:
            return
        change = self._changes[int(mark)]
        change.executed = True
        for later in self._changes[change.number + 1 :]:
            if later.name == change.name and later.executed:
                later.overtaken = True
                self.in_doubt[later.name] = later.number

    def answered(self, change: Change, status: int, body: bytes) -> None:
        """An answer has come."""
        self.world.note(f"operator {change.method} {change.path} {status}")
        # Chronos says 400 of a job that does not exist.
        is_gone = status == 404 or (status == 400 and b"not found" in body)
        if is_gone and change.wish is not None and change.name not in self.in_doubt:
            raise Violation(f"{change.name} was acknowledged and is gone: {body[:300]!r}")
        if status // 100 != 2 and not is_gone:
            if status in REFUSALS:
                raise Violation(f"{change.method} {change.path}: {status} {body[:300]!r}")
            self.failed(change, str(status))
            return
        self.acknowledged += 1
        known = self.apps if change.target == "marathon" else self.jobs
        known[change.name] = change.wish
        if not change.overtaken:
            self.in_doubt.pop(change.name, None)
        self.waiting.pop(0)
        if self.waiting:
            self.world.at(self.world.between(0.1, PAUSE_S), self._ask)

    def failed(self, change: Change, reason: str) -> None:
        """Nobody knows whether the change was made: it is asked for again."""
        self.world.at(self.world.between(0.5, 2 * PAUSE_S), self._ask)
