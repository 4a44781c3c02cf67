"""The names that tools read: keys of the legacy pages and metrics, as the original spells them."""

from typing import Any

import pytest

from mesosphere.wire.mesos import describe_master
from mesosphere.wire.mesos.common import DomainInfo, FaultDomain, RegionInfo, ZoneInfo
from tests.scenarios.master.peers import AgentPeer, FrameworkPeer, task
from tests.scenarios.master.world import STEP_S, World

DOMAIN = DomainInfo(fault_domain=FaultDomain(region=RegionInfo(name="r"), zone=ZoneInfo(name="z")))
INFO = describe_master("", "master.test", "127.0.0.1", 5050, "1.11.0", DOMAIN)
COUNTED = (
    "TASK_STAGING TASK_STARTING TASK_RUNNING TASK_KILLING TASK_FINISHED TASK_KILLED TASK_FAILED"
    " TASK_LOST TASK_ERROR TASK_UNREACHABLE"
)
AGENT = (
    "id hostname port attributes pid registered_time resources used_resources offered_resources"
    " reserved_resources unreserved_resources active deactivated version capabilities"
)
FRAMEWORK = (
    "id name used_resources offered_resources capabilities hostname webui_url active connected"
    " recovered user failover_timeout checkpoint registered_time unregistered_time principal"
    " resources role labels"
)


@pytest.fixture
def world() -> World:
    flags = {"external_log_file": "/var/log/m", "log_dir": "/var/log"}
    world = World(info=INFO, cluster="c", flags=flags).lead()
    framework = FrameworkPeer(
        world, "PARTITION_AWARE", principal="p", labels={"labels": [{"key": "k", "value": "v"}]},
        name="a b/c",
    ).subscribe()  # fmt: skip
    agent = AgentPeer(world, "a").subscribe()
    executor = {
        "executor_id": {"value": "e1"}, "command": {"value": "run"}, "type": "CUSTOM",
        "labels": {"labels": [{"key": "k"}]}, "resources": [],
    }  # fmt: skip
    custom = task("t1", agent, executor=executor, labels={"labels": [{"key": "k"}]})
    del custom["command"]
    framework.accept(framework.offer(), custom, refuse_s=0)
    agent.update(framework, "t1", "TASK_RUNNING", healthy=True, labels={"labels": [{"key": "k"}]})
    framework.offer()
    return world


def holds(shown: dict[str, Any], names: str) -> None:
    assert set(names.split()) - shown.keys() == set()


def test_state(world: World) -> None:
    shown = world.read("/state")
    holds(
        shown,
        "version build_date build_time build_user start_time elected_time id pid hostname"
        " capabilities activated_slaves deactivated_slaves unreachable_slaves domain leader"
        " leader_info cluster log_dir external_log_file flags slaves recovered_slaves frameworks"
        " completed_frameworks orphan_tasks unregistered_frameworks",
    )
    assert shown["pid"] == "master@127.0.0.1:5050" and shown["leader"] == shown["pid"]
    holds(shown["leader_info"], "id pid port hostname domain")
    assert shown["capabilities"] == ["AGENT_UPDATE", "AGENT_DRAINING", "QUOTA_V2"]
    [agent] = shown["slaves"]
    holds(agent, AGENT)
    holds(agent["resources"], "cpus gpus mem disk ports")
    [framework] = shown["frameworks"]
    holds(framework, FRAMEWORK + " tasks unreachable_tasks completed_tasks offers executors")
    [running] = framework["tasks"]
    holds(
        running,
        "id name framework_id executor_id slave_id state resources role statuses user labels",
    )
    assert running["labels"] == [{"key": "k"}]
    holds(running["statuses"][0], "state timestamp")
    assert running["statuses"][-1]["healthy"] is True
    [executor] = framework["executors"]
    holds(executor, "executor_id name framework_id command resources labels type slave_id")
    [offer] = framework["offers"]
    holds(offer, "id framework_id allocation_info slave_id resources")


def test_the_other_pages(world: World) -> None:
    summary = world.read("/state-summary")
    holds(summary, "hostname cluster slaves frameworks")
    holds(summary["slaves"][0], f"{AGENT} {COUNTED} framework_ids")
    holds(
        summary["frameworks"][0],
        "id name used_resources offered_resources capabilities hostname webui_url active"
        f" connected recovered {COUNTED} slave_ids",
    )
    agents = world.read("/slaves")
    holds(agents, "slaves recovered_slaves")
    holds(
        agents["slaves"][0],
        AGENT + " reserved_resources_full unreserved_resources_full used_resources_full"
        " offered_resources_full",
    )
    holds(world.read("/frameworks"), "frameworks completed_frameworks unregistered_frameworks")
    [role] = world.read("/roles")["roles"]
    holds(role, "name weight quota resources allocated offered reserved frameworks")
    holds(role["quota"], "role guarantee limit consumed")
    holds(world.read("/version"), "version build_date build_time build_user")
    holds(
        world.read("/system/stats"),
        "avg_load_1min avg_load_5min avg_load_15min cpus_total mem_total_bytes mem_free_bytes",
    )


def test_the_registry(world: World) -> None:
    shown = world.read("/registrar(1)/registry")
    holds(shown, "master slaves unreachable gone machines schedules quota_configs weights")
    [agent] = shown["slaves"]["slaves"]
    assert agent["info"]["hostname"] == "a" and agent["deactivated"] is False
    assert shown["master"]["info"]["hostname"] == "master.test"
    assert world.read("/registrar(1)/registry.json") == shown


