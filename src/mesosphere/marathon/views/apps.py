"""Apps and tasks as the API shows them.

An app's own JSON is encoded once per version and kept; a listing joins the fragments, so that ten
thousand apps cost one pass over bytes. What changes by the second (counts, deployments, tasks) is
added behind the fragment.
Source: Marathon, "REST API"; appinfo/, AppsResource.scala, EndpointsHelper.scala.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from statistics import mean, median
from typing import Any

import msgspec

from mesosphere.marathon.core.instances import Condition, Instance
from mesosphere.marathon.core.shown import counts, task_json
from mesosphere.marathon.core.state import State
from mesosphere.marathon.core.supervisor import failure_json
from mesosphere.wire.marathon import paths
from mesosphere.wire.marathon.app import App, app_json

EMBEDS = ("tasks", "counts", "deployments", "readiness", "lastTaskFailure", "taskStats")
_PREFIXES = ("group.apps.", "apps.", "app.")


def embeds(values: Iterable[str]) -> frozenset[str]:
    """What `embed` parameters ask for; unknown ones are ignored."""
    found: list[str] = []
    for value in values:
        for prefix in _PREFIXES:
            value = value.removeprefix(prefix)
        if value == "failures":
            found += ["tasks", "lastTaskFailure", "deployments"]
        elif value == "tasks":
            found += ["tasks", "deployments"]
        elif value in EMBEDS:
            found.append(value)
    return frozenset(found)


def app_bytes(state: State, app: App, wanted: frozenset[str]) -> bytes:
    """One app with what is embedded."""
    kept = state.fragments.get(app.id)
    if kept is None or kept[0] is not app:
        if len(state.fragments) > 2 * len(state.root.apps) + 100:
            state.fragments.clear()  # of apps that are gone, mostly
        kept = (app, msgspec.json.encode(app_json(app)))
        state.fragments[app.id] = kept
    extras = _extras(state, app, wanted)
    if not extras:
        return kept[1]
    return kept[1][:-1] + b"," + msgspec.json.encode(extras)[1:]


def _extras(state: State, app: App, wanted: frozenset[str]) -> dict[str, Any]:
    if not wanted:
        return {}
    extras: dict[str, Any] = {}
    instances = state.instances.of_app(app.id)
    if "counts" in wanted:
        extras.update(counts(state, instances))
    if "deployments" in wanted:
        deployment = state.deployments.of_app(app.id)
        extras["deployments"] = [] if deployment is None else [{"id": deployment.id}]
    if "readiness" in wanted:
        extras["readinessCheckResults"] = readiness(state, instances)
    if "tasks" in wanted:
        extras["tasks"] = [task_json(state, instance) for instance in instances]
    if "lastTaskFailure" in wanted and app.id in state.failures:
        extras["lastTaskFailure"] = failure_json(state.failures[app.id])
    if "taskStats" in wanted:
        stats = task_stats(state, app, instances, state.clock)
        # The original renamed the field by accident; clients know the one or the other.
        extras["taskStats"] = extras["tasksStats"] = stats
    return extras


def readiness(state: State, instances: Iterable[Instance]) -> list[dict[str, Any]]:
    """The results of readiness checks of instances."""
    return [state.readiness[one.id] for one in instances if one.id in state.readiness]


def task_stats(state: State, app: App, instances: Sequence[Instance], now: float) -> dict[str, Any]:
    """Counts and ages of an app's tasks, by how recent their configuration is."""
    info = app.version_info
    kinds = {
        "startedAfterLastScaling": [
            one for one in instances if one.version >= info.last_scaling_at
        ],
        "withLatestConfig": [one for one in instances if one.version >= info.last_config_change_at],
        "withOutdatedConfig": [
            one for one in instances if one.version < info.last_config_change_at
        ],
        "totalSummary": list(instances),
    }
    return {name: _stats(state, some, now) for name, some in kinds.items() if some}


