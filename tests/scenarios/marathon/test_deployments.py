"""Stories of deployments: order, locks, force, rollback, groups."""

from tests.scenarios.marathon.harness import World


def test_an_app_starts_only_after_those_it_depends_on() -> None:
    world = World().lead()
    group = {
        "id": "/shop",
        "apps": [
            {"id": "web", "cmd": "web", "dependencies": ["db"]},
            {"id": "db", "cmd": "db"},
        ],
    }
    status, _ = world.ask("POST", "/v2/groups", group)
    assert status == 201
    steps = world.get("/v2/deployments")[0]["steps"]
    assert [[one["app"] for one in step["actions"]] for step in steps] == [
        ["/shop/db", "/shop/web"],
        ["/shop/db"],
        ["/shop/web"],
    ]
    world.offer_all()
    assert [task["name"] for task in world.launched()] == ["db.shop"]
    world.run_all()
    world.pass_time(6)
    world.offer_all()
    assert [task["name"] for task in world.launched()] == ["db.shop", "web.shop"]
    world.settle()
    assert world.get("/v2/deployments") == []


def test_a_change_of_a_locked_app_is_refused_with_the_deployment_that_locks_it() -> None:
    world = World().lead()
    created = world.create(instances=2)
    status, refusal = world.ask("PUT", "/v2/apps/web", {"instances": 3})
    assert status == 409
    assert refusal["deployments"] == created["deployments"]
    assert "force=true" in refusal["message"]
    assert world.app()["instances"] == 2


def test_force_cancels_the_deployment_in_the_way() -> None:
    world = World().lead()
    stream = world.listen("deployment_failed")
    created = world.create(instances=2)
    status, _ = world.ask("PUT", "/v2/apps/web", {"instances": 1}, force=True)
    assert status == 200
    failed = world.events(stream)
    assert [one["id"] for one in failed] == [created["deployments"][0]["id"]]
    world.settle()
    assert world.running() == 1


def test_scaling_in_the_middle_of_an_update_does_not_keep_old_instances() -> None:
    world = World().lead()
    world.create(instances=4, env={"VERSION": "1"})
    world.settle()
    old = {task["id"] for task in world.app()["tasks"]}
    world.update_app("/web", env={"VERSION": "2"})
    status, _ = world.ask("PUT", "/v2/apps/web", {"instances": 3}, force=True)
    assert status == 200
    world.settle()
    tasks = {task["id"] for task in world.app()["tasks"]}
    assert len(tasks) == 3
    assert not tasks & old


def test_cancelling_rolls_back_to_what_was_before() -> None:
    world = World().lead()
    world.create(instances=1)
    world.settle()
    deployment = world.update_app("/web", instances=5)["deploymentId"]
    status, result = world.ask("DELETE", f"/v2/deployments/{deployment}")
    assert status == 200 and result["deploymentId"] != deployment
    world.settle()
    assert world.app()["instances"] == 1
    assert world.running() == 1


def test_cancelling_a_creation_removes_the_app() -> None:
    world = World().lead()
    created = world.create(instances=1)
    assert world.ask("DELETE", f"/v2/deployments/{created['deployments'][0]['id']}")[0] == 200
    world.settle()
    assert world.ask("GET", "/v2/apps/web")[0] == 404
    assert not [path for path in world.store if "/apps/" in path]


def test_cancelling_a_deletion_brings_the_app_back() -> None:
    world = World().lead()
    world.create(instances=1)
    world.settle()
    world.killing = False
    deployment = world.ask("DELETE", "/v2/apps/web")[1]["deploymentId"]
    assert world.ask("DELETE", f"/v2/deployments/{deployment}")[0] == 200
    world.killing = True
    world.pass_time(40)
    world.settle()
    assert world.running() == 1
    assert world.ask("GET", "/v2/apps/web")[1]["app"]["cmd"] == "serve"


def test_a_forced_cancel_leaves_things_as_they_are() -> None:
    world = World().lead()
    created = world.create(instances=3)
    status, body = world.ask(
        "DELETE", f"/v2/deployments/{created['deployments'][0]['id']}", force=True
    )
    assert (status, body) == (202, None)
    assert world.get("/v2/deployments") == []
    assert world.app()["instances"] == 3
    assert world.ask("DELETE", "/v2/deployments/none")[0] == 404


def test_many_apps_are_changed_by_one_deployment() -> None:
    world = World().lead()
    apps = [{"id": f"/a{number}", "cmd": "x", "cpus": 0.1, "mem": 1} for number in range(3)]
    status, result = world.ask("PUT", "/v2/apps", apps)
    assert status == 200
    running = world.get("/v2/deployments")
    assert [one["id"] for one in running] == [result["deploymentId"]]
    assert sorted(running[0]["affectedApps"]) == ["/a0", "/a1", "/a2"]
    world.settle()
    assert all(world.running(f"/a{number}") == 1 for number in range(3))


