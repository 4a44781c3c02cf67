"""What a cluster says about itself, asked component by component, and what may be lost of it."""

from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.mesosphere_http import RequestError
from ansible.module_utils.zookeeper import ensemble_state

ASKED_AT_ONCE = 16


class Observer:
    """Asks every component; `make_api(url)` gives the Api of one server."""

    def __init__(self, make_api):
        self.make_api = make_api

    def get(self, url, path, allowed=(200,)):
        """(JSON or text, "") of a server, or (None, what is wrong)."""
        try:
            answer = self.make_api(url).expect("GET", path, allowed=allowed)
        except RequestError as error:
            return None, str(error)
        return (answer.text if answer.json is None else answer.json), ""

    def master(self, url):
        """{url, answers, leads, version, ...} of one master."""
        metrics, fault = self.get(url, "/metrics/snapshot")
        if not isinstance(metrics, dict):
            return {"url": url, "answers": False, "leads": False, "fault": fault or "no metrics"}
        version, _ = self.get(url, "/version")
        leads = metrics.get("master/elected") == 1
        return {
            "url": url,
            "answers": True,
            "leads": leads,
            "version": (version or {}).get("version", "") if isinstance(version, dict) else "",
            "agents_active": int(metrics.get("master/slaves_active", 0)) if leads else 0,
            "agents_unreachable": int(metrics.get("master/slaves_unreachable", 0)) if leads else 0,
            "tasks_running": int(metrics.get("master/tasks_running", 0)) if leads else 0,
        }

    def scheduler(self, url, leader_path):
        """{url, answers, leader} of a Marathon or a Chronos, which wants credentials perhaps."""
        answer, fault = self.get(url, leader_path, (200, 401, 404))
        if answer is None:
            return {"url": url, "answers": False, "leader": "", "fault": fault}
        leader = answer.get("leader", "") if isinstance(answer, dict) else ""
        return {"url": url, "answers": True, "leader": leader or ""}

    def balancer(self, url):
        """{url, answers} of a load balancer, by its health check."""
        answer, fault = self.get(url, "/_haproxy_health_check")
        if answer is None and fault:
            return {"url": url, "answers": False, "fault": fault}
        return {"url": url, "answers": True}

    def observe(self, given):
        """The state of all components; `given` has a list of addresses for each."""
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            masters = pool.map(self.master, given["masters"])
            marathons = pool.map(lambda url: self.scheduler(url, "/v2/leader"), given["marathon"])
            chronos = pool.map(
                lambda url: self.scheduler(url, "/v1/scheduler/leader"), given["chronos"]
            )
            balancers = pool.map(self.balancer, given["loadbalancers"])
            zookeeper = ensemble_state(given["zookeeper"])
            return {
                "zookeeper": zookeeper,
                "masters": _led(list(masters)),
                "marathon": _followed(list(marathons)),
                "chronos": _followed(list(chronos)),
                "loadbalancers": {"servers": list(balancers)},
            }


def _led(servers):
    leaders = [each["url"] for each in servers if each["leads"]]
    first = next((each for each in servers if each["leads"]), {})
    return {
        "servers": servers,
        "leader": leaders[0] if len(leaders) == 1 else "",
        "leaders": leaders,
        "agents_active": first.get("agents_active", 0),
        "agents_unreachable": first.get("agents_unreachable", 0),
        "tasks_running": first.get("tasks_running", 0),
    }


def _followed(servers):
    """All must name one leader; while they don't, nobody leads."""
    named = {each["leader"] for each in servers if each["answers"]} - {""}
    address = named.pop() if len(named) == 1 else ""
    return {"servers": servers, "leader": f"http://{address}" if address else ""}


def running(state, component):
    """How many servers of a component answer."""
    return sum(1 for each in state[component]["servers"] if each["answers"])


def problems(state, agents=0, losing=()):
    """What is not as it should be in a whole cluster, a sentence each.

    Servers at the addresses in `losing` need not answer.
    """
    found = []
    for component, label in LABELS.items():
        found += [
            f"{label} at {server.get('url') or server['address']} does not answer"
            for server in state[component]["servers"]
            if not server["answers"] and _host(server) not in losing
        ]
    if state["zookeeper"]["servers"] and not state["zookeeper"]["has_quorum"]:
        found.append("ZooKeeper has no quorum")
    if state["masters"]["servers"] and not state["masters"]["leader"]:
        count = len(state["masters"]["leaders"])
        found.append("no master leads" if not count else f"{count} masters say that they lead")
    for component in ("marathon", "chronos"):
        servers = state[component]["servers"]
        if running(state, component) and len(servers) > 1 and not state[component]["leader"]:
            found.append(f"no {LABELS[component]} leads")
    active = state["masters"]["agents_active"]
    if agents and active < agents:
        found.append(f"{active} of {agents} agents are active")
    return found


def losses(state, losing, may_be_last=()):
    """Why the servers at the addresses in `losing` can't be lost now, a sentence each.

    Of ZooKeeper a majority of those listed must be left that answers; of the rest one that answers,
    unless the component is in `may_be_last`.
    """
    found = []
    for component, label in LABELS.items():
        servers = state[component]["servers"]
        lost = [each for each in servers if _host(each) in losing]
        if not lost:
            continue
        left = [each for each in servers if each["answers"] and _host(each) not in losing]
        if component == "zookeeper":
            needed = len(servers) // 2 + 1
            if len(left) < needed:
                found.append(
                    f"ZooKeeper would have {len(left)} of {len(servers)} servers left, and needs"
                    f" {needed} for its quorum"
                )
        elif not left and component not in may_be_last:
            found.append(f"no {label} would be left that answers")
    return found


def _host(server):
    address = server.get("url") or server["address"]
    return address.rpartition("//")[2].rpartition(":")[0].strip("[]")


LABELS = {
    "zookeeper": "ZooKeeper",
    "masters": "master",
    "marathon": "Marathon",
    "chronos": "Chronos",
    "loadbalancers": "load balancer",
}