def _stats(state: State, instances: Sequence[Instance], now: float) -> dict[str, Any]:
    counted = counts(state, instances)
    stats: dict[str, Any] = {
        "counts": {name.removeprefix("tasks").lower(): value for name, value in counted.items()}
    }
    ages = [now - one.started_at for one in instances if one.started_at is not None]
    if ages:
        stats["lifeTime"] = {"averageSeconds": mean(ages), "medianSeconds": median(ages)}
    return {"stats": stats}


def apps_bytes(state: State, apps: Iterable[App], wanted: frozenset[str], name: str) -> bytes:
    """`{"<name>": [app, ...]}`."""
    listed = b",".join([app_bytes(state, app, wanted) for app in apps])
    return b'{"' + name.encode() + b'":[' + listed + b"]}"


def selected(
    apps: Iterable[App], id_part: str | None, cmd_part: str | None, label: str | None
) -> list[App]:
    """Apps that pass every filter. Raises ValueError for a bad label selector."""
    tests: list[Callable[[App], bool]] = []
    if id_part:
        wanted_id = id_part.lower()
        tests.append(lambda app: wanted_id in app.id)
    if cmd_part:
        wanted_cmd = cmd_part.lower()
        tests.append(lambda app: wanted_cmd in (app.cmd or "").lower())
    if label:
        tests += [_label_test(term) for term in _terms(label)]
    return [app for app in apps if all(test(app) for test in tests)]


_TERM = r"((?:[-A-Za-z0-9_.]|\\.)+)"
_SET = re.compile(rf"^\s*{_TERM}\s+(in|notin)\s+\(([^)]*)\)\s*$")
_EQUAL = re.compile(rf"^\s*{_TERM}\s*(==|!=)\s*{_TERM}\s*$")
_EXISTS = re.compile(rf"^\s*{_TERM}\s*$")
_COMMA = re.compile(r",(?![^(]*\))")


def _terms(selector: str) -> list[str]:
    return _COMMA.split(selector)


def _label_test(term: str) -> Callable[[App], bool]:
    """The test of one term; every form needs the label to exist."""
    if found := _SET.match(term):
        name, operator, values = found.groups()
        options = [_plain(value.strip()) for value in values.split(",")]
        inside = operator == "in"
        key = _plain(name)
        return lambda app: key in app.labels and (app.labels[key] in options) is inside
    if found := _EQUAL.match(term):
        name, operator, value = found.groups()
        key, wanted, same = _plain(name), _plain(value), operator == "=="
        return lambda app: key in app.labels and (app.labels[key] == wanted) is same
    if found := _EXISTS.match(term):
        key = _plain(found.group(1))
        return lambda app: key in app.labels
    raise ValueError(f"Error while parsing label selector '{term.strip()}'.")


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def tasks_text(state: State, apps: Iterable[App], container_networks: Sequence[str]) -> str:
    """The plain text form that HAProxy scripts read: one line per app and service port."""
    lines = []
    for app in apps:
        running = [
            one for one in state.instances.of_app(app.id) if one.condition is Condition.RUNNING
        ]
        safe = paths.safe_path(app.id)
        if not app.service_ports:
            hosts = "\t".join(one.hostname for one in running)
            lines.append(f"{safe}\t \t{hosts}\t\n")
            continue
        for index, port in enumerate(app.service_ports):
            ends = [_endpoint(app, one, index, container_networks) for one in running]
            spelled = "\t".join(end for end in ends if end)
            lines.append(f"{safe}\t{port}\t{spelled}\t\n")
    return "".join(lines)


def _endpoint(app: App, instance: Instance, index: int, networks: Sequence[str]) -> str | None:
    if index >= len(instance.effective_ports):
        return None
    port = instance.effective_ports[index]
    if app.is_host_network or app.port_mappings[index].host_port is not None:
        return f"{instance.hostname}:{port}"
    named = [network.name for network in app.networks]
    if instance.addresses and ("*" in networks or any(name in networks for name in named)):
        return f"{instance.addresses[0]}:{port}"
    return None