def test_an_app_can_be_rolled_back_to_an_earlier_version() -> None:
    world = World().lead()
    first = world.create(cmd="one")["version"]
    world.settle()
    world.update_app("/web", cmd="two")
    world.settle()
    world.update_app("/web", version=first)
    world.settle()
    assert world.app()["cmd"] == "one"
    assert len(world.get("/v2/apps/web/versions")["versions"]) == 3
    assert world.get(f"/v2/apps/web/versions/{first}")["cmd"] == "one"


def test_a_group_is_scaled_and_removed_as_a_whole() -> None:
    world = World().lead()
    group = {"id": "/g", "apps": [{"id": "a", "cmd": "x"}], "groups": [{"id": "h"}]}
    world.ask("POST", "/v2/groups", group)
    world.settle()
    assert world.ask("PUT", "/v2/groups/g", {"scaleBy": 2})[0] == 200
    world.settle()
    assert world.running("/g/a") == 2
    assert world.ask("DELETE", "/v2/groups/g")[0] == 200
    world.settle()
    assert world.ask("GET", "/v2/groups/g")[0] == 404
    assert world.tasks == {}


def test_a_group_goes_back_to_a_version_of_the_tree() -> None:
    world = World().lead()
    world.ask("PUT", "/v2/groups/g", {"apps": [{"id": "a", "cmd": "one"}]})
    world.settle()
    version = world.get("/v2/groups/versions")[0]
    world.ask("PUT", "/v2/groups/g", {"apps": [{"id": "a", "cmd": "two"}, {"id": "b", "cmd": "x"}]})
    world.settle()
    assert world.get(f"/v2/groups/g/versions/{version}")["apps"][0]["cmd"] == "one"
    assert world.ask("PUT", "/v2/groups/g", {"version": version})[0] == 200
    world.settle()
    assert [app["id"] for app in world.get("/v2/groups/g")["apps"]] == ["/g/a"]
    assert world.app("/g/a")["cmd"] == "one"


def test_a_dry_run_shows_the_steps_and_changes_nothing() -> None:
    world = World().lead()
    body = {"apps": [{"id": "/a", "cmd": "x"}]}
    status, shown = world.ask("PUT", "/v2/groups", body, dryRun=True)
    assert status == 200
    assert [one["action"] for step in shown["steps"] for one in step["actions"]] == [
        "StartApplication",
        "ScaleApplication",
    ]
    assert world.get("/v2/apps") == {"apps": []}


def test_events_tell_a_deployment_from_beginning_to_end() -> None:
    world = World().lead()
    stream = world.listen()
    world.create()
    world.settle()
    names = [one["eventType"] for one in world.events(stream)]
    assert names[0] == "event_stream_attached"
    story = [
        name
        for name in names
        if name
        in ("group_change_success", "deployment_info", "status_update_event", "deployment_success")
    ]
    assert story == [
        "group_change_success",
        "deployment_info",
        "deployment_info",
        "status_update_event",
        "status_update_event",
        "deployment_success",
    ]
    assert "api_post_event" in names
    updates = [one for one in world.events(stream) if one["eventType"] == "status_update_event"]
    assert [one["taskStatus"] for one in updates] == ["TASK_STAGING", "TASK_RUNNING"]
    assert updates[0]["appId"] == "/web" and updates[0]["host"] == "agent0"


def test_a_readiness_check_holds_a_deployment_until_it_passes() -> None:
    world = World().lead()
    ready = {"portName": "http", "path": "/ready", "intervalSeconds": 2, "timeoutSeconds": 1}
    world.create(portDefinitions=[{"port": 0, "name": "http"}], readinessChecks=[ready])
    world.offer()
    world.run_all()
    port = world.app()["tasks"][0]["ports"][0]
    world.health[port] = 503
    world.answer_probes()
    world.pass_time(5)
    assert len(world.get("/v2/deployments")) == 1
    del world.health[port]
    world.answer_probes()
    assert world.get("/v2/deployments") == []


def test_a_deployment_survives_a_crash_after_any_of_its_commits() -> None:
    """The process dies after each commit in turn; a new leader ends with the same cluster."""
    for crash in range(1, 14):
        world = World(seed=b"first")
        world.lead()
        world.create(instances=2, upgradeStrategy={"minimumHealthCapacity": 0.5})
        world.settle()
        story = iter(range(crash))
        world.holding_commits = True
        world.send("PUT", "/v2/apps/web", {"cmd": "serve better", "instances": 3})
        while next(story, None) is not None:
            if world.held:
                world._commit(world.held.pop(0))
            world.offer(0)
            world.run_all()
        again = World(world.store, world.tasks, seed=b"second", now=world.now + 20).lead()
        again.settle()
        if again.app()["instances"] == 2:  # it died before the change was stored
            continue
        assert again.running() == 3
        commands = {task["command"]["value"] for task in again.tasks.values()}
        assert commands == {"serve better"}
        assert len(again.tasks) == 3
        assert again.get("/v2/deployments") == []
