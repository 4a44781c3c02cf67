"""Connection of `script/bench ansible`: a host that answers at once, and remembers what it got.

Ansible does all that it does for a real host, but the module that it sends is not run: its name
and arguments are read from what was sent, and `HANDLERS` says what a Debian host with systemd would
have answered. A host is a file of JSON: what was written, made, started on it.
"""

import ast
import base64
import hashlib
import json
import re
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = r"""
name: emulated
short_description: A host of a benchmark
author: Mesosphere maintainers
description: Answers modules at once, from a file of what the host was told before.
extends_documentation_fragment: [connection_pipelining]
options:
  directory:
    description: Where the files of the hosts are.
    type: path
    required: true
    env:
      - name: BENCH_HOSTS
"""

FACTS = {
    "distribution": "Debian",
    "distribution_version": "12.9",
    "distribution_major_version": "12",
    "distribution_release": "bookworm",
    "os_family": "Debian",
    "python_version": "3.11.2",
    "python": {"version": {"major": 3, "minor": 11}},
    "service_mgr": "systemd",
    "architecture": "x86_64",
    "machine": "x86_64",
}
STAMP = re.compile(r"MESOSPHERE_SERVICE_STAMP=(\w+)")
TEMPORARY = re.compile(r"echo (ansible-tmp-[\w.-]+)=")
RELEASE = "0123456789abcdef"
ARCHIVE = f".cache/release/mesosphere-{RELEASE}.tar.gz"
AGENT_PORT = 5051


class Host:
    """What one host was told."""

    def __init__(self, directory, name):
        self.directory = Path(directory)
        self.path = self.directory / f"{name}.json"
        self.name = name
        try:
            self.known = json.loads(self.path.read_text())
        except FileNotFoundError:
            self.known = {}

    def learn(self, key, value):
        """Whether that is new."""
        if key in self.known and self.known[key] == value:
            return False
        self.known[key] = value
        self.path.write_text(json.dumps(self.known))
        return True

    def others(self, key):
        """Names of hosts that know a key."""
        files = self.directory.glob("*.json")
        return sorted(path.stem for path in files if key in json.loads(path.read_text()))


# --- modules --------------------------------------------------------------------------------------


def stat(host, given):
    """Files are those that were written or made."""
    known = host.known.get(f"path {given['path']}")
    if given["path"].endswith(ARCHIVE):  # on the controller
        known = "0" * 64
    if known is None:
        return {"stat": {"exists": False}}
    is_link = known.startswith("/")
    found = {"exists": True, "isdir": known == "directory", "islnk": is_link, "mode": "0644"}
    found.update(isreg=known not in ("directory", "") and not is_link, checksum=known, uid=0, gid=0)
    return {"stat": {**found, "lnk_source": known} if is_link else found}


def file(host, given):
    """Files, directories and links."""
    name, state = given.get("path") or given["dest"], given.get("state") or "file"
    path = f"path {name}"
    if state == "absent":
        if path not in host.known:
            return {"changed": False}
        del host.known[path]
        host.learn("removed", name)
        return {"changed": True}
    if state == "file":
        return {"changed": False, "path": name}
    value = given["src"] if state == "link" else "directory"
    return {"changed": host.learn(path, value), "path": name, "state": state}


def copy(host, given):
    """The file that was put before."""
    content = host.known.get(f"put {given['src']}", "unknown")
    return {"changed": host.learn(f"path {given['dest']}", content), "dest": given["dest"]}


def command(host, given):
    """The few commands that the roles run."""
    text = (
        given.get("_raw_params") or given.get("cmd") or " ".join(map(str, given.get("argv") or ()))
    )
    result = {"changed": True, "rc": 0, "stdout": "", "stderr": "", "cmd": text}
    stamp = STAMP.search(text)
    if "script/release" in text:
        result["stdout"] = f"{RELEASE} {ARCHIVE}"
    elif "readlink -f" in text:
        result["stdout"] = f"/opt/mesosphere/releases/{RELEASE}"
    elif "settings.cfg" in text:
        known = host.learn("path /etc/mesosphere/zookeeper/zoo.cfg", "members")
        result["stdout"] = "written" if known else ""
    elif stamp:
        result["rc"] = 0 if host.known.get(f"stamp {stamp[1]}") else 1
        host.learn("asked", stamp[1])
    return result


def systemd_service(host, given):
    """A service that is started carries the stamp that was asked for before."""
    state, name = given.get("state"), given["name"]
    if state == "stopped":
        return {"changed": False, "name": name, "status": {}}
    is_new = host.learn(f"service {name}", "started")
    changed = host.learn(f"stamp {host.known.get('asked')}", "running") or is_new
    return {"changed": changed or state == "restarted", "name": name, "status": {}}


