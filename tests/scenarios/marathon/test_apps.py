"""Stories of an app: created, launched, scaled, updated, failing, deleted."""

from tests.scenarios.marathon.harness import World


def test_an_app_is_launched_on_an_offer_and_runs() -> None:
    world = World().lead()
    created = world.create(instances=2)
    assert created["deployments"] and created["tasksRunning"] == 0
    world.offer()
    assert [task["name"] for task in world.launched()] == ["web", "web"]
    world.run_all()
    assert world.running() == 2
    assert world.get("/v2/deployments") == []
    assert world.app()["deployments"] == []


def test_an_instance_is_in_the_store_before_its_launch_is_sent() -> None:
    world = World().lead()
    world.create()
    world.holding_commits = True
    world.offer()
    assert world.launched() == []
    assert any("/instances/" in write.path for commit in world.held for write in commit.writes)
    world.release_commits()
    assert len(world.launched()) == 1


def test_a_launch_is_not_sent_by_the_answer_to_an_earlier_call() -> None:
    """The queue of calls may be moved on by an answer while the commit is still under way."""
    world = World().lead()
    world.create()
    world.holding_commits = True
    world.offer()
    world.disconnect()
    world.pass_time(30)
    assert world.launched() == []


def test_a_create_is_answered_only_after_the_store_said_yes() -> None:
    world = World().lead()
    world.holding_commits = True
    request, answer = world.send("POST", "/v2/apps", {"id": "/web", "cmd": "serve"})
    assert answer is None
    world.release_commits()
    assert world.replies[request].status == 201


def test_a_repeated_update_is_not_answered_before_the_first_is_stored() -> None:
    world = World().lead()
    world.create()
    world.settle()
    world.holding_commits = True
    body = {"instances": 0}
    first, _ = world.send("PUT", "/v2/apps/web", body)
    second, answer = world.send("PUT", "/v2/apps/web", body)
    assert answer is None
    world.release_commits()
    assert [world.replies[each].status for each in (first, second)] == [200, 200]


def test_scaling_up_keeps_the_running_tasks_and_adds_the_missing() -> None:
    world = World().lead()
    world.create(instances=1)
    world.settle()
    before = [task["id"] for task in world.app()["tasks"]]
    world.update_app("/web", instances=3)
    world.settle()
    after = [task["id"] for task in world.app()["tasks"]]
    assert len(after) == 3
    assert set(before) <= set(after)
    assert "KILL" not in world.types()


def test_scaling_down_kills_the_youngest() -> None:
    world = World().lead()
    world.create(instances=1)
    world.settle()
    oldest = world.app()["tasks"][0]["id"]
    world.pass_time(60)
    world.update_app("/web", instances=4)
    world.settle()
    world.update_app("/web", instances=1)
    world.settle()
    assert [task["id"] for task in world.app()["tasks"]] == [oldest]


def test_a_new_command_replaces_every_task_without_ever_having_too_few() -> None:
    world = World().lead()
    world.create(instances=4)
    world.settle()
    old = {task["id"] for task in world.app()["tasks"]}
    strategy = {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.25}
    world.update_app("/web", cmd="serve better", upgradeStrategy=strategy)
    least, most = 4, 4
    for _ in range(30):
        alive = [one for one in world.app()["tasks"] if one["state"] == "TASK_RUNNING"]
        least, most = min(least, len(alive)), max(most, len(world.tasks))
        world.offer(0)
        world.run_all()
        if not world.get("/v2/deployments"):
            break
    assert least >= 2
    assert most <= 5
    tasks = world.app()["tasks"]
    assert len(tasks) == 4
    assert not old & {task["id"] for task in tasks}
    assert all(task["command"]["value"] == "serve better" for task in world.tasks.values())


def test_an_update_at_full_capacity_uses_one_more_instance_to_move_on() -> None:
    world = World().lead()
    strategy = {"minimumHealthCapacity": 1, "maximumOverCapacity": 0}
    world.create(instances=2, upgradeStrategy=strategy)
    world.settle()
    world.update_app("/web", cmd="serve better")
    most = 0
    for _ in range(10):
        world.offer(0)
        most = max(most, len(world.tasks))
        world.run_all()
        assert world.running() >= 2
    assert most == 3
    assert world.get("/v2/deployments") == []


