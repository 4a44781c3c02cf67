"""The old endpoints of roles, quota and weights, and ours that explains.

Source: Mesos, src/master/http.cpp, src/master/quota_handler.cpp, src/master/weights_handler.cpp.
"""

from mesosphere.kernel.http import Request, text_response
from mesosphere.kernel.resource_text import parse_resources
from mesosphere.kernel.resources import EMPTY, ResourcesError
from mesosphere.master.api.answers import Answer, json_answer, whole_number
from mesosphere.master.core import commands
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.views import allocation, explain, roles
from mesosphere.wire import mesos
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec


def show_roles(master: MasterMachine, now: float, request: Request) -> Answer:
    """Roles with what they hold."""
    return json_answer(request, roles.legacy(master))


def show_quota(master: MasterMachine, now: float, request: Request) -> Answer:
    """Every quota."""
    return json_answer(request, codec.to_plain(roles.quota_status(master)))


def set_quota(master: MasterMachine, now: float, request: Request) -> Answer:
    """A role's quota, as a QuotaRequest."""
    try:
        quota = codec.decode(request.body, mesos.QuotaRequest)
    except WireError as error:
        body = request.body.decode("utf-8", "replace")
        text = f"Failed to validate set quota request JSON '{body}': {error}"
        return text_response(400, text)
    return commands.QuotaSet(request.id, quota)


def remove_quota(master: MasterMachine, now: float, request: Request) -> Answer:
    """`/quota/<role>`: remove a role's quota."""
    path = request.path
    role = path.removeprefix("/master").removeprefix("/quota").strip("/")
    if not role:
        parts = [part for part in path.split("/") if part]
        text = (
            f"Failed to parse remove quota request for path '{path}': expected 3 tokens,"
            f" found {len(parts)} tokens"
        )
        return text_response(400, text)
    return commands.QuotaRemoved(request.id, role, path)


def show_weights(master: MasterMachine, now: float, request: Request) -> Answer:
    """The weights that were set."""
    return json_answer(request, codec.to_plain(roles.weights(master)))


def update_weights(master: MasterMachine, now: float, request: Request) -> Answer:
    """Set weights of roles: an array of WeightInfo."""
    try:
        infos = codec.decode_list(request.body, mesos.WeightInfo)
    except WireError as error:
        body = request.body.decode("utf-8", "replace")
        text = f"Failed to parse update weights request JSON ('{body}'): {error}"
        return text_response(400, text)
    return commands.WeightsUpdated(request.id, infos)


def show_explanation(master: MasterMachine, now: float, request: Request) -> Answer:
    """Why a framework gets no offers: `framework`, `role`, `resources`, `agents`."""
    agents = whole_number(request, "agents", explain.AGENTS_SHOWN, explain.AGENTS_LIMIT)
    if agents is None:
        return text_response(400, "'agents' must be a whole number\n")
    text = request.first("resources", "")
    try:
        demand = parse_resources(text) if text else EMPTY
    except ResourcesError as error:
        return text_response(400, f"'resources' of '{text}': {error}\n")
    framework_id, role = request.first("framework"), request.first("role")
    if framework_id is None and role is None:
        return text_response(400, "'framework' or 'role' must be given\n")
    found = explain.explain(master, now, framework_id, role, demand, agents)
    if isinstance(found, str):
        return text_response(404, f"{found}\n")
    return json_answer(request, codec.to_plain(found))


def show_constraints(master: MasterMachine, now: float, request: Request) -> Answer:
    """Agents that offer constraints exclude."""
    return json_answer(request, allocation.offer_constraints(master))
