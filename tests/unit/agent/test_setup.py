"""An agent's command line: what its flags mean."""

import pytest

from mesosphere.agent.flags import FLAGS
from mesosphere.agent.setup import domain
from mesosphere.kernel.flags import Settings, UsageError, parse

DOMAIN = '{"fault_domain": {"region": {"name": "r"}, "zone": {"name": "z"}}}'


def settings(*arguments: str) -> Settings:
    words = ("--master=h:5050", "--work_dir=/tmp/a", *arguments)
    return parse(FLAGS, words, {}, program="agent", prefix="MESOS", read=lambda path: "")


def test_the_domain_is_a_region_and_a_zone() -> None:
    found = domain(settings(f"--domain={DOMAIN}"))
    assert found is not None and found.fault_domain is not None
    assert (found.fault_domain.region.name, found.fault_domain.zone.name) == ("r", "z")
    assert domain(settings()) is None


@pytest.mark.parametrize("text", ["r", "{}", '{"fault_domain": {"zone": {"name": "z"}}}'])
def test_a_domain_without_both_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--domain"):
        domain(settings(f"--domain={text}"))
