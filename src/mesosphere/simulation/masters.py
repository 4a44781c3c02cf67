"""The masters' story of one seed: many agents, many kinds of frameworks, operators and faults.

Like `story`, but what is under test are the promises between masters, agents and frameworks: who is
offered what, what becomes of the tasks of a host that goes and comes, and that all three have one
view of the world when everything is healed.
"""

from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.simulation.administrator import Administrator
from mesosphere.simulation.checkers.books import Books
from mesosphere.simulation.checkers.closed import Closed
from mesosphere.simulation.checkers.executors import Executors
from mesosphere.simulation.checkers.gone import Gone
from mesosphere.simulation.checkers.launches import Launches
from mesosphere.simulation.checkers.oversubscription import Oversubscription
from mesosphere.simulation.checkers.quotas import Quotas
from mesosphere.simulation.checkers.removals import Removals
from mesosphere.simulation.checkers.reservations import Reservations
from mesosphere.simulation.checkers.terminal import Terminal
from mesosphere.simulation.checkers.updates import Updates
from mesosphere.simulation.checkers.writers import Writers
from mesosphere.simulation.cluster import AGENT_RESOURCES, Cluster
from mesosphere.simulation.faults import Faults
from mesosphere.simulation.launching import CPUS, EXECUTOR_CPUS, Kind
from mesosphere.simulation.scheduler import AWAY, Book, Profile
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation, World

AGENTS = 50

QUIET_S = 20.0
TROUBLE_S = 180.0
HEALING_S = 600.0
LASTING_S = 70.0
"""Longer than the interval of a framework's reconciliation."""

LOOK_S = 10.0

PROFILES = (
    Profile("plain", wanted=12),
    Profile("aware", capabilities=("PARTITION_AWARE", "TASK_KILLING_STATE"), wanted=12),
    Profile("careless", checkpoint=False, wanted=8),
    Profile("several", ("a", "a/b", "c"), ("MULTI_ROLE", "PARTITION_AWARE"), wanted=12),
    Profile("refined", ("c",), ("MULTI_ROLE", "RESERVATION_REFINEMENT"), False, wanted=8),
    Profile("short", ("b",), ("PARTITION_AWARE",), command="work 15", wanted=6),
    Profile("failing", ("b",), command="fail 20", wanted=4),
    Profile("brief", failover_timeout_s=25.0, wanted=4),
    Profile("hosts", capabilities=("PARTITION_AWARE",), wanted=8, kind=Kind.CUSTOM),
    Profile("workers", ("d",), command="work 15", wanted=4, kind=Kind.CUSTOM),
    Profile("guests", checkpoint=False, failover_timeout_s=25.0, wanted=4, kind=Kind.CUSTOM),
    Profile("pods", ("c",), ("PARTITION_AWARE", "TASK_KILLING_STATE"), wanted=9, kind=Kind.POD),
)
TORN_DOWN = ("brief", "guests")
"""The frameworks that an administrator removes now and then."""

ROOM_OF_ALL = 0.5
"""Part of the agents' processors that is surely open when all is healed."""

DISMISSED = (ExitCode.REFUSED, ExitCode.FRAMEWORK_REFUSED)
"""How agents and frameworks end that operators have removed."""

ENDLESS = tuple(profile.name for profile in PROFILES if profile.command == "serve")


