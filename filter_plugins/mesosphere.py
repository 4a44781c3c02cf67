"""Filters for inventories of Mesosphere clusters."""

from ansible.errors import AnsibleFilterError


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


def zookeeper_hosts(hosts, hostvars, port=2181):
    """ "host:port,host:port" of the hosts of a ZooKeeper ensemble."""
    if not hosts:
        raise AnsibleFilterError("zookeeper_hosts: the group of ZooKeeper's hosts is empty")
    return ",".join(f"{address}:{port}" for address in addresses(hosts, hostvars))


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
            "zookeeper_hosts": zookeeper_hosts,
            "zookeeper_url": zookeeper_url,
            "command_line": command_line,
        }
