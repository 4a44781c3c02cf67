"""A cluster's life from one seed: changes, faults, healing, and the demand for progress."""

from typing import Any

from mesosphere.simulation.checkers.books import Books
from mesosphere.simulation.checkers.capacity import Capacity
from mesosphere.simulation.checkers.launches import Launches
from mesosphere.simulation.checkers.oversubscription import Oversubscription
from mesosphere.simulation.checkers.parents import Parents, job_of
from mesosphere.simulation.checkers.reservations import Reservations
from mesosphere.simulation.checkers.terminal import Terminal
from mesosphere.simulation.checkers.updates import Updates
from mesosphere.simulation.checkers.writers import Writers
from mesosphere.simulation.cluster import Cluster
from mesosphere.simulation.faults import Faults
from mesosphere.simulation.node import Node
from mesosphere.simulation.operator import Operator
from mesosphere.simulation.processes import Container
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation, World

QUIET_S = 30.0
"""Before the first fault the cluster comes up."""

TROUBLE_S = 240.0
HEALING_S = 600.0
"""Within this time after the last fault everything must be as wished."""

LASTING_S = 60.0
LOOK_S = 10.0
SKEW_LIMIT_S = 10.0
"""Wrong clocks up to this must not keep a job from running while it lasts."""

APPS = ("/web", "/api", "/shop/cart")
JOBS = ("late", "extra")
PARENTS: dict[str, tuple[str, ...]] = {"after": ("tick",), "never": ("bad",)}
HEALTH = {
    "portIndex": 0,
    "path": "/",
    "gracePeriodSeconds": 20,
    "intervalSeconds": 5,
    "timeoutSeconds": 5,
    "maxConsecutiveFailures": 3,
}
PROTOCOLS = {"/web": "HTTP", "/shop/cart": "MESOS_HTTP"}


