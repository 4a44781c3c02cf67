"""Offers in bytes. What stands in many offers is written once for each encoding: who the agent is,
for whom the offer is, what a resource is apart from its amount.

Invariant: what is put together reads as the message that is written whole would (tested).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from itertools import repeat

import msgspec

from mesosphere.kernel.resources import RANGES, SCALAR, SET, Amount, Identity, Resources
from mesosphere.wire import recordio
from mesosphere.wire.mesos import scheduler
from mesosphere.wire.mesos.ids import FrameworkID, OfferID
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.mesos.offers import OfferPart
from mesosphere.wire.mesos.parts import join, many, one, part, whole
from mesosphere.wire.mesos.resources import AllocationInfo, ResourcePart
from mesosphere.wire.mesos.resources_codec import Format, to_wire

HIDDEN = "ephemeral_ports"
"""The resource that is never shown in an offer."""

AMOUNT_LIMIT = 8
"""Amounts of more ranges or items are not kept."""

AMOUNTS_LIMIT = 16_384
IDENTITIES_LIMIT = 64
"""Resources whose parts one recipient keeps."""


class Recipient:
    """How a framework is offered things. Without `role` the offer does not say for which it is."""

    def __init__(self, media: Media, framework: str, form: Format, role: str | None = None) -> None:
        self.media = media
        self.form = form
        self.role = role
        allocation = None if role is None else AllocationInfo(role=role)
        shown = OfferPart(framework_id=FrameworkID(framework), allocation_info=allocation)
        self._part = part(media, shown)
        self._kept = _kept_amounts(media)
        self._identities: dict[Identity, bytes] = {}

    def offer(self, identifier: str, resources: Resources, others: Sequence[bytes]) -> bytes:
        """The parts of an offer; `others`: those that say of what agent it is, and how it stands.

        Raises WireError for what can't be written.
        """
        media = self.media
        parts = [part(media, OfferPart(id=OfferID(identifier))), self._part, *others]
        listed = list(self._resources(resources))
        if listed:
            parts.append(many(media, OfferPart, "resources", listed))
        return join(media, parts)

    def _resources(self, resources: Resources) -> Iterator[bytes]:
        media, identities = self.media, self._identities
        for identity, amount in resources:
            if identity.name == HIDDEN:
                continue
            what = identities.get(identity) or self._identity_part(identity)
            if identity.unit is not None:
                shown = join(media, (what, self._kept(identity.kind, identity.unit)))
                yield from repeat(shown, int(amount))  # type: ignore[arg-type]
            elif isinstance(amount, int) or len(amount) <= AMOUNT_LIMIT:
                yield join(media, (what, self._kept(identity.kind, amount)))
            else:
                yield join(media, (what, _amount_part(media, identity.kind, amount)))

    def _identity_part(self, identity: Identity) -> bytes:
        """A resource but for its amount."""
        some = Resources([(identity, _SOME[identity.kind])])
        shown = some if self.role is None else some.allocated_to(self.role)
        [resource] = to_wire(shown, self.form)
        bare = msgspec.structs.replace(resource, scalar=None, ranges=None, set=None)
        if len(self._identities) >= IDENTITIES_LIMIT:
            self._identities.clear()
        written = self._identities[identity] = part(self.media, bare)
        return written


recipient = lru_cache(maxsize=2_048)(Recipient)
"""The same recipient for the same arguments."""

_SOME: Mapping[str, Amount] = {SCALAR: 1, RANGES: ((0, 0),), SET: ("",)}


def _amount_part(media: Media, kind: str, amount: Amount) -> bytes:
    [resource] = to_wire(Resources([(Identity("", kind), amount)]))
    shown = ResourcePart(scalar=resource.scalar, ranges=resource.ranges, set=resource.set)
    return part(media, shown)


@cache
def _kept_amounts(media: Media) -> Callable[[str, Amount], bytes]:
    return lru_cache(maxsize=AMOUNTS_LIMIT)(partial(_amount_part, media))


def record(media: Media, offers: Sequence[bytes]) -> bytes:
    """The record of an OFFERS event with these offers, of which there is at least one."""
    held = one(media, scheduler.Event, "offers", many(media, scheduler.Offers, "offers", offers))
    event = join(media, (part(media, scheduler.Event(type="OFFERS")), held))
    return recordio.encode(whole(media, event))
