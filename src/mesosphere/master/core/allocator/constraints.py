"""Offer constraints: which agents a framework wants to be offered for a role.

A role has groups of which one must hold; a group holds if all of its constraints do. A constraint
selects the host name, region, zone or an attribute, and asks something of it. Attributes that are
no text satisfy whatever asks for text, so that the framework decides itself.

Source: Mesos, src/master/allocator/mesos/offer_constraints_filter.cpp.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

from mesosphere.master.core.allocator.claims import Facts
from mesosphere.master.core.allocator.patterns import Pattern, PatternError
from mesosphere.wire import mesos

CONSTRAINTS_LIMIT = 1_000
"""Constraints of one role."""

MATCHES_KEPT = 8_192

Ask = Callable[[Facts], bool]


class ConstraintsError(ValueError):
    """They make no sense; the text says why."""


class RoleConstraint:
    """The constraints of one role."""

    def __init__(self, groups: tuple[tuple[Ask, ...], ...]) -> None:
        self._groups = groups

    def allows(self, facts: Facts) -> bool:
        """Whether an agent satisfies them."""
        return any(all(ask(facts) for ask in group) for group in self._groups)


def compile_constraints(
    found: mesos.OfferConstraints | None, roles: tuple[str, ...]
) -> Mapping[str, RoleConstraint]:
    """Constraints by role, ready to be asked. Raises ConstraintsError."""
    compiled = {}
    for role, constraints in (found.role_constraints if found is not None else {}).items():
        if role not in roles:
            raise ConstraintsError(
                f"'OfferConstraints' specify `role_constraints` for a role '{role}' which is not"
                " contained in the set of roles"
            )
        if not constraints.groups:
            raise ConstraintsError(
                "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for"
                f" role {role}"
            )
        count = sum(len(group.attribute_constraints) for group in constraints.groups)
        if count > CONSTRAINTS_LIMIT:
            raise ConstraintsError(f"Role {role} has more than {CONSTRAINTS_LIMIT} constraints")
        compiled[role] = RoleConstraint(
            tuple(_compile_group(role, group) for group in constraints.groups)
        )
    return compiled


def _compile_group(role: str, group: mesos.ConstraintGroup) -> tuple[Ask, ...]:
    if not group.attribute_constraints:
        raise ConstraintsError(
            f"'OfferConstraints::RoleConstraints::groups' for role {role} contains an empty"
            " RoleConstraints::Group"
        )
    try:
        return tuple(_compile(each) for each in group.attribute_constraints)
    except (PatternError, ConstraintsError) as error:
        text = f"A role {role} has an invalid 'AttributeConstraint': {error}"
        raise ConstraintsError(text) from error


def _compile(constraint: mesos.AttributeConstraint) -> Ask:
    selector = constraint.selector
    name, pseudo = selector.attribute_name, selector.pseudoattribute_type
    if (name is None) == (pseudo is None):
        raise ConstraintsError(
            "Exactly one of 'AttributeConstraint::Selector::name' or"
            " 'AttributeConstraint::Selector::pseudoattribute_type' must be set"
        )
    on_nothing, on_text = _compile_predicate(constraint.predicate)
    if pseudo is not None:
        select = _PSEUDO.get(pseudo)
        if select is None:
            raise ConstraintsError("Unknown pseudoattribute type")

        def ask_pseudo(facts: Facts) -> bool:
            value = select(facts)
            return on_nothing if value is None else on_text(value)

        return ask_pseudo
    attribute = name or ""
    asks_for_text = constraint.predicate.not_exists is None

    def ask(facts: Facts) -> bool:
        if attribute not in facts.attributes:
            return on_nothing
        value = facts.attributes[attribute]
        return asks_for_text if value is None else on_text(value)

    return ask


_PSEUDO: Mapping[str, Callable[[Facts], str | None]] = {
    "HOSTNAME": lambda facts: facts.hostname,
    "REGION": lambda facts: facts.region,
    "ZONE": lambda facts: facts.zone,
}


def _compile_predicate(predicate: mesos.Predicate) -> tuple[bool, Callable[[str], bool]]:
    """What it says of nothing, and of a text."""
    given = [each for each in predicate.__struct_fields__ if getattr(predicate, each) is not None]
    if len(given) != 1:
        raise ConstraintsError("Unknown predicate type")
    if predicate.exists is not None:
        return False, lambda text: True
    if predicate.not_exists is not None:
        return True, lambda text: False
    if predicate.text_equals is not None:
        wanted = predicate.text_equals.value
        return False, lambda text: text == wanted
    if predicate.text_not_equals is not None:
        unwanted = predicate.text_not_equals.value
        return True, lambda text: text != unwanted
    if predicate.text_matches is not None:
        matches = _matcher(predicate.text_matches.regex)
        return False, matches
    assert predicate.text_not_matches is not None
    misses = _matcher(predicate.text_not_matches.regex)
    return True, lambda text: not misses(text)


def _matcher(regex: str) -> Callable[[str], bool]:
    return lru_cache(MATCHES_KEPT)(Pattern(regex).matches)
