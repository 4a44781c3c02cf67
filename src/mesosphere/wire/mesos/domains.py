"""Fault domains as flags name them: JSON of a DomainInfo."""

from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.common import DomainInfo


def parse_domain(text: str | None) -> DomainInfo | None:
    """`{"fault_domain": {"region": {"name": "r"}, "zone": {"name": "z"}}}`. Raises WireError."""
    if not text:
        return None
    domain = codec.decode(text.encode(), DomainInfo)
    if domain.fault_domain is None:
        raise WireError("domain", "a domain needs a 'fault_domain'")
    return domain