def test_a_failed_instance_is_replaced_after_a_growing_delay() -> None:
    world = World().lead()
    world.create(backoffSeconds=10, backoffFactor=2)
    world.settle()
    first = next(iter(world.tasks))
    world.update(first, "TASK_FAILED", message="out of luck")
    world.offer()
    assert world.tasks == {}
    queue = world.get("/v2/queue")["queue"]
    assert queue[0]["delay"] == {"timeLeftSeconds": 10, "overdue": False}
    world.pass_time(10.1)
    assert world.get("/v2/queue")["queue"][0]["delay"]["overdue"]
    world.offer()
    second = next(iter(world.tasks))
    assert second == first.replace("_app.1", "_app.2")
    world.update(second, "TASK_FAILED")
    assert world.get("/v2/queue")["queue"][0]["delay"]["timeLeftSeconds"] == 20
    failure = world.app()["lastTaskFailure"]
    assert failure["state"] == "TASK_FAILED" and failure["taskId"] == second


def test_the_delay_can_be_reset_by_hand() -> None:
    world = World().lead()
    world.create(backoffSeconds=100)
    world.settle()
    world.update(next(iter(world.tasks)), "TASK_FAILED")
    assert world.ask("DELETE", "/v2/queue//web/delay")[0] == 204
    world.pass_time(6)
    world.offer()
    assert len(world.tasks) == 1


def test_a_deleted_app_is_stopped_and_forgotten() -> None:
    world = World().lead()
    world.create(instances=2)
    world.settle()
    status, result = world.ask("DELETE", "/v2/apps/web")
    assert status == 200 and result["deploymentId"]
    world.settle()
    assert world.tasks == {}
    assert world.ask("GET", "/v2/apps/web")[0] == 404
    assert not [path for path in world.store if "/apps/" in path or "/instances/" in path]


def test_killing_a_task_brings_a_new_one() -> None:
    world = World().lead()
    world.create()
    world.settle()
    task = world.app()["tasks"][0]["id"]
    status, killed = world.ask("DELETE", f"/v2/apps/web/tasks/{task}")
    assert status == 200 and killed["task"]["id"] == task
    world.settle()
    assert world.running() == 1
    assert world.app()["tasks"][0]["id"] != task


def test_killing_with_scale_lowers_the_count() -> None:
    world = World().lead()
    world.create(instances=3)
    world.settle()
    task = world.app()["tasks"][0]["id"]
    status, result = world.ask("POST", "/v2/tasks/delete", {"ids": [task]}, scale=True)
    assert status == 200 and "deploymentId" in result
    world.settle()
    app = world.app()
    assert app["instances"] == 2
    assert task not in [one["id"] for one in app["tasks"]]
    assert world.running() == 2


def test_a_restart_replaces_tasks_and_keeps_the_definition() -> None:
    world = World().lead()
    world.create()
    world.settle()
    before = world.app()
    assert world.ask("POST", "/v2/apps/web/restart")[0] == 200
    world.settle()
    after = world.app()
    assert after["tasks"][0]["id"] != before["tasks"][0]["id"]
    assert after["version"] > before["version"]
    assert after["versionInfo"]["lastScalingAt"] == before["versionInfo"]["lastScalingAt"]


def test_an_update_that_changes_nothing_restarts_nothing() -> None:
    world = World().lead()
    world.create()
    world.settle()
    before = world.app()
    assert world.update_app("/web", cmd="serve")["deploymentId"]
    assert world.get("/v2/deployments") == []
    assert world.app()["tasks"] == before["tasks"]
    assert world.app()["version"] == before["version"]


def test_a_large_app_is_deployed_and_scaled_down_without_a_look_at_each_update() -> None:
    world = World(launch_tokens=10_000, max_instances_per_offer=500).lead()
    world.create(instances=600, cpus=0.001, mem=0.1, ports=[])
    for _ in range(4):
        world.offer(cpus=100, mem=10_000)
        world.pass_time(1)
    assert len(world.tasks) == 600
    world.run_all()
    world.pass_time(1)
    assert world.running() == 600
    assert world.get("/v2/deployments") == []
    world.update_app("/web", instances=1)
    world.pass_time(300)
    assert world.running() == 1 and len(world.tasks) == 1
    assert world.get("/v2/deployments") == []


def test_a_task_is_shown_as_ending_before_it_is_killed() -> None:
    world = World(kill_delay_s=2).lead()
    world.create(instances=2)
    world.settle()
    stream = world.listen("status_update_event")
    world.update_app("/web", instances=1)
    assert [one["taskStatus"] for one in world.events(stream)] == ["TASK_KILLING"]
    assert world.running() == 1
    assert "KILL" not in world.types()
    world.pass_time(2.1)
    assert world.types().count("KILL") == 1
    assert len(world.tasks) == 1


def test_kills_under_way_are_bounded() -> None:
    world = World(kill_chunk_size=2).lead()
    world.create(instances=5)
    world.settle()
    world.killing = False
    world.update_app("/web", instances=0)
    assert world.types().count("KILL") == 2
    world.killing = True
    world.pass_time(31)
    assert world.tasks == {}