METRICS = """
    uptime_secs elected slaves_connected slaves_disconnected slaves_active slaves_inactive
    slaves_unreachable frameworks_connected frameworks_disconnected frameworks_active
    frameworks_inactive outstanding_offers operator_event_stream_subscribers tasks_staging
    tasks_starting tasks_running tasks_killing tasks_unreachable tasks_finished tasks_failed
    tasks_killed tasks_lost tasks_error tasks_dropped tasks_gone tasks_gone_by_operator
    dropped_messages http_cache_hits messages_register_framework messages_reregister_framework
    messages_unregister_framework messages_deactivate_framework messages_kill_task
    messages_status_update_acknowledgement messages_operation_status_update_acknowledgement
    messages_resource_request messages_launch_tasks messages_decline_offers messages_revive_offers
    messages_suppress_offers messages_reconcile_tasks messages_reconcile_operations
    messages_framework_to_executor messages_executor_to_framework messages_register_slave
    messages_reregister_slave messages_unregister_slave messages_status_update
    messages_operation_status_update messages_exited_executor messages_update_slave
    messages_authenticate valid_framework_to_executor_messages
    invalid_framework_to_executor_messages valid_executor_to_framework_messages
    invalid_executor_to_framework_messages valid_status_updates invalid_status_updates
    valid_status_update_acknowledgements invalid_status_update_acknowledgements
    valid_operation_status_updates invalid_operation_status_updates
    valid_operation_status_update_acknowledgements invalid_operation_status_update_acknowledgements
    recovery_slave_removals event_queue_messages event_queue_dispatches event_queue_http_requests
    slave_registrations slave_reregistrations slave_removals slave_removals/reason_unhealthy
    slave_removals/reason_unregistered slave_removals/reason_registered slave_shutdowns_scheduled
    slave_shutdowns_completed slave_shutdowns_canceled slave_unreachable_scheduled
    slave_unreachable_completed slave_unreachable_canceled cpus_total cpus_used cpus_percent
    gpus_total mem_total mem_used disk_total disk_percent cpus_revocable_total mem_revocable_used
    disk_revocable_percent
"""
TIMER = "count min max p50 p90 p95 p99 p999 p9999"


def test_metrics(world: World) -> None:
    shown = world.read("/metrics/snapshot")
    assert {f"master/{name}" for name in METRICS.split()} - shown.keys() == set()
    others = {
        "allocator/event_queue_dispatches", "allocator/mesos/event_queue_dispatches",
        "allocator/mesos/allocation_runs", "allocator/mesos/roles/*/shares/dominant",
        "allocator/mesos/resources/cpus/total",
        "allocator/mesos/resources/mem/offered_or_allocated",
        "registrar/queued_operations", "registrar/registry_size_bytes", "registrar/log/recovered",
    }  # fmt: skip
    for timer in (
        "allocator/mesos/allocation_run_ms", "allocator/mesos/allocation_run_latency_ms",
        "registrar/state_store_ms", "registrar/state_fetch_ms",
    ):  # fmt: skip
        others |= {timer, *(f"{timer}/{name}" for name in TIMER.split())}
    assert others - shown.keys() == set()
    assert shown["master/messages_launch_tasks"] == 1
    assert shown["registrar/registry_size_bytes"] > 0
    runs = shown["allocator/mesos/allocation_runs"]
    assert shown["allocator/mesos/allocation_run_ms/count"] == runs
    assert shown["allocator/mesos/allocation_run_ms/p99"] == pytest.approx(STEP_S * 1000)
    assert shown["frameworks/p/messages_received"] == shown["frameworks/p/messages_processed"] > 0


def test_metrics_of_a_framework(world: World) -> None:
    shown = world.read("/metrics/snapshot")
    framework = world.read("/frameworks")["frameworks"][0]["id"]
    prefix = f"master/frameworks/a%20b%2Fc/{framework}/"
    mine = {name.removeprefix(prefix): value for name, value in shown.items() if prefix in name}
    expected = {
        "subscribed": 1, "calls/subscribe": 1, "calls/accept": 1, "calls/kill": 0, "calls": 2,
        "events/subscribed": 1, "events/offers": 2, "events/update": 1, "events/rescind": 0,
        "operations/launch": 1, "operations/reserve": 0, "operations": 1, "offers/sent": 2,
        "offers/accepted": 1, "offers/declined": 0, "offers/rescinded": 0,
        "tasks/active/task_running": 1, "tasks/active/task_staging": 0,
        "tasks/terminal/task_finished": 0, "roles/*/suppressed": 0,
    }  # fmt: skip
    assert {name: mine[name] for name in expected} == expected


def test_a_task_that_ended_is_counted_once_for_its_framework() -> None:
    world = World().lead()
    framework = FrameworkPeer(world).subscribe()
    agent = AgentPeer(world, "a").subscribe()
    framework.launch(agent)
    agent.update(framework, "t1", "TASK_FINISHED")
    agent.update(framework, "t1", "TASK_FINISHED")
    ended = [
        value
        for name, value in world.read("/metrics/snapshot").items()
        if name.endswith("tasks/terminal/task_finished")
    ]
    assert ended == [1]


def test_metrics_of_frameworks_can_be_left_out() -> None:
    world = World(publish_per_framework_metrics=False).lead()
    FrameworkPeer(world).subscribe()
    assert not [name for name in world.read("/metrics/snapshot") if "master/frameworks/" in name]
