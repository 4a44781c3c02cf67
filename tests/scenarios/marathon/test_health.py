"""Stories of health checks."""

from mesosphere.kernel.effects import Call, Probe
from mesosphere.kernel.events import Probed
from tests.scenarios.marathon.harness import World

CHECK = {
    "protocol": "HTTP",
    "path": "/health",
    "gracePeriodSeconds": 30,
    "intervalSeconds": 10,
    "timeoutSeconds": 5,
    "maxConsecutiveFailures": 2,
}


def started(world: World, **fields: object) -> int:
    world.create(healthChecks=[CHECK], ports=[0], **fields)
    world.offer()
    world.run_all()
    return int(world.app()["tasks"][0]["ports"][0])


def test_a_deployment_ends_when_the_instance_is_healthy() -> None:
    world = World().lead()
    port = started(world)
    world.pass_time(5.1)
    probe = world.probes[0]
    assert isinstance(probe, Call)
    assert probe.url == f"http://agent0:{port}/health"
    assert len(world.get("/v2/deployments")) == 1
    world.answer_probes()
    assert world.get("/v2/deployments") == []
    app = world.app()
    assert (app["tasksHealthy"], app["tasksUnhealthy"]) == (1, 0)
    result = app["tasks"][0]["healthCheckResults"][0]
    assert result["alive"] and result["consecutiveFailures"] == 0


def test_failures_within_grace_do_not_count() -> None:
    world = World().lead()
    world.health[started(world)] = 500
    for _ in range(2):
        world.pass_time(10)
        world.answer_probes()
    assert world.app()["tasks"][0]["healthCheckResults"][0]["consecutiveFailures"] == 0


def test_an_ill_instance_is_killed_and_replaced_after_it_ended() -> None:
    world = World().lead()
    stream = world.listen("unhealthy_instance_kill_event", "health_status_changed_event")
    port = started(world)
    world.pass_time(6)
    world.answer_probes()
    world.health[port] = 500
    world.killing = False
    first = next(iter(world.tasks))
    for _ in range(3):
        world.pass_time(10)
        world.answer_probes()
    assert "KILL" in world.types()
    world.offer(1)
    assert list(world.tasks) == [first]
    world.killing = True
    world.pass_time(31)
    world.settle()
    assert first not in world.tasks
    assert world.running() == 1
    told = [one["eventType"] for one in world.events(stream)]
    assert told[:3] == [
        "health_status_changed_event",
        "health_status_changed_event",
        "unhealthy_instance_kill_event",
    ]
    failure = world.app()["lastTaskFailure"]
    assert failure["state"] == "TASK_KILLED"
    assert "health check failed. Reason: 500" in failure["message"]


def test_a_tcp_check_connects_to_the_port() -> None:
    world = World().lead()
    world.create(healthChecks=[{**CHECK, "protocol": "TCP"}], ports=[0])
    world.offer()
    world.run_all()
    world.pass_time(6)
    probe = world.probes[0]
    assert isinstance(probe, Probe)
    world.give(Probed(probe.probe, True, ""))
    assert world.app()["tasksHealthy"] == 1


def test_a_check_of_mesos_is_handed_to_the_agent_and_its_result_is_taken() -> None:
    world = World().lead()
    check = {"protocol": "COMMAND", "command": {"value": "true"}, "gracePeriodSeconds": 1}
    world.create(healthChecks=[check])
    world.offer()
    task = world.launched()[0]
    assert task["health_check"]["type"] == "COMMAND"
    assert task["health_check"]["command"]["value"] == "true"
    world.run_all()
    assert world.probes == []
    assert len(world.get("/v2/deployments")) == 1
    world.update(task["task_id"]["value"], "TASK_RUNNING", healthy=True)
    assert world.get("/v2/deployments") == []
    assert world.app()["tasksHealthy"] == 1


def test_what_a_check_of_mesos_found_is_told_with_the_task_that_it_killed() -> None:
    world = World().lead()
    check = {"protocol": "COMMAND", "command": {"value": "false"}, "gracePeriodSeconds": 1}
    world.create(healthChecks=[check], instances=2)
    world.offer()
    ill, killed = world.tasks
    world.run_all()
    world.update(ill, "TASK_RUNNING", healthy=False, message="exited with status 1")
    results = world.app()["tasks"][0]["healthCheckResults"]
    assert results[0]["lastFailureCause"] == "exited with status 1"
    world.update(ill, "TASK_KILLING", healthy=False)
    world.update(ill, "TASK_KILLED", healthy=False, message="terminated with signal 15")
    failure = world.app()["lastTaskFailure"]
    assert (failure["taskId"], failure["state"]) == (ill, "TASK_KILLED")
    told = "Task was killed since health check failed. Reason: exited with status 1"
    assert failure["message"] == told
    world.update(killed, "TASK_RUNNING", healthy=False, message="exited with status 2")
    world.ask("DELETE", f"/v2/apps/web/tasks/{killed}")
    assert world.app()["lastTaskFailure"] == failure, "a kill by hand is no failure"


def test_scaling_down_counts_on_nobody_who_is_being_killed() -> None:
    world = World().lead()
    check = {"protocol": "COMMAND", "command": {"value": "false"}, "gracePeriodSeconds": 1}
    world.create(healthChecks=[check], instances=2)
    world.offer()
    ill, well = world.tasks
    world.run_all()
    world.update(well, "TASK_RUNNING", healthy=True)
    world.update(ill, "TASK_KILLING", healthy=False)
    world.ask("PUT", "/v2/apps/web", {"instances": 1}, force=True)
    assert [call["kill"]["task_id"]["value"] for call in world.calls if "kill" in call] == [ill]
    assert [task["id"] for task in world.app()["tasks"]] == [well]


def test_a_new_leader_remembers_who_was_well() -> None:
    world = World().lead()
    started(world)
    world.pass_time(6)
    world.answer_probes()
    again = World(world.store, world.tasks, seed=b"other", now=world.now + 1).lead()
    assert again.app()["tasksHealthy"] == 1


def test_probes_are_bounded() -> None:
    world = World(max_concurrent_health_checks=2).lead()
    world.create(healthChecks=[CHECK], ports=[0], instances=5)
    world.offer()
    world.run_all()
    world.pass_time(6)
    assert len(world.probes) == 2
    for _ in range(3):
        world.answer_probes()
    assert world.app()["tasksHealthy"] == 5
