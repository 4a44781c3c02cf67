"""The endpoints that tools scrape, and the old way to remove a framework.

Source: Mesos, src/master/readonly_handler.cpp, src/master/http.cpp.
"""

from urllib.parse import parse_qs

from mesosphere.kernel.http import Request, text_response
from mesosphere.master.api.answers import Answer, json_answer, page_answer, whole_number
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.views import legacy, registry

TASKS_LIMIT = 100
TASKS_LIMIT_MOST = 100_000


def show_state(master: MasterMachine, now: float, request: Request) -> Answer:
    """Everything."""
    return page_answer(request, master.pages.get("state", lambda: legacy.state(master)))


def show_summary(master: MasterMachine, now: float, request: Request) -> Answer:
    """Agents and frameworks with task counts."""
    return page_answer(request, master.pages.get("summary", lambda: legacy.state_summary(master)))


def show_agents(master: MasterMachine, now: float, request: Request) -> Answer:
    """Agents with full resources."""
    wanted = request.first("slave_id")
    return page_answer(request, master.pages.apart(lambda: legacy.agents(master, wanted)))


def show_frameworks(master: MasterMachine, now: float, request: Request) -> Answer:
    """Frameworks with tasks."""
    wanted = request.first("framework_id")
    return page_answer(request, master.pages.apart(lambda: legacy.frameworks(master, wanted)))


def show_tasks(master: MasterMachine, now: float, request: Request) -> Answer:
    """Tasks of all frameworks, newest first."""
    limit = whole_number(request, "limit", TASKS_LIMIT, TASKS_LIMIT_MOST)
    offset = whole_number(request, "offset", 0, TASKS_LIMIT_MOST)
    if limit is None or offset is None:
        return text_response(400, "'limit' and 'offset' must be whole numbers\n")
    page = master.pages.apart(
        lambda: legacy.tasks(
            master,
            limit,
            offset,
            request.first("order") == "asc",
            request.first("framework_id"),
            request.first("task_id"),
        )
    )
    return page_answer(request, page)


def show_registry(master: MasterMachine, now: float, request: Request) -> Answer:
    """What is kept for the next leader."""
    return json_answer(request, registry.registry(master))


def tear_down(master: MasterMachine, now: float, request: Request) -> Answer:
    """Remove a framework: form-encoded `frameworkId`."""
    form = parse_qs(request.body.decode("utf-8", "replace"))
    wanted = form.get("frameworkId", [""])[0]
    if not wanted:
        return text_response(400, "Missing 'frameworkId' query parameter in the request body\n")
    return commands.TeardownRequested(request.id, wanted)