class Story:
    """One seed's story. `run` raises Violation when a promise is broken."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.cluster = Cluster(self.world, reservers=1)
        self.taps = Taps(self.cluster)
        self.operator = Operator(self.world, self.cluster)
        self.faults = Faults(self.cluster)
        Oversubscription(self.taps)
        Books(self.taps)
        Launches(self.taps)
        Terminal(self.taps)
        Updates(self.taps)
        Writers(self.taps)
        Reservations(self.taps)
        Parents(self.taps, PARENTS)
        Capacity(self.taps)
        self.runs: dict[str, int] = {}
        self.taps.on_launch.append(self._launched)

    def run(self) -> str:
        """The whole story; the digest of its journal."""
        self.cluster.start()
        self.world.at(QUIET_S / 3, self._first_wishes)
        self.world.at(QUIET_S, self.faults.strike)
        self.world.run(QUIET_S + TROUBLE_S)
        self.faults.heal()
        self.cluster.is_quiet = True
        end = QUIET_S + TROUBLE_S
        for _ in range(int(HEALING_S / LOOK_S)):
            end += LOOK_S
            self.world.run(end)
            if not self.shortcomings():
                break
        else:
            missing = "; ".join(self.shortcomings())
            raise Violation(f"no progress {HEALING_S:.0f} s after the last fault: {missing}")
        # What was reached must last, and nothing that is late may spoil it.
        self.runs = {}
        self.world.run(end + LASTING_S)
        found = self.shortcomings() + self._idle_jobs()
        if found:
            raise Violation(f"reached, and lost again: {'; '.join(found)}")
        return self.world.digest

    # --- wishes -----------------------------------------------------------------------------

    def _first_wishes(self) -> None:
        for app in APPS:
            self._put(app, 1 + self.world.random.randrange(4), 0)
        self.operator.put_job("tick", "R//PT20S")
        self.operator.put_job("after", "", PARENTS["after"])
        self.operator.put_job("bad", "R//PT45S", command="fail 1", retries=1)
        self.operator.put_job("never", "", PARENTS["never"])
        self.world.at(self.world.between(15.0, 40.0), self._wish)

    def _put(self, app: str, instances: int, version: int) -> None:
        extra: dict[str, Any] = {}
        if app in PROTOCOLS:
            extra["healthChecks"] = [{**HEALTH, "protocol": PROTOCOLS[app]}]
        self.operator.put_app(app, instances, version, **extra)

    def _wish(self) -> None:
        if self.faults.is_over:
            return
        random, operator = self.world.random, self.operator
        app, job = APPS[random.randrange(len(APPS))], JOBS[random.randrange(len(JOBS))]
        kind = random.randrange(10)
        if kind == 0 and operator.exists(app):
            operator.remove_app(app)
        elif kind == 1 and operator.exists(app):
            operator.restart_app(app)
        elif kind == 2 and operator.exists(app):
            operator.kill_tasks(app)
        elif kind == 3 and operator.exists(job):
            operator.remove_job(job)
        elif kind == 4:
            operator.put_job(job, f"R//PT{30 + random.randrange(60)}S")
        elif kind == 5:
            operator.run_job("tick")
        else:
            self._put(app, random.randrange(7), random.randrange(3))
        self.world.at(self.world.between(10.0, 40.0), self._wish)

    # --- progress ---------------------------------------------------------------------------

    def _launched(self, node: Node, container: Container) -> None:
        job = job_of(container.task)
        self.runs[job] = self.runs.get(job, 0) + 1

    def shortcomings(self) -> list[str]:
        """What is not as it was wished and acknowledged."""
        operator = self.operator
        found = [f"{len(operator.waiting)} changes wait"] if operator.waiting else []
        running = [
            each for containers in self.cluster.hosts.values() for each in containers.running()
        ]
        for app, wish in operator.apps.items():
            if app in operator.in_doubt:
                continue
            prefix = app.strip("/").replace("/", "_") + "."
            here = [each for each in running if each.task.startswith(prefix)]
            wanted = 0 if wish is None else wish["instances"]
            if len(here) != wanted:
                found.append(f"{app} has {len(here)} of {wanted} instances")
            elif wish is not None:
                found += self._faulty(app, wish, here)
        return found + self._wrong_jobs() + self._open_operations()

    def _open_operations(self) -> list[str]:
        """Operations that are not acknowledged, though nothing hinders it."""
        return [
            f"{node.name} has {len(waiting)} operations to tell of"
            for node in self.cluster.of("agent")
            if (waiting := node.machine.state.operations)  # type: ignore[attr-defined]
        ]

    @staticmethod
    def _faulty(app: str, wish: dict[str, Any], here: list[Container]) -> list[str]:
        found = []
        if any(each.version != wish["env"]["VERSION"] for each in here):
            found.append(f"{app} has instances of another version")
        if "healthChecks" in wish and any(each.is_ill for each in here):
            found.append(f"{app} has ill instances")
        return found

    def _wrong_jobs(self) -> list[str]:
        leaders = [
            node for node in self.cluster.of("chronos")
            if node.is_alive and node.machine.is_leader  # type: ignore[attr-defined]
        ]  # fmt: skip
        if len(leaders) != 1:
            return [f"{len(leaders)} Chronoses lead"]
        jobs = leaders[0].machine.book.jobs  # type: ignore[attr-defined]
        return [
            f"job {name} is {'there' if name in jobs else 'missing'}"
            for name, wish in self.operator.jobs.items()
            if name not in self.operator.in_doubt and (name in jobs) != (wish is not None)
        ]

    def _idle_jobs(self) -> list[str]:
        # A leader with a wrong clock has put off the next run by as much.
        if self.faults.worst_skew_s > SKEW_LIMIT_S:
            return []
        # A slow start of one run delays the next: that each job runs at all is what counts.
        return [
            f"job {name} did not run for {LASTING_S:.0f} s"
            for name in ("tick", "after")
            if not self.runs.get(name)
        ]
