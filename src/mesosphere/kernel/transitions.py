"""Life cycles as tables: (state, input) -> (next state, actions).

One table per life cycle, in the module named after it. A pair that is not in the table is illegal;
what to do about it is a planned answer of the caller, never an exception by accident. Tests walk
the whole cross product of states and inputs.
"""

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S")
I = TypeVar("I")  # noqa: E741
A = TypeVar("A")


class Step(NamedTuple, Generic[S, A]):
    """Where a transition leads and what the caller does on the way, in order."""

    state: S
    actions: tuple[A, ...] = ()


class Table(Generic[S, I, A]):
    """An immutable transition table."""

    def __init__(self, name: str, steps: Mapping[tuple[S, I], Step[S, A]]) -> None:
        self.name = name
        self.steps = dict(steps)

    def step(self, state: S, given: I) -> Step[S, A] | None:
        """The transition, or None when it is illegal."""
        return self.steps.get((state, given))
