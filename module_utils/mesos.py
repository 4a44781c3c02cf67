"""The v1 operator API of the leading Mesos master, and agents as operators name them."""

from ansible.module_utils.mesosphere_http import ACCESS_ARGUMENTS, RequestError, once_led

MASTER_ARGUMENTS = {
    "master_url": {"type": "list", "elements": "str", "default": ["http://127.0.0.1:5050"]},
    **ACCESS_ARGUMENTS,
}
NANOSECONDS = 1_000_000_000


def call(api, kind, body=None, allowed=(200,), shape=None):
    """The answer to an operator call; asked again as long as no master leads.

    Raises RequestError with the call's name, for all of them have one path.
    """
    document = {"type": kind}
    if body is not None:
        document[kind.lower()] = body

    def ask():
        try:
            return api.expect("POST", "/api/v1", document, allowed, shape)
        except RequestError as error:
            raise RequestError(f"{kind}: {error}", error.passing, error.leaderless) from error

    return once_led(ask)


def read(api, kind):
    """What a GET_ call answers: the object below its lower-case name. Raises RequestError."""
    answer = call(api, kind, shape=dict)
    return answer.json.get(kind.lower()) or {}


def agent_state(agent):
    """`active`, `inactive` (it does not answer), `deactivated`, `draining` or `drained`."""
    drain = (agent.get("drain_info") or {}).get("state")
    if drain:
        return drain.lower()
    if agent.get("deactivated"):
        return "deactivated"
    return "active" if agent.get("active") else "inactive"


def agent_states(known):
    """What an operator asks of each agent in GET_AGENTS: id, hostname, address, state, answers.

    One that a new leader has not heard of yet is `recovered`.
    """
    found = {}
    for agent in known.get("agents", ()):
        info = agent.get("agent_info", {})
        drain = agent.get("drain_info") or {}
        found[info["id"]["value"]] = {
            **_identity(info),
            "state": agent_state(agent),
            "answers": bool(agent.get("active")) or bool(agent.get("deactivated")),
            "mark_gone": bool(drain.get("config", {}).get("mark_gone")),
            "attributes": attributes_of(info),
            "version": agent.get("version", ""),
        }
    for info in known.get("recovered_agents", ()):
        if info["id"]["value"] not in found:
            found[info["id"]["value"]] = {
                **_identity(info),
                "state": "recovered",
                "answers": False,
                "mark_gone": False,
                "attributes": attributes_of(info),
                "version": "",
            }
    return list(found.values())


def _identity(info):
    hostname = info.get("hostname", "")
    return {
        "id": info["id"]["value"],
        "hostname": hostname,
        "address": f"{hostname}:{info.get('port', 5051)}",
    }


def attributes_of(info):
    """An agent's attributes: text and numbers by name; ranges and sets as lists."""
    found = {}
    for each in info.get("attributes", ()):
        kind = each.get("type", "").lower()
        value = each.get(kind) or {}
        if kind == "ranges":
            found[each["name"]] = [[one["begin"], one["end"]] for one in value.get("range", ())]
        elif kind == "set":
            found[each["name"]] = value.get("item", [])
        else:
            found[each["name"]] = value.get("value")
    return found


def find_agent(known, name):
    """The agent of GET_AGENTS called `name`, as agent_states shows it; None if none is.

    Raises RequestError when a hostname has several agents.
    """
    found = [each for each in agent_states(known) if name in (each["id"], each["hostname"])]
    if len(found) > 1:
        ids = ", ".join(sorted(each["id"] for each in found))
        raise RequestError(f"several agents are called {name}: {ids}; use an id")
    return found[0] if found else None


def tasks_of(api, agent_id):
    """Ids of the tasks on an agent that have not ended. Raises RequestError."""
    tasks = read(api, "GET_TASKS").get("tasks", ())
    return [
        task["task_id"]["value"]
        for task in tasks
        if (task.get("agent_id") or {}).get("value") == agent_id
    ]
