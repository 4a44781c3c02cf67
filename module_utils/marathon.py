"""Marathon's apps as a user writes them, in the form that Marathon shows them."""

from ansible.module_utils.mesosphere_http import differences

WHOLE = ("env", "labels")
"""Objects that are given whole: a variable or a label that is not written is not there."""

UNORDERED = ("constraints", "acceptedResourceRoles", "dependencies")


def app_id(text):
    """The id of an app as Marathon shows it."""
    return "/" + text.strip("/")


def normal_app(definition, identifier):
    """A definition in the form that Marathon shows: old names translated, scalars as text."""
    app = {key: value for key, value in definition.items() if value is not None}
    app["id"] = app_id(identifier)
    if "ports" in app and "portDefinitions" not in app:
        app["portDefinitions"] = [{"port": port} for port in app["ports"]]
    app.pop("ports", None)
    if "uris" in app and "fetch" not in app:
        app["fetch"] = [{"uri": uri} for uri in app["uris"]]
    app.pop("uris", None)
    for name in WHOLE:
        if isinstance(app.get(name), dict):
            app[name] = {key: _text(value) for key, value in app[name].items()}
    return app


def _text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return value


def app_differences(wanted, actual):
    """What is to be changed, by path. Ports that Marathon chooses (0) are as it chose them."""
    shown = dict(actual)
    chosen = shown.get("portDefinitions") or []
    asked = wanted.get("portDefinitions") or []
    if len(chosen) == len(asked):
        wanted = {
            **wanted,
            "portDefinitions": [
                {**one, "port": other.get("port")} if one.get("port", 0) == 0 else one
                for one, other in zip(asked, chosen, strict=True)
            ],
        }
        if not asked:
            wanted.pop("portDefinitions")
    for name in WHOLE:
        if name in wanted:
            shown.setdefault(name, {})
    if "fetch" in wanted:
        shown.setdefault("fetch", [])
    return differences(wanted, shown, WHOLE, UNORDERED)


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
