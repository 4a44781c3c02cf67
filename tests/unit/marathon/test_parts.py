"""Instances, back-off, health, planner, service ports, storage: each by itself."""

import pytest

from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.store import TRANSACTION_LIMIT_BYTES, TRANSACTION_LIMIT_WRITES, Check, Put
from mesosphere.marathon.core.backoff import BackOff
from mesosphere.marathon.core.groups import CYCLE, Group, Root, root_faults, versioned, with_apps
from mesosphere.marathon.core.health import Health, Verdict, judge, overall
from mesosphere.marathon.core.instances import (
    ACTIVE,
    LIFE,
    TERMINAL,
    Condition,
    Consequence,
    Instance,
    condition_of,
    new_instance_id,
    parse_task_id,
    state_of,
)
from mesosphere.marathon.core.planner import Kind, plan
from mesosphere.marathon.core.service_ports import PortsExhausted, ServicePorts
from mesosphere.marathon.core.storage import (
    BUCKET_SIZE,
    CHANGE_LIMIT_APPS,
    CHANGE_LIMIT_BYTES,
    MERGE_LIMIT_BYTES,
    MERGE_LIMIT_WRITES,
    ROOT_LIMIT_BYTES,
    TRANSACTION_BYTES,
    Storage,
    encode_root,
)
from mesosphere.wire.marathon.app import App, HealthCheck, PortDefinition

UUID = "11111111-1111-1111-1111-111111111111"


def ported(app_id: str, *ports: int) -> App:
    return App(id=app_id, port_definitions=tuple(PortDefinition(port=port) for port in ports))


@pytest.mark.parametrize("condition", list(Condition))
@pytest.mark.parametrize("told", list(Condition))
def test_the_life_of_an_instance_is_walked_whole(condition: Condition, told: Condition) -> None:
    step = LIFE.step(condition, told)
    if condition in TERMINAL:
        assert step is None, "terminal is final"
    elif told in TERMINAL:
        assert step is not None and step.state is told
        assert step.actions[-1] is Consequence.REMOVE
    elif step is not None:
        assert step.state in ACTIVE
        assert Consequence.REMOVE not in step.actions


def test_killing_is_no_failure_and_finishing_is() -> None:
    killed = LIFE.step(Condition.RUNNING, Condition.KILLED)
    finished = LIFE.step(Condition.RUNNING, Condition.FINISHED)
    assert killed is not None and Consequence.LENGTHEN_DELAY not in killed.actions
    assert finished is not None and Consequence.LENGTHEN_DELAY in finished.actions
    assert Consequence.RECORD_FAILURE not in finished.actions


def test_lost_depends_on_its_reason() -> None:
    assert condition_of("TASK_LOST", "REASON_SLAVE_REMOVED", None) is Condition.UNREACHABLE
    assert condition_of("TASK_LOST", "REASON_INVALID_OFFERS", None) is Condition.GONE
    unknown = "Reconciliation: Task is unknown to the master"
    assert condition_of("TASK_LOST", "REASON_RECONCILIATION", unknown) is Condition.UNKNOWN
    assert condition_of("TASK_GONE_BY_OPERATOR", None, None) is Condition.GONE


def test_every_condition_has_a_state_to_show() -> None:
    assert all(state_of(condition).startswith("TASK_") for condition in Condition)


@pytest.mark.parametrize(
    ("task_id", "app_id", "instance_id"),
    [
        (f"a_b.instance-{UUID}._app.3", "/a/b", f"a_b.instance-{UUID}"),
        (f"a_b.marathon-{UUID}._app.1", "/a/b", f"a_b.marathon-{UUID}"),
        (f"a_b.{UUID}", "/a/b", f"a_b.{UUID}"),
        (f"a_b.{UUID}.2", "/a/b", f"a_b.{UUID}"),
        (f"a.b.instance-{UUID}.rails.1", "/a.b", f"a.b.instance-{UUID}"),
    ],
)
def test_all_forms_of_task_ids_are_read(task_id: str, app_id: str, instance_id: str) -> None:
    name = parse_task_id(task_id)
    assert name is not None
    assert (name.app_id, name.instance_id) == (app_id, instance_id)


def test_what_is_no_task_id_is_refused() -> None:
    assert [parse_task_id(text) for text in ("", "x", "a.b", ".instance-1")] == [None] * 4


