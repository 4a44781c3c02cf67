"""Follows Marathon and leads HAProxy from one configuration to the next.

Decides: when to read the apps again, what to apply, what to leave out when HAProxy refuses it.
Vocabulary: a *generation* numbers what is applied; a *suspect* is an app that changed since the
last configuration that HAProxy took.

Invariants: one read and one application at a time, everything that happens meanwhile collapses into
one more; a read that failed changes nothing; a refused configuration never replaces a good one, and
only the app at fault is left out, until it changes; an instance that Marathon says is being killed
stops getting connections at once, without waiting for a read.

Source: marathon-lb, marathon_lb.py (MarathonEventProcessor), without its reload per event.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mesosphere.haproxy.core.diff import Step, compare, corrections
from mesosphere.haproxy.core.model import ENDED, Model, build
from mesosphere.haproxy.core.render import Front, render
from mesosphere.kernel.effects import (
    ApplyProxyConfiguration,
    Call,
    Connect,
    Disconnect,
    Effect,
    Halt,
    Log,
    ReadProxyState,
    Reply,
    SetTimer,
)
from mesosphere.kernel.events import (
    CallAnswered,
    CallFailed,
    Connected,
    Disconnected,
    Event,
    ProxyApplied,
    ProxyRefused,
    ProxyState,
    Received,
    Sampled,
    SessionLost,
    StopRequested,
    StreamClosed,
    TimerFired,
)
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.http import Response
from mesosphere.kernel.ids import IdSource

STREAM = "marathon/events"
APPS_CALL = "marathon/apps"
RECONNECT_TIMER = "marathon/reconnect"
REFRESH_TIMER = "marathon/refresh"
RETRY_TIMER = "marathon/read"
CHECK_TIMER = "proxy/check"
SWEEP_TIMER = "proxy/sweep"

EVENT_TYPES = (
    "api_post_event",
    "app_terminated_event",
    "health_status_changed_event",
    "instance_health_changed_event",
    "status_update_event",
    "deployment_success",
)

FIRST_BACKOFF_S = 1.0
REFRESH_S = 300.0
CHECK_S = 30.0
SWEEP_S = 15.0
"""How often servers on their way out are tried to be deleted."""

READ_TIMEOUT_S = 46.0
ENDED_LIMIT = 10_000
"""Ended tasks remembered until a read no longer shows them."""


class ProxyConfig(msgspec.Struct, frozen=True):
    """`endpoints` are Marathon's "http://host:port" in order of preference."""

    endpoints: tuple[str, ...]
    groups: tuple[str, ...]
    front: Front = Front()
    reserved_ports: tuple[int, ...] = ()
    only_alive: bool = True
    strict: bool = False
    has_dynamic_servers: bool = True
    max_backoff_s: float = 300.0
    headers: dict[str, str] = {}


class RegenerateRequested(Event, frozen=True):
    """`/_mlb_signal/hup`: read and apply everything anew."""

    request: str
    reload: bool


