"""The master's HTTP interface: v1 APIs and the legacy endpoints, one route table.

Handlers stand in the module of their concern and are called as `handler(master, now, request)`.
To add a route: a handler and a row of `ROUTES`; a row in docs/compatibility/mesos.md and a story in
tests/api/mesos. To add an operator call: see the package `operator`.

A master that does not lead redirects (307, `//host:port/path`) but for a few endpoints of its own;
without a leader it answers 503. Paths may begin with /master, end in .json, and be longer than the
route ("/api/v1/operator" is "/api/v1"). Source: Mesos, src/master/http.cpp, libprocess.
"""

import msgspec

from mesosphere.kernel.http import Api, Request, Route, Router
from mesosphere.master.api import (
    files,
    leader,
    legacy,
    link,
    maintenance,
    operations,
    roles,
    scheduler,
    system,
)
from mesosphere.master.api.answers import Answer
from mesosphere.master.api.operator import call_operator
from mesosphere.master.core.machine import MasterMachine

ROUTES: tuple[Route, ...] = (
    Route("POST", "/api/v1/scheduler", scheduler.call_scheduler, "the scheduler API"),
    Route("POST", "/api/v1/agent", link.call_agent_link, "the link of agents (ours)"),
    Route("POST", "/api/v1", call_operator, "the operator API"),
    Route("GET", "/state", legacy.show_state, "everything"),
    Route("GET", "/state-summary", legacy.show_summary, "agents and frameworks with task counts"),
    Route("GET", "/slaves", legacy.show_agents, "agents with full resources"),
    Route("GET", "/frameworks", legacy.show_frameworks, "frameworks with tasks"),
    Route("GET", "/tasks", legacy.show_tasks, "tasks of all frameworks"),
    Route("GET", "/roles", roles.show_roles, "roles with what they hold"),
    Route("GET", "/quota", roles.show_quota, "every quota"),
    Route("POST", "/quota", roles.set_quota, "set a role's quota"),
    Route("DELETE", "/quota", roles.remove_quota, "remove a role's quota: /quota/<role>"),
    Route("GET", "/weights", roles.show_weights, "the weights that were set"),
    Route("PUT", "/weights", roles.update_weights, "set weights of roles"),
    Route("GET", "/health", system.show_health, "liveness"),
    Route("GET", "/version", system.show_version, "version"),
    Route("GET", "/flags", system.show_flags, "flags as text"),
    Route("GET", "/redirect", leader.redirect, "to the leading master"),
    Route("GET", "/metrics/snapshot", system.show_snapshot, "metrics as one flat object"),
    Route("GET", "/metrics", system.show_prometheus, "metrics for Prometheus"),
    Route("GET", "/explain", roles.show_explanation, "why a framework gets no offers"),
    Route(
        "GET",
        "/allocator/offer_constraints_debug",
        roles.show_constraints,
        "agents that offer constraints exclude",
    ),
    Route("POST", "/teardown", legacy.tear_down, "remove a framework"),
    Route("GET", "/maintenance/schedule", maintenance.show_schedule, "the maintenance schedule"),
    Route("POST", "/maintenance/schedule", maintenance.replace_schedule, "another schedule"),
    Route("GET", "/maintenance/status", maintenance.show_status, "machines that drain or are down"),
    Route("POST", "/machine/down", maintenance.stop_machines, "machines go down"),
    Route("POST", "/machine/up", maintenance.start_machines, "machines are up again"),
    Route("POST", "/reserve", operations.reserve, "reserve resources of an agent"),
    Route("POST", "/unreserve", operations.unreserve, "take reservations back"),
    Route("POST", "/create-volumes", operations.create_volumes, "make persistent volumes"),
    Route("POST", "/destroy-volumes", operations.destroy_volumes, "destroy persistent volumes"),
    Route(
        "GET", "/registrar(1)/registry", legacy.show_registry, "what is kept for the next leader"
    ),
    Route("GET", "/logging/toggle", system.toggle_logging, "how much is logged, for a time"),
    Route("POST", "/logging/toggle", system.toggle_logging, "how much is logged, for a time"),
    Route("GET", "/system/stats", system.show_system, "the host's gauges"),
    Route("GET", "/files/browse", files.browse_files, "a directory of the master's"),
    Route("GET", "/files/read", files.read_file, "a part of a file of the master's"),
    Route("GET", "/files/download", files.download_file, "a file of the master's"),
    Route("GET", "/files/debug", files.list_files, "virtual paths"),
)


class _Aliases(Api):
    """`.json` at the end of a path is an old way to say the same."""

    def begin(self, now: float, request: Request) -> Answer:
        if request.path.endswith(".json"):
            request = msgspec.structs.replace(request, path=request.path.removesuffix(".json"))
        return super().begin(now, request)


def api(machine: MasterMachine) -> Api:
    """The routes bound to a machine."""
    router = Router(ROUTES, prefixes=("/master",), longest_prefix=True)
    return _Aliases(router, machine, intercept=leader.intercept)
