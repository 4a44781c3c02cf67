"""The inventory plugin against a real master, and the callback's record of a run."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ansible.conftest import ROOT, Cluster, Run, load
from tests.ansible.test_playbooks import play
from tests.integration.marathon_stack import free_port

SILENT = {"MESOSPHERE_RUN_RECORDS": ""}


def groups_of(inventory: Path, tmp_path: Path, **environment: str) -> Any:
    """What a playbook sees: (groups, variables of the agent, the run's output)."""
    playbook = tmp_path / "show.yml"
    shown = {"groups": "{{ groups }}", "agent": "{{ hostvars['here'] | default({}) }}"}
    copy = {"content": "{{ shown | to_json }}", "dest": str(tmp_path / "shown.json")}
    task = {"ansible.builtin.copy": copy, "vars": {"shown": shown}}
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    playbook.write_text(yaml.safe_dump(plays))
    done = play("-i", str(inventory), str(playbook), **SILENT, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads((tmp_path / "shown.json").read_text())
    return seen["groups"], seen["agent"], done.stdout + done.stderr


def write(directory: Path, **options: Any) -> Path:
    directory.mkdir(exist_ok=True)
    host = {"here": {"ansible_host": "127.0.0.1"}}
    static = {"all": {"children": {"agents": {"hosts": host}}}}
    (directory / "hosts.yml").write_text(yaml.safe_dump(static))
    live = directory / "live.mesosphere.yml"
    live.write_text(yaml.safe_dump({"plugin": "mesosphere", **options}))
    return directory


def test_a_live_cluster_is_an_inventory(cluster: Cluster, run_module: Run, tmp_path: Path) -> None:
    master = [f"http://{cluster.master}"]
    run_module("mesos_info", master_url=master, wait_for_agents=1)
    keyed = [{"key": "mesos_agent_state", "prefix": "state"}]
    source = write(
        tmp_path / "inventory",
        master_url=master,
        keyed_groups=keyed,
        strict=True,
    )
    groups, agent, _ = groups_of(source, tmp_path)
    assert groups["agents_active"] == ["here"] == groups["state_active"]
    assert groups["agents_draining"] == []
    assert groups["mesos_leader"] == ["here"]
    assert agent["mesos_agent_state"] == "active" and agent["mesos_agent_id"].endswith("-S0")


def test_a_cached_cluster_is_not_asked_again(
    cluster: Cluster, run_module: Run, tmp_path: Path
) -> None:
    master = [f"http://{cluster.master}"]
    run_module("mesos_info", master_url=master, wait_for_agents=1)
    cache = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(tmp_path / "cache")}
    source = write(tmp_path / "inventory", master_url=master, **cache)
    groups_of(source, tmp_path)
    nobody = [f"http://127.0.0.1:{free_port()}"]
    write(tmp_path / "inventory", master_url=nobody, unreachable_ok=False, **cache)
    groups, _, _ = groups_of(source, tmp_path)
    assert groups["agents_active"] == ["here"]


def test_a_cluster_that_is_away_leaves_the_static_inventory(tmp_path: Path) -> None:
    nobody = [f"http://127.0.0.1:{free_port()}"]
    source = write(tmp_path / "inventory", master_url=nobody, unreachable_ok=True)
    groups, _, said = groups_of(source, tmp_path)
    assert groups["agents"] == ["here"] and "agents_active" not in groups
    assert "the cluster can't be asked, its groups are empty" in " ".join(said.split())


def test_groups_follow_from_state_and_attributes() -> None:
    plugin = load(ROOT / "inventory_plugins" / "mesosphere.py", "mesosphere_inventory")
    attributes = {"rack": "r-1", "cores": 4.0, "zones": ["a"]}
    agent = {"state": "draining", "attributes": attributes}
    assert plugin.memberships(agent) == ["agents_draining", "agents_rack_r_1"]


def test_an_empty_directory_means_no_record(tmp_path: Path) -> None:
    plugin = load(ROOT / "callback_plugins" / "mesosphere_run.py", "mesosphere_run")
    plugin.Record("", 2, 0.0).write("begun")
    assert plugin.Record("", 2, 0.0).file is None
    full = tmp_path / "file"
    full.write_text("no directory")
    assert plugin.Record(str(full), 2, 0.0).file is None


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_leaves_a_record_and_a_summary(tmp_path: Path, fails: bool) -> None:
    secret = {"ansible.builtin.set_fact": {"password": "hidden in values"}, "name": "Know"}
    change = {"ansible.builtin.command": "true", "name": "Change something"}
    end = {"ansible.builtin.fail": {"msg": "on purpose"}, "name": "Break", "when": fails}
    plays = [
        {"name": "First", "hosts": "localhost", "gather_facts": False, "tasks": [secret, change]},
        {"name": "Second", "hosts": "localhost", "gather_facts": False, "tasks": [end]},
    ]
    playbook = tmp_path / "run.yml"
    playbook.write_text(yaml.safe_dump(plays))
    records = tmp_path / "records"
    for _ in range(3):
        done = play(
            "-i",
            "inventories/local",
            str(playbook),
            MESOSPHERE_RUN_RECORDS=str(records),
            MESOSPHERE_RUN_RECORDS_KEPT="2",
        )
    assert (done.returncode != 0) == fails
    assert len(list(records.glob("*.jsonl"))) == 2
    text = max(records.glob("*.jsonl")).read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["event"] for event in events][:4] == ["begun", "phase", "changed", "phase"]
    assert events[-1]["event"] == "ended" and events[-1]["failed"] == (["localhost"] * fails)
    assert [phase["name"] for phase in events[-1]["phases"]] == ["First", "Second"]
    assert "hidden in values" not in text
    assert "run.yml: " in done.stdout
    if fails:
        assert "localhost failed in phase 'Second', task 'Break'" in done.stdout
        assert "run playbooks/run.yml again" in done.stdout
