"""Any message of the wire, drawn field by field from what its struct declares."""

import functools
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from mesosphere.wire.mesos.ids import ContainerID
from mesosphere.wire.mesos.operator_base import AskFile

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DEPTH = 3
"""Levels below which optional parts are left out."""


@functools.cache
def messages(kind: type[msgspec.Struct], depth: int = DEPTH) -> st.SearchStrategy[Any]:
    """Messages of a kind."""
    if kind is ContainerID:
        return _containers()
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType)
    required = {
        field.name: _values(field.type, depth - 1) for field in shape.fields if field.required
    }
    optional = {
        field.name: _values(field.type, depth - 1)
        for field in shape.fields
        if not field.required and (depth > 0 or not _is_deep(field.type))
    }
    drawn = st.fixed_dictionaries(required, optional=optional)
    if kind is AskFile:
        drawn = drawn.map(lambda values: {**values, "length": (values.get("length") or 0) % 2**64})
    return drawn.map(lambda values: kind(**values))


def _containers() -> st.SearchStrategy[ContainerID]:
    def nest(names: list[str]) -> ContainerID:
        found = ContainerID(names[0])
        for name in names[1:]:
            found = ContainerID(name, found)
        return found

    return st.lists(TEXT, min_size=1, max_size=3).map(nest)


def _is_deep(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.UnionType):
        return any(map(_is_deep, kind.types))
    return isinstance(kind, inspect.StructType | inspect.ListType | inspect.DictType)


def _values(kind: inspect.Type, depth: int) -> st.SearchStrategy[Any]:
    if isinstance(kind, inspect.UnionType):
        return _values(
            next(part for part in kind.types if not isinstance(part, inspect.NoneType)), depth
        )
    if isinstance(kind, inspect.StructType):
        return st.deferred(lambda: messages(kind.cls, depth))
    if isinstance(kind, inspect.ListType):
        return st.lists(_values(kind.item_type, depth), max_size=2)
    if isinstance(kind, inspect.DictType):
        return st.dictionaries(TEXT, _values(kind.value_type, depth), max_size=2)
    if isinstance(kind, inspect.LiteralType):
        return st.sampled_from(kind.values)
    if isinstance(kind, inspect.IntType):
        least = -(2**63) if kind.ge is None else kind.ge
        return st.integers(least, 2**64 - 1 if kind.le is None else kind.le)
    if isinstance(kind, inspect.FloatType):
        return st.floats(min_value=kind.ge, allow_nan=False)
    return {
        inspect.StrType: TEXT,
        inspect.BytesType: st.binary(max_size=20),
        inspect.BoolType: st.booleans(),
    }[type(kind)]
