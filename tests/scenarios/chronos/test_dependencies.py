"""Stories of jobs that run after others."""

from tests.scenarios.chronos.harness import World


def test_a_child_runs_after_its_parent_and_not_before() -> None:
    world = World().lead()
    world.submit("parent", schedule="R1//PT1H")
    world.submit("child", parents=["parent"])
    world.pass_time(1)
    world.run()
    world.offer()
    assert [task["name"] for task in world.launched()] == [
        "ChronosTask:parent",
        "ChronosTask:child",
    ]


def test_a_failed_parent_holds_its_child_back() -> None:
    world = World().lead()
    world.submit("parent", schedule="R1//PT1H", retries=0)
    world.submit("child", parents=["parent"])
    world.pass_time(1)
    world.run("TASK_FAILED")
    world.offer()
    assert len(world.launched()) == 1


def test_a_soft_error_lets_the_child_go() -> None:
    world = World().lead()
    world.submit("parent", schedule="R1//PT1H", retries=0, softError=True)
    world.submit("child", parents=["parent"])
    world.pass_time(1)
    world.run("TASK_FAILED")
    world.offer()
    assert len(world.launched()) == 2


def test_a_child_of_two_waits_for_both() -> None:
    world = World().lead()
    world.submit("a", schedule="R1//PT1H")
    world.submit("b", schedule="R1//PT1H")
    world.submit("child", parents=["a", "b"])
    world.pass_time(1)
    world.offer()
    first, second = world.launched()
    world.update(first, "TASK_FINISHED")
    world.offer()
    assert len(world.launched()) == 2
    world.update(second, "TASK_FINISHED")
    world.offer()
    assert len(world.launched()) == 3


def test_a_cycle_is_refused_and_told() -> None:
    world = World().lead()
    world.submit("a", schedule="R0//PT1H")
    world.submit("b", parents=["a"])
    answer = world.submit("a", parents=["b"])
    assert answer.status == 400
    assert b"a -> b -> a" in bytes(answer.body if isinstance(answer.body, bytes) else b"")


def test_a_child_whose_parent_is_unknown_stays_visible_and_runs_once_it_exists() -> None:
    world = World().lead()
    assert world.submit("child", parents=["later"]).status == 204
    assert world.job("child")["parents"] == ["later"]
    world.submit("later", schedule="R1//PT1H")
    world.pass_time(1)
    world.run()
    world.offer()
    assert len(world.launched()) == 2


def test_deleting_a_scheduled_parent_hands_its_schedule_to_an_only_child() -> None:
    world = World().lead()
    world.submit("parent", schedule="R/2030-01-01T00:00:00Z/PT1H")
    world.submit("child", parents=["parent"], environmentVariables=[{"name": "A", "value": "b"}])
    assert world.ask("DELETE", "/v1/scheduler/job/parent").status == 204
    child = world.job("child")
    assert child["schedule"] == "R/2030-01-01T00:00:00Z/PT1H"
    assert child["environmentVariables"] == [{"name": "A", "value": "b"}]


def test_deleting_the_middle_of_a_chain_joins_its_ends() -> None:
    world = World().lead()
    world.submit("a", schedule="R/2030-01-01T00:00:00Z/PT1H")
    world.submit("b", parents=["a"])
    world.submit("c", parents=["b"])
    world.ask("DELETE", "/v1/scheduler/job/b")
    assert world.job("c")["parents"] == ["a"]


def test_deleting_a_job_kills_its_task_until_it_ends() -> None:
    world = World().lead()
    world.submit("a", schedule="R1//PT1H")
    world.pass_time(1)
    world.offer()
    task = world.launched()[0]
    world.update(task, "TASK_RUNNING")
    world.ask("DELETE", "/v1/scheduler/job/a")
    world.pass_time(25)
    assert world.types().count("KILL") == 3
    world.update(task, "TASK_KILLED")
    world.pass_time(60)
    assert world.types().count("KILL") == 3


def test_marking_a_success_releases_the_children() -> None:
    world = World().lead()
    world.submit("a", schedule="R/2030-01-01T00:00:00Z/PT1H")
    world.submit("b", parents=["a"])
    answer = world.ask("PUT", "/v1/scheduler/job/success/a")
    assert answer.status == 200
    world.offer()
    assert [task["name"] for task in world.launched()] == ["ChronosTask:b"]
    assert b"false" in bytes(
        body
        if isinstance(body := world.ask("PUT", "/v1/scheduler/job/success/nobody").body, bytes)
        else b""
    )
