"""Filters for inventories of Mesosphere clusters."""

import base64
import hashlib

from ansible.errors import AnsibleFilterError

NUMBER_LIMIT = 255


def quorum(hosts):
    """The smallest majority of a list of hosts; refuses none and an even number."""
    if isinstance(hosts, str) or not hasattr(hosts, "__len__"):
        raise AnsibleFilterError("quorum: needs a list of hosts")
    count = len(hosts)
    if count == 0:
        raise AnsibleFilterError("quorum: there must be at least one master, the group is empty")
    if count % 2 == 0:
        raise AnsibleFilterError(
            f"quorum: there must be an odd number of masters, not {count}: an even number survives"
            " no more failures than one less"
        )
    return count // 2 + 1


def addresses(hosts, hostvars):
    """The address of each host: `mesosphere_address`, else `ansible_host`, else its name."""
    found = []
    for host in hosts:
        known = hostvars[host]
        address = known.get("mesosphere_address") or known.get("ansible_host") or host
        found.append(str(address))
    return found


def server_urls(hosts, hostvars, port, scheme="http"):
    """The URL of each host's server at a port."""
    return [f"{scheme}://{_bracketed(address)}:{port}" for address in addresses(hosts, hostvars)]


def _bracketed(address):
    """An IPv6 address needs brackets before a port."""
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


def restart_order(hosts, hostvars, state):
    """Which hosts may be changed at once, and in what order the others one by one.

    `state` is what cluster_gate says of the component. A host whose server answers goes one by one,
    the leader last; one whose server does not can be changed together with its like.
    """
    if not isinstance(state, dict) or "servers" not in state:
        raise AnsibleFilterError("restart_order: needs a component of cluster_gate's result")
    running = {_server_host(each) for each in state["servers"] if each.get("answers")}
    leader = _server_host({"url": state.get("leader") or ""})
    parallel, serial, last = [], [], []
    for host, address in zip(hosts, addresses(hosts, hostvars), strict=True):
        if address not in running:
            parallel.append(host)
        elif address == leader:
            last.append(host)
        else:
            serial.append(host)
    return {"parallel": parallel, "serial": serial + last, "leader": last}


def _server_host(server):
    address = server.get("url") or server.get("address") or ""
    return address.rpartition("//")[2].rpartition(":")[0].strip("[]")


def zookeeper_hosts(hosts, hostvars, port=2181):
    """ "host:port,host:port" of the hosts of a ZooKeeper ensemble."""
    if not hosts:
        raise AnsibleFilterError("zookeeper_hosts: the group of ZooKeeper's hosts is empty")
    return ",".join(f"{_bracketed(each)}:{port}" for each in addresses(hosts, hostvars))


def zookeeper_members(hosts, hostvars, peer=2888, election=3888, client=2181):
    """`server.N=host:peer:election:participant;client` of each host of an ensemble.

    A host's number is `zookeeper_number` (what it has), else `zookeeper_id`, else its place.
    """
    lines = []
    for place, host in enumerate(hosts, 1):
        known = hostvars[host]
        number = known.get("zookeeper_number") or known.get("zookeeper_id") or place
        address = _bracketed(addresses([host], hostvars)[0])
        lines.append(f"server.{number}={address}:{peer}:{election}:participant;0.0.0.0:{client}")
    return lines


def zookeeper_numbers(hosts, hostvars, state=None):
    """The number of each host of an ensemble, which it keeps for life.

    The one on its disk (`zookeeper_kept`), else the one that the live ensemble has for its address,
    else `zookeeper_id`, else the lowest that nobody has. `state` is what cluster_gate says.
    """
    listed = {}
    for server in (state or {}).get("servers", ()):
        for number, member in (server.get("members") or {}).items():
            listed[member["host"]] = int(number)
    numbers = {}
    for host, address in zip(hosts, addresses(hosts, hostvars), strict=True):
        known = hostvars[host]
        found = known.get("zookeeper_kept") or listed.get(address) or known.get("zookeeper_id")
        if found and int(found):
            numbers[host] = int(found)
    taken = {*numbers.values(), *listed.values()}
    free = (number for number in range(1, NUMBER_LIMIT + 1) if number not in taken)
    return {host: numbers[host] if host in numbers else next(free) for host in hosts}


def zookeeper_line(member):
    """A member as zookeeper_info shows it, in the form of a configuration."""
    host = _bracketed(member["host"])
    ports = f"{member['peer']}:{member['election']}:{member['role']}"
    return f"server.{member['id']}={host}:{ports};0.0.0.0:{member['client']}"


def zookeeper_digest(user, password):
    """`user:` and the digest of "user:password", as ZooKeeper's superDigest and ACLs hold it."""
    digest = hashlib.sha1(f"{user}:{password}".encode(), usedforsecurity=False).digest()
    return f"{user}:{base64.b64encode(digest).decode()}"


def zookeeper_url(hosts, hostvars, path, port=2181):
    """ "zk://host:port,host:port/path"."""
    return f"zk://{zookeeper_hosts(hosts, hostvars, port)}/{path.strip('/')}"


def command_line(flags):
    """Flags as a list of arguments: {"port": 5050, "x": true} -> ["--port=5050", "--x=true"].

    None leaves a flag out; a list repeats it.
    """
    words = []
    for name, value in flags.items():
        if value is None or value == "":
            continue
        values = value if isinstance(value, list) else [value]
        for one in values:
            text = str(one).lower() if isinstance(one, bool) else str(one)
            words.append(f"--{name}={text}")
    return words


class FilterModule:
    """The filters by name."""

    def filters(self):
        """What Ansible asks for."""
        return {
            "quorum": quorum,
            "addresses": addresses,
            "server_urls": server_urls,
            "restart_order": restart_order,
            "zookeeper_hosts": zookeeper_hosts,
            "zookeeper_members": zookeeper_members,
            "zookeeper_numbers": zookeeper_numbers,
            "zookeeper_line": zookeeper_line,
            "zookeeper_digest": zookeeper_digest,
            "zookeeper_url": zookeeper_url,
            "command_line": command_line,
        }
