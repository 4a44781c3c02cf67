"""Stories of jobs: due, launched, finished, failed, retried."""

import json
from typing import Any

from mesosphere.chronos.core.notifications import Channels
from tests.scenarios.chronos.harness import START, World

HOURLY = "R/2023-11-14T22:00:00Z/PT1H"  # START is 22:13:20 of that day


def test_a_due_job_is_launched_on_the_first_offer_and_counted() -> None:
    world = World().lead()
    assert world.submit("a", schedule=HOURLY).status == 204
    world.pass_time(1)
    task = world.run()
    assert task["name"] == "ChronosTask:a"
    assert world.job("a")["successCount"] == 1
    assert world.job("a")["schedule"] == "R/2023-11-14T23:00:00.000Z/PT1H"
    world.pass_time(1000)
    assert len(world.launched()) == 1
    world.pass_time(3600)
    world.run()
    assert world.job("a")["successCount"] == 2


def test_r3_is_launched_three_times_and_then_disabled() -> None:
    world = World().lead()
    world.submit("a", schedule="R3/2023-11-14T22:00:00Z/PT1M")
    for _ in range(3):
        world.pass_time(60)
        world.run()
    assert world.job("a")["disabled"] is True
    world.pass_time(600)
    world.offer()
    assert len(world.launched()) == 3


def test_a_job_is_never_due_before_its_start() -> None:
    world = World().lead()
    world.submit("a", schedule="R/2023-11-14T23:00:00Z/PT1H")
    world.pass_time(60)
    world.offer()
    assert world.launched() == []
    assert world.types()[-1] == "DECLINE"


def test_a_failed_run_is_retried_after_the_delay_and_no_more_than_told() -> None:
    world = World(failure_retry_s=60.0).lead()
    world.submit("a", schedule="R1//PT1H", retries=2)
    world.pass_time(1)
    for attempt in range(3):
        task = world.run("TASK_FAILED")
        assert task["task_id"]["value"].split(":")[2] == str(attempt)
        world.offer()
        world.pass_time(61)
    world.offer()
    assert len(world.launched()) == 3
    assert world.job("a")["errorCount"] == 1
    assert world.job("a")["errorsSinceLastSuccess"] == 1


def test_a_job_that_failed_last_time_still_gets_its_retries() -> None:
    world = World(failure_retry_s=10.0).lead()
    world.submit("a", schedule="R//PT1H", retries=1)
    world.pass_time(1)
    for _ in range(2):
        world.run("TASK_FAILED")
        world.pass_time(11)
        world.run("TASK_FAILED")
        world.pass_time(3600)
    assert world.job("a")["errorCount"] == 2
    assert len(world.launched()) == 4


def test_a_killed_task_is_history_but_no_failure() -> None:
    world = World().lead()
    world.submit("a", schedule="R1//PT1H")
    world.pass_time(1)
    world.run("TASK_KILLED")
    assert world.job("a")["errorCount"] == 0
    world.pass_time(600)
    world.offer()
    assert len(world.launched()) == 1


def test_a_launch_that_never_arrived_is_repeated_and_uses_no_attempt() -> None:
    world = World().lead()
    world.submit("a", schedule="R1//PT1H", retries=0)
    world.pass_time(1)
    world.offer()
    world.update(world.launched()[0], "TASK_LOST", source="SOURCE_MASTER")
    world.pass_time(1)
    world.run()
    assert world.job("a")["successCount"] == 1
    assert world.job("a")["errorCount"] == 0


def test_a_job_that_is_still_running_runs_once_late_and_never_twice_at_a_time() -> None:
    world = World().lead()
    world.submit("a", schedule="R/2023-11-14T22:00:00Z/PT1M")
    world.pass_time(1)
    world.offer()
    first = world.launched()[0]
    world.update(first, "TASK_RUNNING")
    world.pass_time(600)
    world.offer()
    assert len(world.launched()) == 1
    world.update(first, "TASK_FINISHED")
    world.offer()
    assert len(world.launched()) == 2


def test_a_concurrent_job_may_overlap() -> None:
    world = World().lead()
    world.submit("a", schedule="R/2023-11-14T22:00:00Z/PT1M", concurrent=True)
    world.pass_time(1)
    world.offer()
    world.pass_time(60)
    world.offer()
    assert len(world.launched()) == 2


