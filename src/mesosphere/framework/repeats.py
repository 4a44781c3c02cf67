"""What a framework says again when it may not have arrived.

Decides which lost calls are repeated as they are: the newest REVIVE or SUPPRESS, as without it a
framework gets no offers, or more than it wants; and a DECLINE of the offers of a lost ACCEPT or
DECLINE, as the master would hold their resources for it until it subscribes again. Declining an
offer that is gone already does no harm.
Invariants: nothing outlives its subscription; an offer is repeated once per loss.
Source: Mesos, "Scheduler HTTP API"; offers have no time limit by default.
"""

from mesosphere.wire.mesos import scheduler
from mesosphere.wire.mesos.offers import Filters, OfferID

REPEAT_TIMER = "framework/repeat"
REPEAT_S = 2.0
"""What may not have arrived is repeated after so long."""

OFFERS_PER_CALL = 1_000

WISHES = ("REVIVE", "SUPPRESS")


class Repeats:
    """What waits for `REPEAT_TIMER`."""

    def __init__(self) -> None:
        self._wish: scheduler.Call | None = None
        self._is_wish_lost = False
        self._offers: dict[str, Filters | None] = {}

    def wish(self, call: scheduler.Call) -> None:
        """A REVIVE or SUPPRESS is being sent; earlier ones count no more."""
        self._wish = call
        self._is_wish_lost = False

    def forget(self) -> None:
        """The subscription has ended: the next begins without offers, filters and suppression."""
        self._wish = None
        self._is_wish_lost = False
        self._offers.clear()

    def lost(self, call: scheduler.Call) -> bool:
        """A call may not have arrived; whether it is to be repeated."""
        if call.type in WISHES:
            self._is_wish_lost = self._wish is not None
            return self._is_wish_lost
        body = call.accept or call.decline
        if body is None:
            return False
        for offer in body.offer_ids:
            self._offers[offer.value] = body.filters
        return bool(body.offer_ids)

    def take(self) -> list[scheduler.Call]:
        """The calls to send now."""
        calls = []
        groups: dict[float | None, list[str]] = {}
        for offer, filters in self._offers.items():
            refuse_s = None if filters is None else filters.refuse_seconds
            groups.setdefault(refuse_s, []).append(offer)
        for refuse_s, offers in groups.items():
            starts = range(0, len(offers), OFFERS_PER_CALL)
            calls += [_decline(offers[at : at + OFFERS_PER_CALL], refuse_s) for at in starts]
        self._offers.clear()
        if self._is_wish_lost and self._wish is not None:
            calls.append(self._wish)
        self._is_wish_lost = False
        return calls


def _decline(offers: list[str], refuse_s: float | None) -> scheduler.Call:
    filters = None if refuse_s is None else Filters(refuse_seconds=refuse_s)
    body = scheduler.Decline(offer_ids=[OfferID(value=offer) for offer in offers], filters=filters)
    return scheduler.Call(type="DECLINE", decline=body)