class MastersStory:
    """One seed's story. `run` raises Violation when a promise is broken."""

    def __init__(self, seed: int, agents: int = AGENTS) -> None:
        self.world = World(seed)
        self.books = {profile.name: Book(profile.wanted) for profile in PROFILES}
        self.cluster = Cluster(
            self.world,
            agents=agents,
            marathons=0,
            chronos=0,
            schedulers=[(profile, self.books[profile.name]) for profile in PROFILES],
            reservers=1,
        )
        for node in (*self.cluster.of("agent"), *self.cluster.of("scheduler")):
            node.expected_ends = (*node.expected_ends, *DISMISSED)
        self._launched_before = dict.fromkeys(self.books, -1)
        self.taps = Taps(self.cluster)
        self.administrator = Administrator(self.world, self.cluster)
        self.faults = Faults(self.cluster)
        Oversubscription(self.taps)
        Books(self.taps)
        Launches(self.taps)
        Terminal(self.taps)
        Updates(self.taps)
        Writers(self.taps)
        Closed(self.taps)
        Reservations(self.taps)
        Quotas(self.taps)
        Gone(self.taps, self.administrator)
        Executors(self.taps)
        Removals(self.taps)

    def run(self) -> str:
        """The whole story; the digest of its journal."""
        self.cluster.start()
        self.world.at(QUIET_S, self.faults.strike)
        self.world.at(QUIET_S, self._wish)
        self.world.at(QUIET_S, self._administer)
        end = QUIET_S + TROUBLE_S
        self.world.run(end)
        self.faults.heal()
        self.cluster.is_quiet = True
        self._be_modest()
        self._launched_before = {name: book.count for name, book in self.books.items()}
        for _ in range(int(HEALING_S / LOOK_S)):
            end += LOOK_S
            self.administrator.open_all()
            self.world.run(end)
            if not self.shortcomings():
                break
        else:
            missing = "; ".join(self.shortcomings()[:8])
            raise Violation(f"no progress {HEALING_S:.0f} s after the last fault: {missing}")
        # What was reached must last, through everybody's reconciliation.
        for _ in range(int(LASTING_S / LOOK_S)):
            end += LOOK_S
            self.world.run(end)
        found = self._settled_shortcomings(end)
        if found:
            raise Violation(f"reached, and lost again: {'; '.join(found[:8])}")
        return self.world.digest

    def _settled_shortcomings(self, end: float) -> list[str]:
        """Tasks that end by themselves make some moments unlucky: look a few times."""
        found: list[str] = []
        for _ in range(30):
            found = self.shortcomings()
            if not found:
                break
            end += 1.0
            self.world.run(end)
        return found

    def _wish(self) -> None:
        if self.faults.is_over:
            return
        profile = PROFILES[self.world.random.randrange(len(PROFILES))]
        most = 2 * profile.wanted
        self.books[profile.name].wanted = self.world.random.randrange(most + 1)
        self.world.at(self.world.between(2.0, 15.0), self._wish)

    def _be_modest(self) -> None:
        """In the end frameworks wish no more than there is room for on the agents left open."""
        room = ROOM_OF_ALL * len(self.cluster.of("agent")) * AGENT_RESOURCES["cpus"]  # type: ignore[operator]
        while sum(book.wanted for book in self.books.values()) * (CPUS + EXECUTOR_CPUS) > room:
            greedy = max(self.books.values(), key=lambda book: book.wanted)
            greedy.wanted -= 1

    def _administer(self) -> None:
        if not self.faults.is_over:
            name = TORN_DOWN[self.world.random.randrange(len(TORN_DOWN))]
            removed = self.books[name].framework_id
            if removed is not None and self.world.chance(0.05):
                self.administrator.tear_down(removed)
            elif self.world.chance(0.05):
                self.administrator.send_away()
            elif self.world.chance(0.1):
                self.administrator.share_out("b")
            else:
                self.administrator.act()
            self.world.at(self.world.between(1.0, 8.0), self._administer)

    # --- progress ---------------------------------------------------------------------------

    def shortcomings(self) -> list[str]:
        """What is not as it was wished, promised or acknowledged."""
        leader = self.administrator.leader()
        if leader is None:
            return ["no master leads"]
        state = leader.machine.state  # type: ignore[attr-defined]
        running: dict[str, str] = {}
        down = state.maintenance.down
        found = [f"{len(down)} machines are down"] if down else []
        for node in self.cluster.of("agent"):
            machine = node.machine
            agent_id = machine.state.agent_id if node.is_alive else None  # type: ignore[attr-defined]
            if agent_id not in state.agents or not state.agents[agent_id].is_connected:
                found.append(f"{node.name} ({agent_id}) is not registered")
            for container in self.cluster.hosts[node.host].present():
                running[container.task] = agent_id or ""
        for agent in state.agents.values():
            if agent.drain is not None and agent.drain.state != "DRAINED":
                found.append(f"{agent.id} still drains")
            elif agent.drain is not None and agent.tasks:
                found.append(f"{agent.id} is drained and has tasks")
        found += self._unlike_views(state, running) + self._unlike_executors(state)
        return found + self._forgotten(leader)

    def _unlike_views(self, state: object, running: dict[str, str]) -> list[str]:
        """Frameworks, masters and agents must know the same tasks."""
        found = []
        expected: dict[str, str] = {}
        for name, book in self.books.items():
            active = book.active()
            expected |= {task: known.agent_id for task, known in active.items()}
            found += self._unlike_wish(name, book)
            found += [
                f"{task} is unreachable on {known.agent_id}, which is not"
                for task, known in book.open().items()
                if known.state == AWAY and known.agent_id not in state.unreachable  # type: ignore[attr-defined]
            ]
        found += [f"{task} is missed" for task in expected if task not in running]
        found += [f"{task} runs for nobody" for task in running if task not in expected]
        found += [
            f"{task} runs on {running[task]}, not on {expected[task]}"
            for task in expected
            if task in running and running[task] != expected[task]
        ]
        held = {
            key[1]: agent.id
            for agent in state.agents.values()  # type: ignore[attr-defined]
            for key, record in agent.tasks.items()
            if record.holds_resources
        }
        found += [f"the master misses {task}" for task in expected if task not in held]
        found += [f"the master has {task}" for task in held if task not in expected]
        return found

    def _unlike_executors(self, state: object) -> list[str]:
        """Executors run for frameworks that are there, as the master knows; groups are whole."""
        known = {
            executor: agent.id
            for agent in state.agents.values()  # type: ignore[attr-defined]
            for _, executor in agent.executors
        }
        frameworks = {book.framework_id for book in self.books.values()}
        found = []
        here: dict[str, str] = {}
        for node in self.cluster.of("agent"):
            for container in self.cluster.hosts[node.host].executors():
                name = container.environment["MESOS_EXECUTOR_ID"]
                here[name] = node.machine.state.agent_id  # type: ignore[attr-defined]
                if container.environment["MESOS_FRAMEWORK_ID"] not in frameworks:
                    found.append(f"executor {name} runs for a framework that is gone")
                if container.executor is not None and container.executor.updates:
                    found.append(f"executor {name} waits for acknowledgements")
        found += [f"the master misses executor {name}" for name in here if name not in known]
        found += [f"the master has executor {name}" for name in known if name not in here]
        return found + [
            f"group {group} is torn"
            for group, lives in self.books["pods"].groups().items()
            if len(set(lives)) > 1
        ]

    def _unlike_wish(self, name: str, book: Book) -> list[str]:
        count = len(book.active())
        if name in ENDLESS:
            return [] if count == book.wanted else [f"{name} has {count} of {book.wanted} tasks"]
        # Those end by themselves all the time: new ones must come.
        if count > book.wanted:
            return [f"{name} has {count} of {book.wanted} tasks"]
        launched = book.count - self._launched_before.get(name, book.count)
        return [f"{name} launches nothing"] if book.wanted and not launched else []

    def _forgotten(self, leader: object) -> list[str]:
        """What the administrator was told must hold."""
        registry = leader.machine.registry  # type: ignore[attr-defined]
        found = [
            f"{agent} was marked gone and is {registry.agents[agent].state}"
            for agent in self.administrator.gone
            if agent not in registry.agents or registry.agents[agent].state != "gone"
        ]
        for agent in self.administrator.closed:
            record = registry.agents.get(agent)
            is_open = record is not None and record.state != "gone" and not record.is_deactivated
            if is_open and agent not in self.administrator.reopened:
                found.append(f"{agent} was closed and is open")
        if self.administrator.is_sure_of_schedule:
            planned = {
                machine.hostname
                for window in registry.maintenance.schedule.windows
                for machine in window.machine_ids
            }
            if planned != set(self.administrator.planned):
                wished = sorted(self.administrator.planned)
                found.append(f"the schedule has {sorted(planned)}, not {wished}")
        return found