def test_delays_grow_to_their_limit_and_are_forgotten() -> None:
    app = App(id="/a", backoff_seconds=2, backoff_factor=3, max_launch_delay_seconds=10)
    delays = BackOff()
    assert [delays.failed(app, now).delay_s for now in (0, 5, 20)] == [2, 6, 10]
    assert delays.left_s(app, 25) == 5
    assert delays.failed(app, 41).delay_s == 2
    delays.reset("/a")
    assert delays.left_s(app, 41) == 0


def test_a_new_configuration_starts_without_delay() -> None:
    old = versioned(App(id="/a", backoff_seconds=60), None, "2020-01-01T00:00:00.000Z")
    delays = BackOff()
    delays.failed(old, 0)
    new = versioned(App(id="/a", cmd="x"), old, "2020-01-01T00:00:01.000Z")
    assert delays.left_s(new, 1) == 0
    more = versioned(App(id="/a", backoff_seconds=60, instances=5), old, "2020-01-01T00:00:02.000Z")
    assert delays.left_s(more, 1) == 59


def test_the_kill_comes_with_the_failure_after_the_limit() -> None:
    check = HealthCheck(grace_period_seconds=0, max_consecutive_failures=3)
    health = Health()
    verdicts = []
    for now in range(5):
        health, verdict = judge(health, check, "500", 0.0, 1.0 + now)
        verdicts.append(verdict)
    assert verdicts == [Verdict.RECORD] * 3 + [Verdict.KILL] * 2


def test_zero_failures_allowed_means_never_killed() -> None:
    check = HealthCheck(grace_period_seconds=0, max_consecutive_failures=0)
    health = Health()
    for now in range(20):
        health, verdict = judge(health, check, "500", 0.0, 1.0 + now)
        assert verdict is Verdict.RECORD


def test_grace_ends_with_the_first_success() -> None:
    check = HealthCheck(grace_period_seconds=100)
    health, verdict = judge(Health(), check, "500", 0.0, 1.0)
    assert verdict is Verdict.IGNORE
    health, _ = judge(health, check, None, 0.0, 2.0)
    health, verdict = judge(health, check, "500", 0.0, 3.0)
    assert verdict is Verdict.RECORD and not health.is_alive


def test_health_is_unknown_until_every_check_has_spoken() -> None:
    app = App(id="/a", health_checks=(HealthCheck(), HealthCheck()))
    well, ill = Health(last_success=2.0), Health(last_failure=2.0)
    assert overall(app, (Health(), Health())) is None
    assert overall(app, (well, Health())) is None
    assert overall(app, (well, well)) is True
    assert overall(app, (well, ill)) is False


def test_service_ports_are_the_lowest_free_ones() -> None:
    ports = ServicePorts(10000, 10003)
    ports.hold(ported("/other", 10001))
    made = ports.assign([(ported("/a", 0, 0), None)])
    assert made[0].service_ports == (10000, 10002)


def test_an_update_keeps_its_service_ports() -> None:
    ports = ServicePorts(10000, 10003)
    before = ported("/a", 10002, 10000)
    ports.hold(before)
    assert ports.assign([(ported("/a", 0, 0, 0), before)])[0].service_ports == (10002, 10000, 10001)


def test_two_new_apps_never_share_an_assigned_port() -> None:
    ports = ServicePorts(10000, 10001)
    made = ports.assign([(ported("/a", 0), None), (ported("/b", 0), None)])
    assert [app.service_ports for app in made] == [(10000,), (10001,)]
    with pytest.raises(PortsExhausted, match=r"\[10000-10001\)"):
        ports.assign([(ported("/a", 0, 0, 0), None)])


def test_released_ports_are_free_again() -> None:
    ports = ServicePorts(10000, 10000)
    ports.hold(ported("/a", 10000))
    ports.release(ported("/a", 10000))
    assert ports.assign([(ported("/b", 0), None)])[0].service_ports == (10000,)


def test_a_plan_stops_then_starts_then_goes_by_dependency() -> None:
    stamp = "2020-01-01T00:00:00.000Z"
    apps = [
        App(id="/gone"),
        App(id="/db"),
        App(id="/web", dependencies=("/db",)),
        App(id="/same"),
    ]
    original = with_apps(Root(), [versioned(app, None, stamp) for app in apps])
    later = "2020-01-01T00:00:01.000Z"
    changed = [
        versioned(App(id="/db", cmd="x"), original.apps["/db"], later),
        versioned(App(id="/web", dependencies=("/db",), instances=2), original.apps["/web"], later),
        versioned(App(id="/new"), None, later),
    ]
    made = plan(original, with_apps(original, changed, ["/gone"]))
    shown = [[(action.kind, action.app) for action in step] for step in made.steps]
    assert shown == [
        [(Kind.STOP, "/gone")],
        [(Kind.START, "/new")],
        [(Kind.RESTART, "/db"), (Kind.SCALE, "/new")],
        [(Kind.SCALE, "/web")],
    ]
    assert "/same" not in made.changes


