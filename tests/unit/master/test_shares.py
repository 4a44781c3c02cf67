"""The tree of shares, changed at random, against sums computed anew."""

from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mesosphere.kernel.resources import Resources
from mesosphere.master.core.allocator.claims import Claimant
from mesosphere.master.core.allocator.shares import Tree, top_of

ROLES = ("*", "a", "a/x", "a/x/y", "a/z", "b", "b/x")
FRAMEWORKS = ("f", "g", "h")
pairs = st.tuples(st.sampled_from(ROLES), st.sampled_from(FRAMEWORKS))
sizes = st.fixed_dictionaries(
    {}, optional={name: st.integers(1, 8) for name in ("cpus", "mem", "fpgas")}
).map(lambda found: Resources.of(**found))


class Shares(RuleBasedStateMachine):
    """Allocations, releases, comings and goings."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = Tree()
        self.tree.set_weights({"a": 2.0, "a/x": 3.0})
        self.tree.add_total(Resources.of(cpus=100, mem=200, fpgas=50))
        self.held: dict[tuple[str, str], list[Resources]] = {}
        self.active: dict[tuple[str, str], None] = {}

    @rule(pair=pairs, amounts=sizes)
    def allocate(self, pair: tuple[str, str], amounts: Resources) -> None:
        self.tree.allocate(*pair, amounts)
        self.held.setdefault(pair, []).append(amounts)

    @rule(pair=pairs, pick=st.integers(0, 9))
    def release(self, pair: tuple[str, str], pick: int) -> None:
        held = self.held.get(pair)
        if held:
            self.tree.release(*pair, held.pop(pick % len(held)))

    @rule(pair=pairs)
    def join(self, pair: tuple[str, str]) -> None:
        role, framework = pair
        self.tree.set_claimant(role, framework, Claimant(framework, role, top_of(role)))
        self.active[pair] = None

    @rule(pair=pairs)
    def leave(self, pair: tuple[str, str]) -> None:
        self.tree.remove_client(*pair)
        self.active.pop(pair, None)

    @rule(amounts=sizes)
    def grow(self, amounts: Resources) -> None:
        self.tree.add_total(amounts)

    @rule()
    def grant_to_the_first(self) -> None:
        self.tree.begin()
        leaf = next(iter(self.tree.leaves()), None)
        if leaf is None:
            return
        client = self.tree.order_of(leaf)[0][3]
        amounts = Resources.of(cpus=2, mem=3)
        vector, is_open = self.tree.parts(amounts)
        self.tree.grant(client, top_of(leaf.role), vector, is_open)
        self.held.setdefault((leaf.role, client.path), []).append(amounts)

    def sum_below(self, role: str) -> dict[str, int]:
        sums: dict[str, int] = {}
        for (name, _), amounts in self.held.items():
            if name == role or name.startswith(role + "/"):
                for each in amounts:
                    for kind, amount in each.scalars().items():
                        sums[kind] = sums.get(kind, 0) + amount
        return sums

    @invariant()
    def holds_what_was_given(self) -> None:
        for role in ROLES:
            assert self.tree.allocated(role) == self.sum_below(role)
        for top in ("*", "a", "b"):
            assert self.tree.as_scalars(self.tree.consumed(top)) == self.sum_below(top)

    @invariant()
    def is_in_order_of_weighted_shares(self) -> None:
        self.tree.begin()
        leaves = [leaf.role for leaf in self.tree.leaves()]
        assert sorted(leaves) == sorted({role for role, _ in self.active})
        totals = self.tree.totals

        def share(role: str) -> Fraction:
            weight = int(self.tree.weights.get(role, 1))
            found = (Fraction(held, totals[k]) for k, held in self.sum_below(role).items())
            return max(found, default=Fraction(0)) / weight

        tops = list(dict.fromkeys(top_of(role) for role in leaves))
        shares = [share(top) for top in tops]
        assert shares == sorted(shares)
        below = [role for role in leaves if role in ("a/z", "a/x", "a/x/y")]
        kin = list(dict.fromkeys("/".join(role.split("/")[:2]) for role in below))
        assert [share(role) for role in kin] == sorted(share(role) for role in kin)
        for leaf in self.tree.leaves():
            names = [entry[2] for entry in self.tree.order_of(leaf)]
            assert sorted(names) == sorted(f for role, f in self.active if role == leaf.role)
            parts = [self.tree.share_of(leaf.role, name) for name in names]
            assert parts == sorted(parts)


TestShares = Shares.TestCase
TestShares.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
