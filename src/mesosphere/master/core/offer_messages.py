"""Offers as their frameworks see them, whole or as bytes that are put together.

Source: Mesos, src/master/master.cpp (offer).
"""

from mesosphere.master.core.state import Agent, Framework, Offer
from mesosphere.wire import mesos
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.mesos.offer_parts import HIDDEN, Recipient, recipient
from mesosphere.wire.mesos.offers import OfferPart
from mesosphere.wire.mesos.parts import part
from mesosphere.wire.mesos.resources_codec import Format, to_wire


def as_message(offer: Offer, agent: Agent, framework: Framework) -> mesos.Offer:
    """An offer as its framework sees it."""
    to = _recipient(offer, framework)
    resources = offer.resources.where(lambda identity: identity.name != HIDDEN)
    if to.role is not None:
        resources = resources.allocated_to(to.role)
    return mesos.Offer(
        id=mesos.OfferID(offer.id),
        framework_id=mesos.FrameworkID(framework.id),
        agent_id=mesos.AgentID(agent.id),
        hostname=agent.info.hostname,
        url=_url(agent),
        domain=agent.info.domain,
        resources=to_wire(resources, to.form),
        attributes=agent.info.attributes,
        executor_ids=_executor_ids(agent, framework),
        allocation_info=None if to.role is None else mesos.AllocationInfo(role=to.role),
        unavailability=None if agent.outage is None else agent.outage.unavailability,
    )


def encode(offer: Offer, agent: Agent, framework: Framework) -> bytes:
    """The same as a part of the event that tells the framework."""
    to = _recipient(offer, framework)
    others = [_agent_part(to.media, agent)]
    if agent.executors or agent.outage is not None:
        state = OfferPart(
            executor_ids=_executor_ids(agent, framework),
            unavailability=None if agent.outage is None else agent.outage.unavailability,
        )
        others += filter(None, [part(to.media, state)])
    return to.offer(offer.id, offer.resources, others)


def _agent_part(media: Media, agent: Agent) -> bytes:
    """Who the agent is: written once, unless that changes."""
    known = agent.told
    if known is None or known[0] is not agent.info or known[1] != agent.pid:
        known = agent.told = (agent.info, agent.pid, {})
    found = known[2].get(media)
    if found is None:
        shown = OfferPart(
            agent_id=mesos.AgentID(agent.id),
            hostname=agent.info.hostname,
            url=_url(agent),
            domain=agent.info.domain,
            attributes=agent.info.attributes,
        )
        found = known[2][media] = part(media, shown)
    return found


def _url(agent: Agent) -> mesos.URL:
    host, _, port = agent.pid.partition("@")[2].rpartition(":")
    address = mesos.Address(hostname=agent.info.hostname, ip=host, port=int(port))
    return mesos.URL(scheme="http", address=address, path="/slave(1)")


def _recipient(offer: Offer, framework: Framework) -> Recipient:
    form = Format.REFINED if framework.has("RESERVATION_REFINEMENT") else Format.OLD
    role = offer.role if framework.has("MULTI_ROLE") else None
    return recipient(framework.media, framework.id, form, role)


def _executor_ids(agent: Agent, framework: Framework) -> list[mesos.ExecutorID]:
    return [
        mesos.ExecutorID(executor) for owner, executor in agent.executors if owner == framework.id
    ]
