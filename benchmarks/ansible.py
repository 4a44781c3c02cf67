"""What Ansible costs the controller: hosts that answer at once, everything else as it is.

    script/bench ansible [--agents 10,100,1000] [--plays site-fresh,site-converged,scale-agents]
                         [--rounds 3] [--forks 20] [--before DIRECTORY]

Three masters that also run ZooKeeper, the schedulers and the load balancer, and as many agents as
are given:

* `site-fresh`: playbooks/site.yml on hosts that have nothing;
* `site-converged`: the same once more, nothing to do;
* `scale-agents`: one agent more, playbooks/scale_agents.yml.

The real ansible-playbook runs the real playbooks with a connection of this benchmark
(`ansible_plugins/connection/emulated.py`). So it measures templating, skipping, starting workers
and packing modules, which is what grows with hosts x tasks. It does not measure the
network, SSH, or what modules do there; building the release is left out too.

Seconds by the clock and of processors (the controller's, workers included), and of tasks how many
were done, skipped and changed, for all hosts and for each agent. With `--before`, the playbooks of
another checkout are measured in turn with these, in the same rounds.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from benchmarks import report

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = ROOT / "benchmarks" / "ansible_plugins"
WORK = ROOT / ".cache" / "bench" / "ansible"
MASTERS = 3
TIMEOUT_S = 3600
ARCHIVE = ".cache/release/mesosphere-0123456789abcdef.tar.gz"
PLAYS = ("site-fresh", "site-converged", "scale-agents")


def name_of(kind: str, number: int) -> str:
    """A host's name, which holds its address."""
    return f"{kind}-10-{1 if kind == 'master' else 2}-{number // 250}-{number % 250 + 1}"


def inventory(agents: int) -> dict[str, Any]:
    """Three masters with everything, and agents."""
    masters = [name_of("master", number) for number in range(MASTERS)]
    others = [name_of("agent", number) for number in range(agents)]
    hosts = {name: {"ansible_host": ".".join(name.split("-")[1:])} for name in masters + others}
    groups = dict.fromkeys(("zookeeper", "masters", "marathon", "chronos", "loadbalancers"))
    children: dict[str, Any] = {group: {"hosts": dict.fromkeys(masters)} for group in groups}
    children["agents"] = {"hosts": dict.fromkeys(others)}
    variables = {"ansible_connection": "emulated", "ansible_python_interpreter": "/usr/bin/python3"}
    local = {"localhost": {"ansible_host": "localhost"}}
    return {"all": {"hosts": {**hosts, **local}, "vars": variables, "children": children}}


def play(checkout: Path, agents: int, arguments: list[str], forks: int) -> dict[str, float]:
    """Run a playbook of a checkout; what it took."""
    work = WORK / checkout.name
    hosts, counts = work / "hosts", work / "counts.json"
    hosts.mkdir(parents=True, exist_ok=True)
    (work / "inventory.yml").write_text(yaml.safe_dump(inventory(agents)))
    archive = checkout / ARCHIVE
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(b"a release")
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(checkout / "ansible.cfg"),
        "ANSIBLE_CONNECTION_PLUGINS": str(PLUGINS / "connection"),
        "ANSIBLE_CALLBACK_PLUGINS": f"{checkout / 'callback_plugins'}:{PLUGINS / 'callback'}",
        "ANSIBLE_CALLBACKS_ENABLED": "mesosphere_run,counted",
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "BENCH_HOSTS": str(hosts),
        "BENCH_COUNTS": str(counts),
        "MESOSPHERE_RUN_RECORDS": str(work / "runs"),
    }
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, "-i", str(work / "inventory.yml"), *arguments]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with (work / f"{Path(arguments[0]).stem}.log").open("wb") as log:
        done = subprocess.run(
            command, cwd=checkout, env=environment, stdout=log, stderr=log, timeout=TIMEOUT_S
        )
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(counts.read_text())
    if done.returncode != 0 or found["failed"]:
        sys.exit(f"{' '.join(arguments)} failed, see {log.name}")
    tasks = found.pop("tasks")
    (work / f"tasks-{agents}.json").write_text(json.dumps(tasks, indent=1))
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    host_tasks = found["done"] + found["skipped"]
    return {
        "clock_s": took,
        "processor_s": spent,
        "host_tasks": host_tasks,
        "skipped": found["skipped"],
        "changed": found["changed"],
        "host_tasks_per_host": host_tasks / found["hosts"],
        "processor_s_per_host": spent / found["hosts"],
    }


def measure(checkout: Path, agents: int, plays: list[str], forks: int) -> dict[str, Any]:
    """The figures of each play at a size, in the order that a cluster lives."""
    shutil.rmtree(WORK / checkout.name / "hosts", ignore_errors=True)
    found = {}
    site = ["playbooks/site.yml"]
    if "site-fresh" in plays or "site-converged" in plays:
        found["site-fresh"] = play(checkout, agents, site, forks)
        assert found["site-fresh"]["changed"] > agents
    if "site-converged" in plays:
        found["site-converged"] = play(checkout, agents, site, forks)
        assert found["site-converged"]["changed"] == 0, "a second run changed something"
    if "scale-agents" in plays:
        new = name_of("agent", agents)
        arguments = ["playbooks/scale_agents.yml", "-e", f"scale_agents={new}"]
        found["scale-agents"] = play(checkout, agents + 1, arguments, forks)
    return {name: figures for name, figures in found.items() if name in plays}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agents", default="10,100,1000")
    parser.add_argument("--plays", default=",".join(PLAYS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--forks", type=int, default=20)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--out", type=Path, default=Path(".cache/bench/ansible.json"))
    given = parser.parse_args()
    plays = given.plays.split(",")
    checkouts = {"now": ROOT, **({"before": given.before.resolve()} if given.before else {})}
    rounds: dict[str, list[dict[str, float]]] = {}
    for _ in range(given.rounds):
        for agents in (int(part) for part in given.agents.split(",")):
            for when, checkout in checkouts.items():
                for name, figures in measure(checkout, agents, plays, given.forks).items():
                    title = f"{name}, {agents} agents, {when}"
                    rounds.setdefault(title, []).append(figures)
                    print(title, json.dumps(figures), file=sys.stderr, flush=True)
    summaries = {name: report.summary(found) for name, found in rounds.items()}
    report.write(given.out, summaries, given.rounds)


if __name__ == "__main__":
    main()