def test_an_impossible_job_does_not_stop_those_behind_it() -> None:
    world = World().lead()
    world.submit("huge", schedule="R1//PT1H", cpus=1000)
    world.submit("small", schedule="R1//PT1H")
    world.pass_time(1)
    world.offer()
    assert [task["name"] for task in world.launched()] == ["ChronosTask:small"]


def test_several_jobs_share_an_offer_and_never_exceed_it() -> None:
    world = World().lead()
    for number in range(5):
        world.submit(f"j{number}", schedule="R1//PT1H", cpus=1.0)
    world.pass_time(1)
    world.offer(cpus=3)
    assert len(world.launched()) == 3


def test_high_priority_goes_first() -> None:
    world = World().lead()
    world.submit("low", schedule="R1//PT1H")
    world.submit("high", schedule="R1//PT1H", highPriority=True)
    world.pass_time(1)
    world.offer()
    assert world.launched()[0]["name"] == "ChronosTask:high"


def test_offers_are_suppressed_while_nothing_waits_and_revived_when_something_does() -> None:
    def steered() -> list[str]:
        return [one for one in world.types() if one in ("REVIVE", "SUPPRESS")]

    world = World().lead()
    assert steered() == ["SUPPRESS"]
    world.submit("a", schedule="R1//PT1H")
    world.pass_time(1)
    assert steered() == ["SUPPRESS", "REVIVE"]
    world.run()
    assert steered() == ["SUPPRESS", "REVIVE", "SUPPRESS"]


def test_nothing_is_launched_or_answered_before_it_is_durable() -> None:
    world = World().lead()
    world.holding_commits = True
    assert world.submit("a", schedule="R1//PT1H").status == 0
    world.commit(world.held.pop(0))
    assert any(reply.status == 204 for reply in world.replies.values())
    world.pass_time(1)
    world.offer()
    assert world.launched() == []
    while world.held:
        world.commit(world.held.pop(0))
    assert len(world.launched()) == 1


def test_an_update_is_acknowledged_only_once_its_effect_is_durable() -> None:
    world = World().lead()
    world.submit("a", schedule="R1//PT1H")
    world.pass_time(1)
    world.offer()
    world.holding_commits = True
    world.update(world.launched()[0], "TASK_FINISHED")
    assert "ACKNOWLEDGE" not in world.types()
    while world.held:
        world.commit(world.held.pop(0))
    assert "ACKNOWLEDGE" in world.types()


def test_disabling_after_failures_in_a_row() -> None:
    world = World(disable_after_failures=2, failure_retry_s=1.0).lead()
    world.submit("a", schedule="R//PT1M", retries=0)
    world.pass_time(1)
    world.run("TASK_FAILED")
    assert world.job("a")["disabled"] is False
    world.pass_time(61)
    world.run("TASK_FAILED")
    assert world.job("a")["disabled"] is True


def test_a_manual_run_uses_its_arguments_and_none_of_the_repeats() -> None:
    world = World().lead()
    world.submit("a", schedule="R0/2023-11-14T22:00:00Z/PT1H", command="echo")
    query = {"arguments": ["-a 1; rm"]}
    assert world.ask("PUT", "/v1/scheduler/job/a", query=query).status == 204
    task = world.run()
    assert task["command"]["value"] == "echo -a 1 rm"
    assert world.job("a")["schedule"].startswith("R0/")
    world.pass_time(7200)
    world.offer()
    assert len(world.launched()) == 1


def test_the_environment_tells_the_task_who_it_is() -> None:
    world = World().lead()
    world.submit("a", schedule="R1//PT1H", owner="me", mem=64)
    world.pass_time(1)
    task = world.run()
    variables = {v["name"]: v["value"] for v in task["command"]["environment"]["variables"]}
    assert variables["CHRONOS_JOB_NAME"] == "a"
    assert variables["CHRONOS_JOB_OWNER"] == "me"
    assert variables["CHRONOS_RESOURCE_MEM"] == "64.0"
    assert variables["mesos_task_id"] == task["task_id"]["value"]
    assert variables["HOST"] == "agent0"


def test_constraints_choose_the_agent() -> None:
    world = World().lead()
    world.submit("a", schedule="R1//PT1H", constraints=[["rack", "LIKE", "r[12]"]])
    world.pass_time(1)
    world.offer(attributes=[{"name": "rack", "type": "TEXT", "text": {"value": "r3"}}])
    assert world.launched() == []
    world.offer(attributes=[{"name": "rack", "type": "TEXT", "text": {"value": "r2"}}])
    assert len(world.launched()) == 1
    assert world.now > START