class ProxyMachine:
    """See the module."""

    def __init__(self, config: ProxyConfig, ids: IdSource) -> None:
        self.config = config
        self.ids = ids
        self.endpoint = 0
        self.apps: list[dict[str, Any]] | None = None
        self.ended: dict[str, None] = {}
        self.active: Model | None = None  # what HAProxy runs
        self.text = ""
        self.leaving: tuple[str, ...] = ()
        self.left_out: dict[str, tuple[str, bytes]] = {}  # app -> reason, its definition then
        self.suspects: list[str] = []
        self.on_trial: str | None = None
        self.generation = 0
        self.flying: tuple[Model, str, tuple[str, ...]] | None = None
        self.wants_read = False
        self.is_reading = False
        self.wants_apply = False
        self.wants_reload = False
        self.backoff_s = FIRST_BACKOFF_S
        self.last_read_at = 0.0
        self.last_applied_at = 0.0
        self.last_error = ""
        self.counters: dict[str, int] = {}
        self.gauges: dict[str, float] = {}

    # --- life ---------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """Follow Marathon; HAProxy runs on with what it has until the first read."""
        return [
            ReadProxyState(),
            *self._connect(),
            *self._read(),
            SetTimer(REFRESH_TIMER, REFRESH_S),
            SetTimer(CHECK_TIMER, CHECK_S),
            SetTimer(SWEEP_TIMER, SWEEP_S),
        ]

    def handle(self, now: float, event: Event) -> list[Effect]:
        """Take one event."""
        return _HANDLERS[type(event)](self, now, event)

    def _stop(self, now: float, event: StopRequested) -> list[Effect]:
        return [Disconnect(STREAM), Halt(ExitCode.CLEAN, f"asked to end by {event.signal}")]

    def _sampled(self, now: float, event: Sampled) -> list[Effect]:
        self.gauges = event.values
        return []

    def _ignore(self, now: float, event: Event) -> list[Effect]:
        return []

    def _count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1

    # --- Marathon -----------------------------------------------------------------------------

    def _url(self, path: str) -> str:
        return self.config.endpoints[self.endpoint].rstrip("/") + path

    def _connect(self) -> list[Effect]:
        types = "&".join(f"event_type={name}" for name in EVENT_TYPES)
        return [
            Connect(
                stream=STREAM,
                url=self._url(f"/v2/events?plan-format=light&{types}"),
                method="GET",
                headers={"Accept": "text/event-stream", **self.config.headers},
                framing="sse",
                idle_s=REFRESH_S,
            )
        ]

    def _connected(self, now: float, event: Connected) -> list[Effect]:
        if event.status != 200:
            return self._lost(f"{self._url('/v2/events')} answered {event.status}")
        self.backoff_s = FIRST_BACKOFF_S
        # What happened while nobody listened is in the apps.
        return [Log("info", "following", {"marathon": self._url("")}), *self._read()]

    def _disconnected(self, now: float, event: Disconnected) -> list[Effect]:
        return self._lost(event.reason)

    def _lost(self, reason: str) -> list[Effect]:
        self.last_error = reason
        self._count("stream_failures")
        self.endpoint = (self.endpoint + 1) % len(self.config.endpoints)
        delay_s = self.backoff_s * (0.5 + self.ids.fraction() / 2)
        self.backoff_s = min(self.backoff_s * 1.5, self.config.max_backoff_s)
        return [
            Log("warning", "marathon_lost", {"reason": reason, "retry_s": round(delay_s, 2)}),
            SetTimer(RECONNECT_TIMER, delay_s),
        ]

    def _received(self, now: float, event: Received) -> list[Effect]:
        self._count("events")
        effects: list[Effect] = []
        for found in _parse_event(event.record):
            task = found.get("taskId")
            if found.get("taskStatus") in ENDED[2:] and isinstance(task, str):
                self.ended[task] = None
                if len(self.ended) > ENDED_LIMIT:
                    del self.ended[next(iter(self.ended))]
                effects += self._apply()
        return [*effects, *self._read()]

    def _read(self) -> list[Effect]:
        if self.is_reading:
            self.wants_read = True
            return []
        self.is_reading, self.wants_read = True, False
        return [
            Call(
                call=APPS_CALL,
                method="GET",
                url=self._url("/v2/apps?embed=apps.tasks"),
                headers={"Accept": "application/json", **self.config.headers},
                timeout_s=READ_TIMEOUT_S,
                follow=1,
            )
        ]

    def _call_answered(self, now: float, event: CallAnswered) -> list[Effect]:
        self.is_reading = False
        apps = _parse_apps(event.body) if event.status == 200 else None
        if apps is None:
            return self._read_failed(f"reading the apps: {event.status} and no list of apps")
        self.apps = apps
        self.last_read_at = now
        self.last_error = ""  # what went wrong before is over; the log keeps it
        shown = {str(task.get("id")): None for app in apps for task in app.get("tasks") or []}
        self.ended = {task: None for task in self.ended if task in shown}
        effects = self._apply()
        return [*effects, *self._read()] if self.wants_read else effects

    def _call_failed(self, now: float, event: CallFailed) -> list[Effect]:
        self.is_reading = False
        return self._read_failed(f"reading the apps: {event.reason}")

    def _read_failed(self, reason: str) -> list[Effect]:
        # Nothing is known, so nothing changes: no backend is lost because a read failed.
        self.last_error = reason
        self._count("read_failures")
        self.endpoint = (self.endpoint + 1) % len(self.config.endpoints)
        return [Log("warning", "read_failed", {"reason": reason}), SetTimer(RETRY_TIMER, 2.0)]

    # --- applying -----------------------------------------------------------------------------

    def _definition(self, app: Mapping[str, Any]) -> bytes:
        """What of an app makes its configuration, without its instances."""
        kept = {
            name: value
            for name, value in app.items()
            if name in ("id", "labels", "ports", "portDefinitions", "container", "networks")
            or name in ("healthChecks", "ipAddress")
        }
        return msgspec.json.encode(kept)

    def _next_model(self) -> Model:
        assert self.apps is not None
        definitions = {str(app["id"]): self._definition(app) for app in self.apps}
        self.left_out = {
            name: entry
            for name, entry in self.left_out.items()
            if definitions.get(name) == entry[1]
        }
        waiting = dict.fromkeys(self.suspects, "to be tried")
        reasons = {name: entry[0] for name, entry in self.left_out.items()}
        services = () if self.active is None else self.active.services
        served = {server.task: None for service in services for server in service.servers}
        return build(
            self.apps,
            self.config.groups,
            ended_tasks=self.ended,
            reserved_ports=self.config.reserved_ports,
            only_alive=self.config.only_alive,
            strict=self.config.strict,
            left_out={**waiting, **reasons},
            served=served,
        )

    def _apply(self) -> list[Effect]:
        if self.apps is None:
            return []
        if self.flying is not None:
            self.wants_apply = True
            return []
        self.wants_apply = False
        model = self._next_model()
        difference = compare(self.active, model, self.leaving)
        step = difference.step
        if step is Step.COMMANDS and not self.config.has_dynamic_servers:
            step = Step.RELOAD
        if self.wants_reload:
            step, self.wants_reload = Step.RELOAD, False
        if step is Step.NOTHING:
            self.active = model
            return self._try_next()
        self.generation += 1
        text = render(model, self.config.front)
        leaving = difference.leaving if step is Step.COMMANDS else ()
        self.flying = (model, text, leaving)
        self._count(f"applied_by_{step.value}")
        return [
            ApplyProxyConfiguration(
                generation=self.generation,
                text=text,
                commands=difference.commands if step is Step.COMMANDS else (),
                reload=step is Step.RELOAD,
            )
        ]

    def _applied(self, now: float, event: ProxyApplied) -> list[Effect]:
        if self.flying is None:
            return []
        self.active, self.text, self.leaving = self.flying
        if event.reloaded:
            self.leaving = ()
        self.flying, self.on_trial = None, None
        self.last_applied_at = now
        facts = {"generation": event.generation, "reloaded": event.reloaded}
        log = Log("info", "applied", {**facts, "services": len(self.active.services)})
        return [log, *(self._apply() if self.wants_apply else self._try_next())]

    def _try_next(self) -> list[Effect]:
        """Put the next suspect on trial, alone with what is known to be good."""
        if not self.suspects or self.flying is not None:
            return []
        self.on_trial = self.suspects.pop(0)
        return self._apply()

    def _refused(self, now: float, event: ProxyRefused) -> list[Effect]:
        if self.flying is None:
            return []
        model, _, _ = self.flying
        self.flying = None
        self.last_error = event.reason
        self._count("refusals")
        effects: list[Effect] = [Log("error", "refused", {"reason": event.reason})]
        if self.on_trial is not None:
            self._leave_out(self.on_trial, event.reason)
            self.on_trial = None
            return [*effects, *self._apply()]
        good = {} if self.active is None else _services_by_app(self.active)
        changed = [
            app for app, services in _services_by_app(model).items() if good.get(app) != services
        ]
        if not changed:
            # The frame itself is refused (an option of ours, a port taken): try again later. What
            # came in meanwhile need not wait for that.
            waiting = self._apply() if self.wants_apply else []
            return [*effects, SetTimer(RETRY_TIMER, 10.0), *waiting]
        if len(changed) == 1:
            self._leave_out(changed[0], event.reason)
        else:
            self.suspects = changed
        return [*effects, *self._apply()]

    def _leave_out(self, app: str, reason: str) -> None:
        for found in self.apps or []:
            if found["id"] == app:
                self.left_out[app] = (reason, self._definition(found))

    # --- looking after HAProxy ----------------------------------------------------------------

    def _state_read(self, now: float, event: ProxyState) -> list[Effect]:
        if not event.alive or self.active is None or self.flying is not None:
            return []
        commands = corrections(self.active, event.servers)
        if commands == []:
            return []
        self._count("corrections")
        self.generation += 1
        self.flying = (self.active, self.text, ())
        log = Log("warning", "corrected", {"commands": len(commands or ())})
        return [
            log,
            ApplyProxyConfiguration(
                self.generation, self.text, tuple(commands or ()), reload=commands is None
            ),
        ]

    def _sweep(self) -> list[Effect]:
        """Delete servers that are on their way out; those with connections refuse and stay."""
        if not self.leaving or self.flying is not None or self.active is None:
            return []
        commands = tuple(f"del server {place}" for place in self.leaving)
        self.generation += 1
        self.flying = (self.active, self.text, ())
        return [ApplyProxyConfiguration(self.generation, self.text, commands, reload=False)]

    def _timer_fired(self, now: float, event: TimerFired) -> list[Effect]:
        if event.name == RECONNECT_TIMER:
            return self._connect()
        if event.name == RETRY_TIMER:
            return self._read()
        if event.name == REFRESH_TIMER:
            return [SetTimer(REFRESH_TIMER, REFRESH_S), *self._read()]
        if event.name == CHECK_TIMER:
            return [SetTimer(CHECK_TIMER, CHECK_S), ReadProxyState()]
        if event.name == SWEEP_TIMER:
            return [SetTimer(SWEEP_TIMER, SWEEP_S), *self._sweep()]
        return []

    def _regenerate(self, now: float, event: RegenerateRequested) -> list[Effect]:
        self.wants_reload = self.wants_reload or event.reload
        return [Reply(event.request, Response(200)), *self._read()]


