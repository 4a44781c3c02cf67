"""What a message costs to write and to read, as JSON and as protobuf.

Microseconds a message, the best of some rounds, one process.

    script/bench protobuf [--rounds 5]
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

from mesosphere.kernel.resources import Resources
from mesosphere.wire import mesos
from mesosphere.wire.mesos import scheduler
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.mesos.resources_codec import Format, to_wire

MASTER = "0c5ae4f2-45c5-4d05-8d6e-b1bd0f7aa5c4"
OFFER, AGENT = mesos.OfferID(f"{MASTER}-O1"), mesos.AgentID(f"{MASTER}-S1")
FRAMEWORK = mesos.FrameworkID(f"{MASTER}-0000")
RESOURCES = Resources.of(cpus=4, mem=8192, disk=10000, ports=[(31000, 32000)])
RUNS = 1000


def offers() -> scheduler.Event:
    """One offer."""
    offer = mesos.Offer(
        id=OFFER,
        framework_id=FRAMEWORK,
        agent_id=AGENT,
        hostname="agent1.example.com",
        url=mesos.URL(
            scheme="http",
            address=mesos.Address(hostname="agent1.example.com", ip="10.0.0.1", port=5051),
            path="/slave(1)",
        ),
        resources=to_wire(RESOURCES.allocated_to("*"), Format.REFINED),
        allocation_info=mesos.AllocationInfo(role="*"),
    )
    return scheduler.Event(type="OFFERS", offers=scheduler.Offers(offers=[offer]))


def accept() -> scheduler.Call:
    """A launch of one task."""
    info = mesos.TaskInfo(
        name="task",
        task_id=mesos.TaskID("task-1"),
        agent_id=AGENT,
        resources=to_wire(RESOURCES, Format.OLD),
        command=mesos.CommandInfo(value="sleep 100"),
    )
    launch = mesos.Operation(type="LAUNCH", launch=mesos.Launch(task_infos=[info]))
    body = scheduler.Accept(offer_ids=[OFFER], operations=[launch], filters=mesos.Filters())
    return scheduler.Call(type="ACCEPT", framework_id=FRAMEWORK, accept=body)


def update() -> scheduler.Event:
    """An update of a task."""
    status = mesos.TaskStatus(
        task_id=mesos.TaskID("task-1"),
        state="TASK_RUNNING",
        source="SOURCE_EXECUTOR",
        agent_id=AGENT,
        executor_id=mesos.ExecutorID("task-1"),
        timestamp=1.5e9,
        uuid=bytes(16),
        healthy=True,
    )
    return scheduler.Event(type="UPDATE", update=scheduler.Update(status=status))


def measure(action: Callable[[], Any], rounds: int) -> float:
    """Microseconds of one run, in the best round."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(RUNS):
            action()
        best = min(best, time.perf_counter() - begun)
    return best / RUNS * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{'message':<8} {'encoding':<9} {'bytes':>6} {'write us':>9} {'read us':>8}")
    for message in (offers(), accept(), update()):
        kind = type(message)
        for media in Media:
            data = media.encode(message)
            written = measure(lambda media=media, message=message: media.encode(message), rounds)
            read = measure(
                lambda media=media, data=data, kind=kind: media.decode(data, kind), rounds
            )
            name = f"{message.type:<8} {media.name:<9}"
            print(f"{name} {len(data):>6} {written:>9.1f} {read:>8.1f}")


if __name__ == "__main__":
    main()