def apt(host, given):
    """Packages are there once they were asked for."""
    new = [host.learn(f"package {name}", "installed") for name in given.get("name") or ()]
    return {"changed": any(new)}


def user(host, given):
    """Users too."""
    return {"changed": host.learn(f"user {given['name']}", "made"), "name": given["name"]}


def release(host, given):
    """Installed, and active."""
    place = f"{given['root']}/releases/{given['id']}"
    changed = host.learn(f"path {place}/.complete", "x")
    if given.get("state", "active") == "active":
        changed = host.learn(f"path {given['root']}/current", place) or changed
    return {"changed": changed, "current": given["id"]}


def slurp(host, given):
    """Only a member's number is read."""
    if f"path {given['src']}" not in host.known:
        return {"failed": True, "msg": f"file not found: {given['src']}"}
    number = base64.b64encode(host.name.rpartition("-")[2].encode())
    return {"content": number.decode(), "encoding": "base64"}


def cluster_gate(host, given):
    """Every server whose host has started the service answers."""
    services = {
        "zookeeper": "zookeeper",
        "masters": "mesos-master",
        "marathon": "marathon",
        "chronos": "chronos",
        "loadbalancers": "mesosphere-haproxy",
    }
    agents = len(host.others("service mesos-agent"))
    result = {"changed": False, "problems": []}
    for component, service in services.items():
        known = _addresses(host, f"service {service}")
        servers = [
            {"url": url, "address": url, "answers": url.rpartition("//")[2].split(":")[0] in known}
            for url in given.get(component) or ()
        ]
        leader = next((each["url"] for each in servers if each["answers"]), "")
        result[component] = {"servers": servers, "leader": leader, "voters": []}
    result["masters"].update(agents_active=agents, agents_unreachable=0, tasks_running=0)
    return result


def _addresses(host, key):
    """Hosts are called `master-10-0-0-1`, by their address."""
    return {".".join(name.split("-")[-4:]) for name in host.others(key)}


def mesos_info(host, given):
    """The agents that run."""
    agents = [
        {"id": f"S{n}", "address": f"{each}:{AGENT_PORT}", "answers": True, "state": "active"}
        for n, each in enumerate(sorted(_addresses(host, "service mesos-agent")))
    ]
    return {"changed": False, "agent_states": agents, "leader": ""}


def host_check(host, given):
    """All is as it should be."""
    return {"changed": False, "ports": [int(each["port"]) for each in given["ports"]]}


HANDLERS = {
    "stat": stat,
    "file": file,
    "copy": copy,
    "command": command,
    "systemd_service": systemd_service,
    "apt": apt,
    "user": user,
    "release": release,
    "slurp": slurp,
    "cluster_gate": cluster_gate,
    "mesos_info": mesos_info,
    "mesos_agent_state": lambda host, given: {"changed": False, "after": "active"},
    "host_check": host_check,
    "setup": lambda host, given: {"changed": False, "ansible_facts": FACTS},
    "uri": lambda host, given: {"changed": False, "status": 200},
}


class Connection(ConnectionBase):
    """What Ansible calls."""

    transport = "emulated"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    @property
    def _host(self):
        return Host(self.get_option("directory"), self._play_context.remote_addr)

    def exec_command(self, cmd, in_data=None, sudoable=True):
        """(code, output, errors) of a module that was sent, or of a command of Ansible's own."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        if in_data:
            name, given = sent(in_data)
            handler = HANDLERS.get(name)
            if handler is None:
                raise AnsibleError(f"the emulated host knows no module {name}")
            return 0, json.dumps({"invocation": {}, **handler(self._host, given)}).encode(), b""
        temporary = TEMPORARY.search(cmd)
        if temporary:
            return 0, f"{temporary[1]}=/tmp/{temporary[1]}\n".encode(), b""
        return 0, b"/usr/bin/python3\n", b""

    def put_file(self, in_path, out_path):
        """A file arrives."""
        super().put_file(in_path, out_path)
        digest = hashlib.sha1(Path(in_path).read_bytes()).hexdigest()
        self._host.learn(f"put {out_path}", digest)

    def fetch_file(self, in_path, out_path):
        """Nothing is fetched in what is measured."""
        raise AnsibleError("the emulated host gives no files")

    def close(self):
        """Nothing is open."""
        self._connected = False


def sent(data):
    """(name, arguments) of a module in the form that Ansible sends it."""
    start = data.rindex(b"\n    _ansiballz_main(\n")
    lines = data[start : data.index(b"\nzip_data=", start)].decode().splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    name = ast.literal_eval(fields["ansible_module"].rstrip(","))
    params = json.loads(ast.literal_eval(fields["params"].rstrip(",")))
    return name.rpartition(".")[2], params["ANSIBLE_MODULE_ARGS"]
