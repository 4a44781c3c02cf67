"""Offers: made by the allocation cycle, accepted, declined, rescinded, expired.

Decides nothing about fairness (that is `allocator`); keeps the books: what is offered is charged to
the tree and the agent, and given back exactly once.
Source: Mesos, src/master/master.cpp (offer, accept, decline, removeOffer).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mesosphere.kernel.effects import Send, TimeStep
from mesosphere.kernel.resources import EMPTY, Resources
from mesosphere.master.core import enrolment
from mesosphere.master.core.allocator.cycle import Grant
from mesosphere.master.core.allocator.filters import refusal_s
from mesosphere.master.core.config import COALESCE_S
from mesosphere.master.core.offer_messages import encode
from mesosphere.master.core.state import Framework, Offer
from mesosphere.wire import mesos
from mesosphere.wire.mesos import offer_parts, scheduler

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

__all__ = ["COALESCE_S", "allocate", "expire", "give_back", "rescind", "take_pool"]

RUN = "allocation"
"""The name of the steps that are timed."""

OFFERS_PER_EVENT = 500
"""Offers in one OFFERS event; more come in further events."""


def allocate(master: "MasterMachine", now: float, agent_ids: Sequence[str]) -> None:
    """Run a cycle over agents and make the offers."""
    master.state.count("allocator/mesos/allocation_runs")
    master.filters.expire(now)
    agents = master.state.agents
    if is_held(master, now):
        return
    master.out.append(TimeStep(RUN))
    ready = list(enrolment.slots(master, [agents[name] for name in agent_ids if name in agents]))
    grants = master.allocator.allocate(now, ready, enrolment.slots(master, agents.values()))
    made: dict[str, list[bytes]] = {}
    for grant in grants:
        made.setdefault(grant.framework, []).append(_make(master, now, grant))
    for framework_id, listed in made.items():
        framework = master.state.frameworks[framework_id]
        framework.count("offers/sent", len(listed))
        for start in range(0, len(listed), OFFERS_PER_EVENT):
            _send(master, framework, listed[start : start + OFFERS_PER_EVENT])


def is_held(master: "MasterMachine", now: float) -> bool:
    """Whether a new leader still waits for the agents of the one before."""
    state = master.state
    return master.allocator.is_held(now, len(state.agents), len(state.recovered))


def _send(master: "MasterMachine", framework: Framework, made: Sequence[bytes]) -> None:
    """Tell a framework of offers, each given in bytes."""
    if framework.stream is not None:
        framework.count("events/offers")
        record = offer_parts.record(framework.media, made)
        master.out.append(Send(framework.stream, record))


def _make(master: "MasterMachine", now: float, grant: Grant) -> bytes:
    state = master.state
    agent, framework = state.agents[grant.agent], state.frameworks[grant.framework]
    offer = Offer(
        id=f"{master.id}-O{master.offer_count}",
        framework=grant.framework,
        agent=grant.agent,
        role=grant.role,
        resources=grant.resources,
        made_at=now,
    )
    master.offer_count += 1
    state.offers[offer.id] = framework.offers[offer.id] = agent.offers[offer.id] = offer
    agent.offered = agent.offered + offer.resources
    return encode(offer, agent, framework)


def remove(master: "MasterMachine", offer: Offer) -> None:
    """Take an offer out of every index; what it held stays charged to the tree."""
    state = master.state
    del state.offers[offer.id]
    framework = state.frameworks.get(offer.framework)
    if framework is not None:
        framework.offers.pop(offer.id, None)
    agent = state.agents.get(offer.agent)
    if agent is not None:
        agent.offers.pop(offer.id, None)
        agent.offered = agent.offered - offer.resources


def give_back(
    master: "MasterMachine", now: float, offer: Offer, refuse_s: float | None = 0.0
) -> None:
    """Remove an offer and free what it held, behind a filter if it was refused."""
    remove(master, offer)
    master.tree.release(offer.role, offer.framework, offer.resources)
    refuse(master, now, offer, offer.resources, refuse_s)


def refuse(
    master: "MasterMachine", now: float, offer: Offer, resources: Resources, refuse_s: float | None
) -> None:
    """Hide resources like these of this agent from the framework for a while; 0: do not."""
    seconds = refusal_s(refuse_s)
    if seconds > 0:
        # A filter never expires before the next batch has seen it.
        lasting = max(seconds, master.config.allocation_interval_s)
        master.filters.add(offer.framework, offer.role, offer.agent, resources, now + lasting)
    master.make_dirty(offer.agent)


def rescind(master: "MasterMachine", now: float, offer: Offer, refuse_s: float = 0.0) -> None:
    """Take an offer back and say so; `refuse_s` hides the like of it from the framework."""
    framework = master.state.frameworks.get(offer.framework)
    give_back(master, now, offer, refuse_s)
    if framework is not None:
        event = scheduler.Rescind(offer_id=mesos.OfferID(offer.id))
        master.tell(framework, scheduler.Event(type="RESCIND", rescind=event))
        framework.count("offers/rescinded")


def expire(master: "MasterMachine", now: float) -> None:
    """Take back what was held too long; offers are in order of age."""
    limit_s = master.config.offer_timeout_s
    if limit_s <= 0:
        return
    for offer in list(master.state.offers.values()):
        if now - offer.made_at < limit_s:
            return
        master.log("info", "offer_expired", offer=offer.id, framework=offer.framework)
        rescind(master, now, offer)


def take_pool(
    master: "MasterMachine", framework: Framework, offer_ids: Iterable[str]
) -> tuple[list[Offer], str | None]:
    """The valid ones of the offers of an ACCEPT, and what is wrong with the whole."""
    found: dict[str, Offer] = {}
    fault = None
    for offer_id in offer_ids:
        offer = framework.offers.get(offer_id)
        if offer_id in found:
            fault = f"Offer {offer_id} is duplicated"
        elif offer is None:
            fault = f"Offer {offer_id} is no longer valid"
        else:
            found[offer_id] = offer
    pool = list(found.values())
    if not pool and fault is None:
        fault = "No offers specified"
    if len({(offer.agent, offer.role) for offer in pool}) > 1:
        fault = "Aggregated offers must belong to one agent and one role"
    return pool, fault


def sum_of(pool: Iterable[Offer]) -> Resources:
    """What offers hold together."""
    total = EMPTY
    for offer in pool:
        total = total + offer.resources
    return total