def test_failures_are_notified_also_of_a_job_that_nobody_owns() -> None:
    world = World(channels=Channels(http_url="http://hook/")).lead()
    world.submit("lonely", schedule="R1//PT1H", retries=0)
    world.pass_time(1)
    world.run("TASK_FAILED")
    [told] = [call for call in world.calls if "subject" in call]
    assert told["subject"] == "[Chronos] job 'lonely' failed!"
    assert "to" not in told
    assert all(isinstance(value, str) for value in told.values())


def test_each_owner_is_notified() -> None:
    world = World(channels=Channels(http_url="http://hook/", cluster_name="east")).lead()
    world.submit("shared", schedule="R0//PT1H", owner="a@x, b@x")
    world.ask("DELETE", "/v1/scheduler/job/shared")
    told = [call for call in world.calls if "subject" in call]
    assert [one["to"] for one in told] == ["a@x", "b@x"]
    assert told[0]["subject"] == "[east] [Chronos] Your job 'shared' was deleted!"
    assert "message" not in told[0]


def test_every_channel_is_told_in_its_form_once_it_is_durable() -> None:
    channels = Channels(
        http_url="http://hook/",
        credentials="user:password",
        slack_url="http://slack/",
        mattermost_url="http://mattermost/",
    )
    world = World(channels=channels).lead()
    world.submit("a", schedule="R1//PT1H", retries=0)
    world.pass_time(1)
    world.offer()
    [task] = world.launched()
    world.sent.clear()
    world.holding_commits = True
    world.update(task, "TASK_FAILED")
    assert world.sent == []
    world.commit(world.held.pop(0))
    urls = {call.url: call for call in world.sent if call.call.startswith("notify/")}
    assert list(urls) == ["http://hook/", "http://slack/", "http://mattermost/"]
    assert urls["http://hook/"].headers["Authorization"] == "Basic dXNlcjpwYXNzd29yZA=="
    assert "Authorization" not in urls["http://slack/"].headers
    text = json.loads(urls["http://slack/"].body)["text"]
    assert text.startswith("[Chronos] job 'a' failed!: 'ct:")
    assert urls["http://mattermost/"].body == urls["http://slack/"].body


def test_odd_numbers_and_expressions_end_no_process() -> None:
    world = World().lead()
    odd: list[dict[str, Any]] = [
        {"constraints": [["hostname", "LIKE", "(" * 3000]]},
        {"constraints": [["hostname", "UNLIKE", "a{999999999999999999999}"]]},
        {"maxCompletionTime": 10**14},
        {"cpus": 1e300, "retries": 10**30, "errorCount": 1e30},
        {"schedule": "R/9999-12-31T23:59:59Z/P1Y"},
        {"scheduleTimeZone": "../../etc/passwd"},
        {"arguments": ["\x00", "/"]},
    ]
    for number, fields in enumerate(odd):
        answer = world.submit(f"job-{number}", **{"schedule": "R//PT1H", **fields})
        assert answer.status == 204
    world.pass_time(5)
    world.offer()
    world.pass_time(5)
    for task in world.launched():
        if "max_completion_time" in task:
            assert task["max_completion_time"]["nanoseconds"] < 2**63
    assert world.ask("GET", "/v1/scheduler/jobs/search", None, {"limit": ["\u00b2"]}).status == 400
    assert len(World(store=world.store).lead().machine.book.jobs) == len(odd)


def test_what_is_asked_and_killed_while_the_store_is_slow_goes_after_the_launch() -> None:
    world = World(reconciliation_interval_s=30.0).lead()
    world.submit("a", schedule="R/2030-01-01T00:00:00Z/PT1H")
    world.ask("PUT", "/v1/scheduler/job/a")
    world.holding_commits = True
    world.offer()
    world.pass_time(31)
    world.ask("DELETE", "/v1/scheduler/task/kill/a")
    assert "ACCEPT" not in world.types() and "KILL" not in world.types()
    world.calls.clear()
    world.holding_commits = False
    while world.held:
        world.commit(world.held.pop(0))
    assert world.types() == ["ACCEPT", "RECONCILE", "KILL"]
    assert len(world.launched()) == 1
