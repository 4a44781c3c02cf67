"""A cluster of production machines in a simulated world."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from mesosphere.agent.api import api as agent_api
from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.host import Host
from mesosphere.agent.core.machine import AgentMachine
from mesosphere.chronos.api import api as chronos_api
from mesosphere.chronos.core.machine import ChronosConfig, ChronosMachine
from mesosphere.framework.client import ClientConfig
from mesosphere.kernel.http import Api, Router
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.machine import Machine
from mesosphere.kernel.resources import Resources
from mesosphere.marathon.api import api as marathon_api
from mesosphere.marathon.core.config import MarathonConfig
from mesosphere.marathon.core.machine import MarathonMachine
from mesosphere.master.api import api as master_api
from mesosphere.master.core.config import MasterConfig
from mesosphere.master.core.machine import MasterMachine
from mesosphere.simulation.containers import SimulatedContainers
from mesosphere.simulation.ensemble import Ensemble
from mesosphere.simulation.network import Network
from mesosphere.simulation.node import Directory, Node
from mesosphere.simulation.reserver import FILE as RESERVER_FILE
from mesosphere.simulation.reserver import Reserver
from mesosphere.simulation.scheduler import Book, Profile, SchedulerMachine
from mesosphere.simulation.world import World
from mesosphere.wire.mesos.agents import describe_master
from mesosphere.wire.mesos.frameworks import FrameworkCapability, FrameworkInfo

MASTERS = "zk://zk/mesos"
AGENT_RESOURCES = {"cpus": 4, "mem": 4096, "disk": 10_000, "ports": [(31000, 31999)]}


class Cluster:
    """Masters, agents, Marathons and Chronoses by name."""

    def __init__(
        self,
        world: World,
        *,
        masters: int = 3,
        agents: int = 4,
        marathons: int = 2,
        chronos: int = 2,
        schedulers: Sequence[tuple[Profile, Book]] = (),
        reservers: int = 0,
    ) -> None:
        self.world = world
        self.network = Network(world)
        self.ensemble = Ensemble(world, self.network)
        self.directory = Directory()
        self.directory.tasks = self._serving
        self.nodes: dict[str, Node] = {}
        self.hosts: dict[str, SimulatedContainers] = {}
        self.is_quiet = False  # nobody begins anything new of itself
        for number in range(masters):
            self._add(f"master{number}", f"127.1.0.{number + 1}", 5050, "/mesos-registry", "master")
        for number in range(agents):
            self._add(f"agent{number}", f"127.2.0.{number + 1}", 5051, "/agent", "agent")
        for number in range(marathons):
            self._add(f"marathon{number}", f"127.3.0.{number + 1}", 8080, "/marathon", "marathon")
        for number in range(chronos):
            self._add(f"chronos{number}", f"127.4.0.{number + 1}", 4400, "/chronos", "chronos")
        self._profiles: dict[str, tuple[Profile, Book]] = {}
        for number, found in enumerate(schedulers):
            name = f"scheduler{number}"
            self._profiles[name] = found
            self._add(name, f"127.5.0.{number + 1}", 8000, "/none", "scheduler")
        for number in range(reservers):
            self._add(f"reserver{number}", f"127.6.0.{number + 1}", 4500, "/reserver", "reserver")

    def _add(self, name: str, host: str, port: int, root: str, kind: str) -> None:
        containers = None
        if kind == "agent":
            containers = self.hosts[host] = SimulatedContainers(self.world, self.network, host)
        builders = {
            "master": self._master,
            "agent": self._agent,
            "marathon": self._marathon,
            "chronos": self._chronos,
            "scheduler": self._scheduler,
            "reserver": self._reserver,
        }
        self.nodes[name] = Node(
            self.world, self.network, self.ensemble, self.directory,
            name=name, host=host, port=port, root=root, build=builders[kind],
            containers=containers,
        )  # fmt: skip

    def start(self) -> None:
        """Start every process within a few seconds."""
        for node in self.nodes.values():
            self.world.at(self.world.between(0.0, 3.0), node.start)

    def of(self, kind: str) -> list[Node]:
        """The processes of one component."""
        return [node for node in self.nodes.values() if node.kind == kind]

    def leads(self, node: Node) -> bool:
        """Whether a process leads, as the servers see it."""
        return node.is_alive and self.ensemble.elections.is_leader(node.client.session)

    def leaders(self) -> list[Node]:
        """The processes that lead, as the servers see it."""
        return [node for node in self.nodes.values() if self.leads(node)]

    def _serving(self, host: str, port: int):  # type: ignore[no-untyped-def]
        found = self.hosts.get(host)
        return None if found is None else found.answer(port)

    def _ids(self, node: Node, life: int) -> IdSource:
        return IdSource(f"{self.world.seed}/{node.name}/{life}".encode())

    # --- the machines -----------------------------------------------------------------------

    def _master(self, node: Node, life: int) -> tuple[Machine, Api]:
        info = describe_master("", node.host, node.host, 5050, "1.11.0")
        config = MasterConfig(
            info=info,
            group=MASTERS,
            agent_ping_interval_s=5.0,
            max_agent_ping_timeouts=4,
            agent_reregister_timeout_s=60.0,
        )
        machine = MasterMachine(config, self._ids(node, life))
        return machine, master_api(machine)

    def _agent(self, node: Node, life: int) -> tuple[Machine, Api]:
        config = AgentConfig(
            master=MASTERS,
            hostname=node.host,
            ip=node.host,
            port=5051,
            version="1.11.0",
            host=Host(isolation="posix", reason="simulated", work_dir="/w", runtime_dir="/w/run"),
            resources=Resources.of(**AGENT_RESOURCES),  # type: ignore[arg-type]
        )
        files = {
            path: data
            for path, data in node.disk.files.items()
            if PurePosixPath(path).parts[0] == "meta"
        }
        machine = AgentMachine(config, self._ids(node, life), files)
        return machine, agent_api(machine)

    def _marathon(self, node: Node, life: int) -> tuple[Machine, Api]:
        config = MarathonConfig(
            master=MASTERS,
            own_address=f"{node.host}:8080",
            hostname=node.host,
            mesos_user="root",
            reconciliation_interval_s=60.0,
            scale_apps_initial_delay_s=5.0,
            scale_apps_interval_s=30.0,
            min_revive_offers_interval_s=5.0,
        )
        machine = MarathonMachine(config, self._ids(node, life))
        return machine, marathon_api(machine)

    def _scheduler(self, node: Node, life: int) -> tuple[Machine, Api]:
        profile, book = self._profiles[node.name]
        machine = SchedulerMachine(profile, book, MASTERS, self._ids(node, life))
        return machine, Api(Router(()), machine)

    def _chronos(self, node: Node, life: int) -> tuple[Machine, Api]:
        info = FrameworkInfo(
            user="root",
            name="chronos",
            role="*",
            checkpoint=True,
            failover_timeout=604800.0,
            hostname=node.host,
            capabilities=[FrameworkCapability(type="TASK_KILLING_STATE")],
        )
        config = ChronosConfig(
            client=ClientConfig(master=MASTERS, info=info), identity=f"{node.host}:4400"
        )
        machine = ChronosMachine(config, self._ids(node, life))
        return machine, chronos_api(machine)

    def _reserver(self, node: Node, life: int) -> tuple[Machine, Api]:
        known = node.disk.files.get(RESERVER_FILE)
        machine = Reserver(
            MASTERS,
            node.host,
            self._ids(node, life),
            None if known is None else known.decode(),
            lambda: self.is_quiet,
        )
        return machine, Api(Router(()), machine)
