"""What the host's state does to tasks and images: load, and requests to prune."""

import msgspec

from mesosphere.agent.core.commands import PruningRequested
from mesosphere.agent.core.oversubscription import LoadController
from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.resources import Resources
from mesosphere.wire.mesos.resources_codec import to_wire
from tests.scenarios.agent.world import FRAMEWORK, make_task, registered


def test_a_busy_host_ends_the_tasks_on_lent_resources_alone() -> None:
    lent = Resources((msgspec.structs.replace(identity, is_revocable=True), amount)
                     for identity, amount in Resources.of(cpus=2))  # fmt: skip
    total = Resources.of(cpus=4, mem=4096) + lent
    world = registered(resources=total, qos_controller=LoadController(load_5min=5.0))
    plain = world.run(make_task("plain"))
    part = Resources((identity, 1000) for identity, _ in lent)
    loan = world.run(make_task("loan", resources=to_wire(part + Resources.of(mem=64))))
    for container in (plain, loan):
        world.give(on.ContainerStarted(container, 7))
    assert not world.give(on.Sampled({"system/load_5min": 4.0}))
    world.give(on.Sampled({"system/load_5min": 6.0}))
    assert [each.container for each in world.found(do.DestroyContainer)] == [loan]
    assert not world.give(on.Sampled({"system/load_5min": 6.0}))
    world.give(on.ContainerExited(loan, 9))
    record = world.machine.state.find(FRAMEWORK, "loan")
    assert record is not None
    last = record.statuses[-1]
    assert (last.state, last.reason) == ("TASK_FAILED", "REASON_CONTAINER_PREEMPTED")


def test_images_are_pruned_on_request() -> None:
    world = registered()
    effects = world.give(PruningRequested("r1", ("kept",)))
    assert effects[0] == do.PruneImages(("kept",))
    assert isinstance(effects[1], do.Reply) and effects[1].response.status == 200
