"""Marathon's apps as a user writes them, in the form that Marathon shows them."""

import posixpath

from ansible.module_utils.mesosphere_http import (
    ACCESS_ARGUMENTS,
    as_number,
    as_text,
    differences,
    without_nulls,
)

MARATHON_ARGUMENTS = {
    "marathon_url": {"type": "list", "elements": "str", "default": ["http://127.0.0.1:8080"]},
    **ACCESS_ARGUMENTS,
}

WHOLE = ("env", "labels")
"""Objects that are given whole: a variable or a label that is not written is not there."""

UNORDERED = ("constraints", "acceptedResourceRoles", "dependencies")
NUMBERS = (
    "backoffFactor",
    "backoffSeconds",
    "cpus",
    "disk",
    "gpus",
    "instances",
    "maxLaunchDelaySeconds",
    "mem",
    "taskKillGracePeriodSeconds",
)
SHOWN_ONLY = (
    "deployments",
    "lastTaskFailure",
    "readinessCheckResults",
    "taskStats",
    "tasks",
    "tasksHealthy",
    "tasksRunning",
    "tasksStaged",
    "tasksStats",
    "tasksUnhealthy",
    "version",
    "versionInfo",
)
"""What Marathon shows beside a definition; a definition that was copied from it may hold it."""

MODES = {"HOST": "host", "BRIDGE": "container/bridge", "USER": "container"}


def app_id(text):
    """The id of an app as Marathon shows it."""
    return "/" + text.strip("/")


def normal_app(definition, identifier):
    """A definition in the form that Marathon shows: old names translated, scalars as text."""
    app = {key: value for key, value in definition.items() if key not in SHOWN_ONLY}
    app = without_nulls(app)
    app["id"] = app_id(identifier)
    _translate_docker(app)
    if "ports" in app and "portDefinitions" not in app:
        app["portDefinitions"] = [{"port": port} for port in app["ports"]]
    app.pop("ports", None)
    if "uris" in app and "fetch" not in app:
        app["fetch"] = [{"uri": uri} for uri in app["uris"]]
    app.pop("uris", None)
    for name in WHOLE:
        if isinstance(app.get(name), dict):
            app[name] = {key: as_text(value) for key, value in app[name].items()}
    for name in NUMBERS:
        if name in app:
            app[name] = as_number(app[name])
    if "constraints" in app:
        app["constraints"] = [_constraint(each) for each in app["constraints"]]
    if "dependencies" in app:
        group = posixpath.dirname(app["id"])
        app["dependencies"] = [
            posixpath.normpath(posixpath.join(group, each)) for each in app["dependencies"]
        ]
    return app


def _translate_docker(app):
    """`docker.network` and `docker.portMappings` where they have been since version 1.5."""
    container = app.get("container")
    docker = container.get("docker") if isinstance(container, dict) else None
    if not isinstance(docker, dict) or "ipAddress" in app:
        return
    docker, container = dict(docker), dict(container)
    if "portMappings" in docker and "portMappings" not in container:
        container["portMappings"] = docker.pop("portMappings")
    if docker.get("network") in MODES and "networks" not in app:
        app["networks"] = [{"mode": MODES[docker.pop("network")]}]
    app["container"] = {**container, "docker": docker}


def _constraint(given):
    """["rack", "max_per", 2] as ["rack", "MAX_PER", "2"]."""
    if not isinstance(given, list) or len(given) < 2:
        return given
    return [given[0], str(given[1]).upper(), *(as_text(value) for value in given[2:])]


def app_differences(wanted, actual):
    """What is to be changed, by path. Ports that Marathon chooses (0) are as it chose them."""
    wanted, shown = dict(wanted), dict(actual)
    if "portDefinitions" in wanted:
        wanted["portDefinitions"] = _as_chosen(
            wanted["portDefinitions"], shown.get("portDefinitions"), "port"
        )
    container = wanted.get("container")
    if isinstance(container, dict) and "portMappings" in container:
        chosen = (shown.get("container") or {}).get("portMappings")
        mappings = _as_chosen(container["portMappings"], chosen, "servicePort")
        wanted["container"] = {**container, "portMappings": mappings}
    for name in (*WHOLE, "constraints", "dependencies", "fetch", "healthChecks", "portDefinitions"):
        # Marathon leaves empty ones out.
        if name in wanted and shown.get("id"):
            shown.setdefault(name, type(wanted[name])())
    return differences(wanted, shown, WHOLE, UNORDERED)


def _as_chosen(asked, chosen, key):
    """Ports with the numbers that Marathon has chosen for those that are 0."""
    if not isinstance(asked, list) or len(asked) != len(chosen or []):
        return asked
    return [
        {**one, key: other[key]} if not one.get(key) and key in other else one
        for one, other in zip(asked, chosen, strict=True)
    ]


def why_not_settled(app, deployments):
    """Why an app is not yet as it should be; empty when it is."""
    running = [each["id"] for each in deployments if app["id"] in each.get("affectedApps", [])]
    if running:
        return f"deployment {running[0]} is under way"
    instances = app.get("instances", 0)
    if app.get("tasksRunning", 0) != instances:
        return f"{app.get('tasksRunning', 0)} of {instances} instances run"
    if app.get("healthChecks") and app.get("tasksHealthy", 0) != instances:
        return f"{app.get('tasksHealthy', 0)} of {instances} instances are healthy"
    return ""