def _services_by_app(model: Model) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for service in model.services:
        found.setdefault(service.app, []).append(msgspec.structs.replace(service, servers=()))
    return found


def _parse_event(record: bytes) -> list[dict[str, Any]]:
    """The events of one record; one record may hold several, a line each."""
    try:
        data = msgspec.json.decode(record).get("data", "")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError):
        return []
    events = []
    for line in str(data).splitlines():
        try:
            found = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(found, dict):
            events.append(found)
    return events


def _parse_apps(body: bytes) -> list[dict[str, Any]] | None:
    """The apps of an answer; None when it holds no list of apps with ids."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    apps = found.get("apps") if isinstance(found, dict) else None
    if not isinstance(apps, list) or not all(_is_app(app) for app in apps):
        return None
    return apps


def _is_app(app: Any) -> bool:
    """Whether what is read of an app has the shape that Marathon gives it."""
    if not isinstance(app, dict) or not isinstance(app.get("id"), str):
        return False
    if not isinstance(app.get("labels") or {}, dict):
        return False
    lists = [app.get(name) or [] for name in _LISTS_OF_OBJECTS]
    return all(
        isinstance(found, list) and all(isinstance(entry, dict) for entry in found)
        for found in lists
    )


_LISTS_OF_OBJECTS = ("tasks", "portDefinitions", "networks", "healthChecks")

_HANDLERS: Mapping[type[Event], Callable[..., list[Effect]]] = {
    Connected: ProxyMachine._connected,
    Disconnected: ProxyMachine._disconnected,
    Received: ProxyMachine._received,
    CallAnswered: ProxyMachine._call_answered,
    CallFailed: ProxyMachine._call_failed,
    ProxyApplied: ProxyMachine._applied,
    ProxyRefused: ProxyMachine._refused,
    ProxyState: ProxyMachine._state_read,
    TimerFired: ProxyMachine._timer_fired,
    StopRequested: ProxyMachine._stop,
    Sampled: ProxyMachine._sampled,
    SessionLost: ProxyMachine._ignore,
    StreamClosed: ProxyMachine._ignore,
    RegenerateRequested: ProxyMachine._regenerate,
}
