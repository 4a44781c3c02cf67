"""An agent comes, another one goes, and a third one's host dies."""

import requests
from tests.lab.cluster import (
    addresses,
    agents_active,
    app_scaled,
    app_tasks,
    get,
    host,
    lab,
    leader,
    load,
    members,
    play,
    regroup,
    wait_for,
)


def pids(names: list[str]) -> list[str]:
    return [host(name).check_output("systemctl show -p MainPID mesos-agent") for name in names]


def test_an_agent_comes_and_no_other_host_is_touched() -> None:
    before = members("agents")
    running = pids(before)
    new = lab("add").split()[0]
    play("scale_agents.yml", "-e", f"scale_agents={new}")
    assert agents_active() == len(before) + 1
    assert host(new).service("mesos-agent").is_enabled
    assert pids(before) == running
    assert play("scale_agents.yml", "-e", f"scale_agents={new}").changed == 0


def test_an_agent_goes_and_no_request_fails() -> None:
    play("smoke.yml")  # brings the app's archive to the new host
    app_scaled(4)
    name = max(members("agents"), key=lambda each: len(app_tasks(each)))
    stay = app_tasks() - app_tasks(name)
    with load():
        play("remove_agent.yml", "-e", f"remove_agent={name}")
    assert len(app_tasks()) == 4 and not app_tasks(name) and stay <= app_tasks()
    assert not host(name).service("mesos-agent").is_running
    regroup("agents", [each for each in members("agents") if each != name])
    assert agents_active() == len(members("agents"))
    assert play("remove_agent.yml", "-e", f"remove_agent={name}", fails=True).returncode == 2


def test_an_agent_whose_host_is_dead_is_given_up() -> None:
    name = max(members("agents"), key=lambda each: len(app_tasks(each)))
    address = addresses()[name]
    lab("kill", name)
    refused = play("remove_agent.yml", "-e", f"remove_agent={name}", fails=True)
    assert "remove_agent_dead=true" in refused.said
    dead = ("-e", f"remove_agent={name}", "-e", "remove_agent_dead=true")
    assert play("remove_agent.yml", *dead).changed == 1
    agents = get(leader(), 5050, "/slaves")["slaves"]
    assert address not in [agent["hostname"] for agent in agents]
    wait_for(lambda: len(app_tasks()) == 4 and not app_tasks(name), "the tasks elsewhere")
    assert play("remove_agent.yml", *dead).changed == 0
    lab("start", name)
    wait_for(lambda: agents_active() == len(members("agents")), "it comes back as a new agent")


def test_the_last_agent_is_kept() -> None:
    first, *others = members("agents")
    url = f"http://{addresses()[leader()]}:5050/api/v1"
    ids = {each["hostname"]: each["id"] for each in get(leader(), 5050, "/slaves")["slaves"]}

    def call(kind: str, name: str) -> None:
        body = {"type": kind, kind.lower(): {"agent_id": {"value": ids[addresses()[name]]}}}
        answer = requests.post(url, json=body, timeout=5)
        assert answer.status_code == 200, answer.text

    for name in others:
        call("DEACTIVATE_AGENT", name)
    try:
        refused = play("remove_agent.yml", "-e", f"remove_agent={first}", fails=True)
        assert "is the last agent that is active" in refused.said
    finally:
        for name in others:
            call("REACTIVATE_AGENT", name)
    wait_for(lambda: agents_active() == len(members("agents")), "all agents")
