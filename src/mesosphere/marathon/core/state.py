"""Everything that Marathon knows while it leads: one value that the parts of the machine share.

The parts (`changes`, `progress`, `launcher`, `supervisor`, `checks`) each own one kind of
decision; what they all read and write is here. Views read it too.
Invariant: an app that `touched` names is looked at again before the step ends.
"""

from collections.abc import Iterable
from typing import Any

from mesosphere.kernel.ids import IdSource
from mesosphere.marathon.core.backoff import BackOff
from mesosphere.marathon.core.config import MarathonConfig
from mesosphere.marathon.core.deployments import Deployments
from mesosphere.marathon.core.event_stream import EventStreams, encode_event
from mesosphere.marathon.core.groups import Root
from mesosphere.marathon.core.health import overall
from mesosphere.marathon.core.instances import Condition, Instance, Instances
from mesosphere.marathon.core.outcome import Outcome
from mesosphere.marathon.core.queue import LaunchQueue
from mesosphere.marathon.core.service_ports import ServicePorts
from mesosphere.marathon.core.storage import Failure, History, Storage
from mesosphere.wire.marathon.app import App

DEFINITION_CACHE_LIMIT = 20_000
"""Old versions of apps that are kept decoded."""


class State:
    """See the module."""

    def __init__(self, config: MarathonConfig, ids: IdSource) -> None:
        self.config = config
        self.ids = ids
        self.storage = Storage(config.state_path, config.max_versions)
        self.root = Root()
        self.history: History = []
        self.instances = Instances()
        self.deployments = Deployments()
        self.failures: dict[str, Failure] = {}
        self.ports = ServicePorts(config.local_port_min, config.local_port_max)
        self.queue = LaunchQueue()
        self.backoff = BackOff()
        self.streams = EventStreams(config.event_stream_limit_bytes)
        self.framework_id: str | None = None
        self.master_url: str | None = None
        self.touched: dict[str, None] = {}
        self.readiness: dict[str, dict[str, Any]] = {}
        self.counters: dict[str, int] = {}
        self.fragments: dict[str, tuple[App, bytes]] = {}
        self.clock = 0.0  # of the latest request
        self.started_at = 0.0
        self.elected_at = 0.0
        self.gauges: dict[str, float] = {}
        self._definitions: dict[tuple[str, str], App] = {}

    def touch(self, *app_ids: str) -> None:
        """Look at these apps again before the step ends."""
        for app_id in app_ids:
            self.touched[app_id] = None

    def count(self, name: str, by: int = 1) -> None:
        """Raise a counter of /metrics."""
        self.counters[name] = self.counters.get(name, 0) + by

    def publish(self, outcome: Outcome, name: str, **fields: Any) -> None:
        """Tell the event streams, once the step is stored."""
        if not len(self.streams):
            return
        data = encode_event(name, outcome.now, fields)
        outcome.after(lambda: self.streams.send([(name, data)]))

    def definition(self, app_id: str, version: str) -> App | None:
        """An app as it was at a version."""
        present = self.root.apps.get(app_id)
        if present is not None and present.version == version:
            return present
        key = (app_id, version)
        found = self._definitions.get(key)
        if found is None:
            found = self.storage.versions.get(app_id, version)
            if found is not None:
                if len(self._definitions) >= DEFINITION_CACHE_LIMIT:
                    del self._definitions[next(iter(self._definitions))]
                self._definitions[key] = found
        return found

    def definition_of(self, instance: Instance) -> App | None:
        """The app as it was when an instance was launched."""
        return self.definition(instance.app_id, instance.version)

    def is_healthy(self, instance: Instance) -> bool | None:
        """Healthy, ill, or not known (also when it has no checks)."""
        app = self.definition_of(instance)
        return None if app is None else overall(app, instance.health)

    def is_serving(self, instance: Instance) -> bool:
        """Running, and healthy if it has checks."""
        if instance.condition is not Condition.RUNNING:
            return False
        app = self.definition_of(instance)
        return app is None or not app.health_checks or overall(app, instance.health) is True

    def forget_definitions(self, app_ids: Iterable[str]) -> None:
        """Drop the decoded versions of deleted apps."""
        gone = frozenset(app_ids)
        self._definitions = {
            key: app for key, app in self._definitions.items() if key[0] not in gone
        }
