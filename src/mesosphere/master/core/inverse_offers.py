"""Inverse offers: frameworks are asked to leave agents before these are unavailable.

A framework with tasks or offers on such an agent has one inverse offer for it at a time, for the
whole agent; its answer is kept for the operator, and it is asked again when its filter has passed.
Invariants: an inverse offer is in the index, its framework and the outage of its agent, or nowhere;
one that is neither answered nor invalid is told when it is withdrawn.
Source: Mesos, src/master/allocator/mesos/hierarchical.cpp (generateInverseOffers).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mesosphere.master.core.allocator.filters import refusal_s
from mesosphere.master.core.state import Agent, Framework, InverseOffer, Outage
from mesosphere.wire import mesos
from mesosphere.wire.mesos import scheduler

if TYPE_CHECKING:
    from mesosphere.master.core.machine import MasterMachine

OFFERS_PER_EVENT = 500
"""Inverse offers in one event; more come in further events."""


def send(master: "MasterMachine", now: float, agent_ids: Iterable[str]) -> None:
    """Ask every framework that is on one of the agents and was not asked."""
    made: dict[str, list[mesos.InverseOffer]] = {}
    for agent_id in agent_ids:
        agent = master.state.agents.get(agent_id)
        if agent is None or agent.outage is None or not agent.is_connected:
            continue
        for framework_id in _present(agent):
            framework = master.state.frameworks.get(framework_id)
            if framework is not None and _is_to_be_asked(agent.outage, framework, now):
                offer = _make(master, now, agent, agent.outage, framework)
                made.setdefault(framework_id, []).append(as_message(offer))
    for framework_id, listed in made.items():
        framework = master.state.frameworks[framework_id]
        for start in range(0, len(listed), OFFERS_PER_EVENT):
            batch = scheduler.InverseOffers(inverse_offers=listed[start : start + OFFERS_PER_EVENT])
            master.tell(framework, scheduler.Event(type="INVERSE_OFFERS", inverse_offers=batch))


def _present(agent: Agent) -> dict[str, None]:
    """The frameworks that hold something of an agent."""
    found = {key[0]: None for key, record in agent.tasks.items() if record.holds_resources}
    return found | {offer.framework: None for offer in agent.offers.values()}


def _is_to_be_asked(outage: Outage, framework: Framework, now: float) -> bool:
    if not framework.is_connected or framework.id in outage.asked:
        return False
    return outage.quiet_until.get(framework.id, now) <= now


def _make(
    master: "MasterMachine", now: float, agent: Agent, outage: Outage, framework: Framework
) -> InverseOffer:
    offer = InverseOffer(
        id=f"{master.id}-O{master.offer_count}",
        framework=framework.id,
        agent=agent.id,
        unavailability=outage.unavailability,
        made_at=now,
    )
    master.offer_count += 1
    master.state.inverse_offers[offer.id] = framework.inverse_offers[offer.id] = offer
    outage.asked[framework.id] = offer
    return offer


def as_message(offer: InverseOffer) -> mesos.InverseOffer:
    """An inverse offer as frameworks and operators see it: for the whole agent."""
    return mesos.InverseOffer(
        id=mesos.OfferID(offer.id),
        framework_id=mesos.FrameworkID(offer.framework),
        agent_id=mesos.AgentID(offer.agent),
        unavailability=offer.unavailability,
    )


def answer(master: "MasterMachine", now: float, framework: Framework, call: scheduler.Call) -> None:
    """ACCEPT_INVERSE_OFFERS, DECLINE_INVERSE_OFFERS: unknown ones are ignored."""
    body = call.accept_inverse_offers or call.decline_inverse_offers
    assert body is not None
    verdict = "ACCEPT" if call.type == "ACCEPT_INVERSE_OFFERS" else "DECLINE"
    seconds = refusal_s(None if body.filters is None else body.filters.refuse_seconds)
    for offer_id in body.inverse_offer_ids:
        offer = framework.inverse_offers.get(offer_id.value)
        if offer is None:
            fields = {"framework": framework.id, "offer": offer_id.value}
            master.log("warning", "inverse_offer_unknown", **fields)
            continue
        outage = master.state.agents[offer.agent].outage
        assert outage is not None
        _remove(master, offer)
        outage.answers[framework.id] = mesos.InverseOfferStatus(
            status=verdict,
            framework_id=mesos.FrameworkID(framework.id),
            timestamp=mesos.TimeInfo(nanoseconds=int(now * 1e9)),
        )
        outage.quiet_until[framework.id] = now + seconds


def _remove(master: "MasterMachine", offer: InverseOffer) -> None:
    del master.state.inverse_offers[offer.id]
    framework = master.state.frameworks.get(offer.framework)
    if framework is not None:
        del framework.inverse_offers[offer.id]
    outage = master.state.agents[offer.agent].outage
    assert outage is not None
    del outage.asked[offer.framework]


def withdraw(master: "MasterMachine", offer: InverseOffer) -> None:
    """Take one back and say so, to a framework that is there."""
    framework = master.state.frameworks.get(offer.framework)
    _remove(master, offer)
    if framework is not None:
        event = scheduler.RescindInverseOffer(inverse_offer_id=mesos.OfferID(offer.id))
        master.tell(
            framework, scheduler.Event(type="RESCIND_INVERSE_OFFER", rescind_inverse_offer=event)
        )


def withdraw_all(master: "MasterMachine", agent: Agent) -> None:
    """Nobody is asked to leave this agent any more; what was answered is kept."""
    if agent.outage is not None:
        for offer in list(agent.outage.asked.values()):
            withdraw(master, offer)


def forget(master: "MasterMachine", framework: Framework) -> None:
    """A framework is away or new on its stream: what it was asked is void."""
    for offer in list(framework.inverse_offers.values()):
        _remove(master, offer)


def leave(master: "MasterMachine", framework: Framework) -> None:
    """A framework is removed: nothing of it is left in any outage."""
    forget(master, framework)
    for agent_id in master.state.outages:
        outage = master.state.agents[agent_id].outage
        assert outage is not None
        outage.answers.pop(framework.id, None)
        outage.quiet_until.pop(framework.id, None)


def clear_filters(master: "MasterMachine", framework: Framework) -> None:
    """REVIVE: ask again at once."""
    for agent_id in master.state.outages:
        outage = master.state.agents[agent_id].outage
        if outage is not None:
            outage.quiet_until.pop(framework.id, None)


def expire(master: "MasterMachine", now: float) -> None:
    """Take back what was not answered in the time of offers; they are in order of age."""
    limit_s = master.config.offer_timeout_s
    if limit_s <= 0:
        return
    for offer in list(master.state.inverse_offers.values()):
        if now - offer.made_at < limit_s:
            return
        withdraw(master, offer)
