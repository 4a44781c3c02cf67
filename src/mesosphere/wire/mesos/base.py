"""What every v1 message is made of.

Rules of Mesos's JSON, as they show in a struct's definition:
* a required field has no default;
* an optional field without a proto default is `T | None = None` and is omitted while None;
* an optional field with a proto default is `emitted(default)`: it is always written;
* a repeated field or a map is omitted while empty.

Source: Mesos, 3rdparty/stout/include/stout/protobuf.hpp.
"""

import sys
from functools import partial
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T", bool, int, float, str)

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
UInt32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Natural = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""uint64 of the proto, bounded like int64: ports, offsets and sizes need no more."""

UInt64 = Annotated[int, Meta(ge=0)]
"""uint64 of which the largest value means "no limit"; its structs check `UINT64_LIMIT`."""

UINT64_LIMIT = 2**64 - 1

Double = Annotated[float, Meta(ge=-sys.float_info.max)]
"""Any float but NaN, which fails every bound, and minus infinity, which nothing here can mean."""


class WireStruct(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True):
    """Base of every message. Messages hold no cycles, so the collector need not track them.

    Subclasses repeat `kw_only=True`: msgspec does not inherit it.
    """


class WireID(msgspec.Struct, gc=False, omit_defaults=True, frozen=True):
    """Base of every identifier: immutable, hashable, `value` may be given by position."""


def emitted(default: T) -> T:
    """A field with a proto default: present in the JSON even when nobody set it.

    `omit_defaults` compares with plain defaults only, so a factory keeps the field.
    """
    field: T = msgspec.field(default_factory=partial(type(default), default))
    return field
