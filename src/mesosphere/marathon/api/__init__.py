"""Marathon's routes. Reads are answered here, from the state; changes become commands.

Every answer of a leader carries the same headers; who does not lead hands every request on.
Source: Marathon, "REST API"; api/v2/*.scala. Differences: docs/compatibility/marathon.md.
"""

from mesosphere.kernel.http import Api, Request, Response, Route, Router, is_authorized
from mesosphere.marathon.api import apps, groups, system, tasks
from mesosphere.marathon.api.reading import Answer
from mesosphere.marathon.core import answers, commands
from mesosphere.marathon.core.machine import MarathonMachine

_APP = "/v2/apps/{app_id...}"
_GROUP = "/v2/groups/{group...}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/ping", system.ping, "whether Marathon answers"),
    Route("GET", "/metrics", system.get_metrics, "counters and gauges"),
    Route("GET", "/metrics/prometheus", system.get_metrics_text, "the same for Prometheus"),
    Route("GET", "/v2/apps", apps.list_apps, "all apps; filters id, cmd, label; embed"),
    Route("POST", "/v2/apps", apps.create_app, "create an app"),
    Route("PUT", "/v2/apps", apps.put_apps, "create or change many apps in one deployment"),
    Route("PATCH", "/v2/apps", apps.patch_apps, "change many apps that exist"),
    Route("GET", _APP + "/versions/{version}", apps.get_version, "one version of an app"),
    Route("GET", _APP + "/versions", apps.list_versions, "the versions of an app"),
    Route("DELETE", _APP + "/tasks/{task_id}", tasks.kill_app_task, "kill one task"),
    Route("GET", _APP + "/tasks", tasks.list_app_tasks, "the tasks of an app"),
    Route("DELETE", _APP + "/tasks", tasks.kill_app_tasks, "kill tasks of an app"),
    Route("POST", _APP + "/restart", apps.restart_app, "replace all tasks of an app"),
    Route("GET", _APP, apps.get_app, "one app, or with a last segment of * a group's"),
    Route("PUT", _APP, apps.put_app, "create or change an app"),
    Route("PATCH", _APP, apps.patch_app, "change an app that exists"),
    Route("DELETE", _APP, apps.delete_app, "stop and forget an app"),
    Route("GET", "/v2/groups", groups.get_group, "the whole tree"),
    Route("POST", "/v2/groups", groups.create_group, "create a group"),
    Route("PUT", "/v2/groups", groups.put_group, "change the tree"),
    Route("DELETE", "/v2/groups", groups.delete_group, "remove everything"),
    Route("GET", "/v2/groups/versions", groups.list_group_versions, "versions of the tree"),
    Route("GET", "/v2/groups/versions/{version}", groups.get_group_version, "the tree as it was"),
    Route("GET", _GROUP + "/versions/{version}", groups.get_group_version, "a group as it was"),
    Route("GET", _GROUP + "/versions", groups.list_group_versions, "versions of a group"),
    Route("GET", _GROUP + "/apps", groups.list_group_apps, "all apps of a group"),
    Route("GET", _GROUP, groups.get_group, "a group"),
    Route("POST", _GROUP, groups.create_group, "create a group"),
    Route("PUT", _GROUP, groups.put_group, "create or change a group"),
    Route("DELETE", _GROUP, groups.delete_group, "remove a group"),
    Route("GET", "/v2/pods", groups.list_pods, "pods: none yet"),
    Route("GET", "/v2/deployments", system.list_deployments, "running deployments"),
    Route(
        "DELETE", "/v2/deployments/{deployment}", system.cancel_deployment, "roll back or cancel"
    ),
    Route("GET", "/v2/tasks", tasks.list_tasks, "all tasks"),
    Route("POST", "/v2/tasks/delete", tasks.kill_tasks, "kill tasks by id"),
    Route("GET", "/v2/queue", system.get_queue, "what waits for offers, and why"),
    Route("DELETE", "/v2/queue/{app_id...}/delay", system.reset_delay, "launch again at once"),
    Route("GET", "/v2/info", system.get_info, "version, leader, configuration"),
    Route("GET", "/v2/plugins", system.list_plugins, "plugins: there are none"),
    Route("GET", "/v2/leader", system.get_leader, "who leads"),
    Route("DELETE", "/v2/leader", system.abdicate, "give leadership up"),
    Route("GET", "/v2/events", system.open_events, "the event stream"),
)


def _wished(request: Request) -> dict[str, str]:
    """A browser asks first whether it may send certain headers: it may."""
    wished = request.headers.get("access-control-request-headers")
    if wished is None or not wished.isprintable():
        return {}
    return {"Access-Control-Allow-Headers": wished}


def api(machine: MarathonMachine) -> Api:
    """The API of a machine."""

    def intercept(machine: MarathonMachine, now: float, request: Request) -> Answer | None:
        if not is_authorized(request, machine.config.http_credentials):
            refusal = answers.message(401, "Unauthorized")
            challenge = {"WWW-Authenticate": f'Basic realm="{machine.config.http_realm}"'}
            return Response(401, {**refusal.headers, **challenge}, refusal.body)
        return None if machine.leadership.is_leading else commands.Forward(request)

    def not_found(request: Request) -> Response:
        return machine.dressed(answers.message(404, "URI not found"))

    def not_allowed(request: Request, allowed: tuple[str, ...]) -> Response:
        refusal = answers.message(405, "Method Not Allowed")
        allow = {"Allow": ", ".join(allowed)}
        if request.method == "OPTIONS":
            wished = _wished(request) if machine.config.access_control_allow_origin else {}
            return machine.dressed(Response(200, {**allow, **wished}))
        return machine.dressed(Response(405, {**refusal.headers, **allow}, refusal.body))

    return Api(
        Router(ROUTES),
        machine,
        not_found=not_found,
        not_allowed=not_allowed,
        intercept=intercept,
    )