def test_a_cycle_of_dependencies_is_found() -> None:
    apps = [App(id="/a", dependencies=("/b",)), App(id="/b", dependencies=("/a",))]
    assert ("/", CYCLE) in root_faults(with_apps(Root(), apps), [])


def test_an_app_may_not_have_the_id_of_a_group_in_use() -> None:
    root = with_apps(Root(), [App(id="/a/b")])
    assert root_faults(with_apps(root, [App(id="/a")]), ["/a"])
    assert root_faults(with_apps(root, [App(id="/a/b/c")]), ["/a/b/c"])


def instance(number: int) -> Instance:
    name = new_instance_id("/a", IdSource(b"x" + bytes([number % 256, number // 256])).uuid())
    return Instance(
        id=name,
        app_id="/a",
        version="v",
        incarnation=1,
        agent_id="S",
        hostname="h",
        role="*",
        ports=(),
        effective_ports=(),
        staged_at=0,
        since=0,
    )


def test_instances_fill_buckets_and_come_back() -> None:
    storage = Storage("/state", 50)
    made = [instance(number) for number in range(BUCKET_SIZE + 1)]
    for one in made:
        storage.put_instance(one)
    (writes,) = storage.take()
    assert [write.path for write in writes] == [
        "/state/instances/000000",
        "/state/instances/000001",
    ]
    again = Storage("/state", 50)
    entries = {write.path: (write.data, 0) for write in writes}  # type: ignore[attr-defined]
    _, loaded = again.load(entries)
    assert {one.id for one in loaded} == {one.id for one in made}
    again.drop_instance(made[0].id)
    assert [write.path for write in again.take()[0]] == ["/state/instances/000000"]


def test_only_the_newest_versions_are_kept_unless_in_use() -> None:
    storage = Storage("/state", 2)
    stamps = [f"2020-01-01T00:00:0{number}.000Z" for number in range(5)]
    app = None
    for stamp in stamps:
        app = versioned(App(id="/a", cmd=stamp), app, stamp)
        storage.put_app(app)
    storage.trim_app("/a", frozenset(stamps[:1]))
    assert storage.versions.of("/a") == [stamps[0], *stamps[3:]]


def test_a_large_tree_gives_up_history_rather_than_its_record() -> None:
    groups = {f"/group-{number}": Group() for number in range(800)}
    history = [(f"v{number:03d}", dict(groups)) for number in range(40)]
    data = encode_root(Root("v999", {}, groups), history)
    assert len(data) <= ROOT_LIMIT_BYTES
    loaded, _ = Storage("/s", 50).load({"/s/root": (data, 0)})
    assert loaded.root.groups == groups
    assert [version for version, _ in loaded.history] == [
        version for version, _ in history[-len(loaded.history) :]
    ]
    assert loaded.history


def test_many_instances_are_written_in_several_transactions() -> None:
    storage = Storage("/state", 50)
    storage.begin_epoch(7)
    for number in range(BUCKET_SIZE * 40):
        storage.put_instance(instance(number))
    transactions = storage.take()
    assert len(transactions) > 1
    assert sum(len(writes) - 1 for writes in transactions) == 40
    for writes in transactions:
        assert isinstance(writes[0], Check)
        data = [write.data for write in writes if isinstance(write, Put)]
        assert sum(map(len, data)) <= TRANSACTION_BYTES


def test_the_largest_change_fits_one_transaction() -> None:
    writes = CHANGE_LIMIT_APPS + MERGE_LIMIT_WRITES
    assert writes + 10 < TRANSACTION_LIMIT_WRITES
    deployment = 200 * CHANGE_LIMIT_APPS  # a line of the plan and of the changes for each app
    names = 100 * CHANGE_LIMIT_APPS
    assert (
        CHANGE_LIMIT_BYTES + ROOT_LIMIT_BYTES + MERGE_LIMIT_BYTES + deployment + names
        < TRANSACTION_LIMIT_BYTES
    )
