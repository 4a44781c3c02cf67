"""What a command line of the master means."""

import pytest

from mesosphere.kernel.flags import UsageError, parse
from mesosphere.master.core.config import MasterConfig
from mesosphere.master.flags import FLAGS
from mesosphere.master.service import configure


def configured(*words: str) -> MasterConfig:
    arguments = ("--ip=127.0.0.1", "--hostname=h", *words)
    settings = parse(FLAGS, arguments, {}, program="master", prefix="MESOS", read=lambda path: "")
    return configure(settings)


def test_removals_are_not_limited_by_default() -> None:
    config = configured()
    assert config.agent_removal_interval_s == 0
    assert config.recovery_agent_removal_limit == 1.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("1/20mins", 1200.0), ("10/1hrs", 360.0), ("2/1secs", 0.5)]
)
def test_a_rate_of_removals_is_a_number_in_a_time(text: str, seconds: float) -> None:
    assert configured(f"--agent_removal_rate_limit={text}").agent_removal_interval_s == seconds
    assert configured(f"--slave_removal_rate_limit={text}").agent_removal_interval_s == seconds


@pytest.mark.parametrize("text", ["", "1", "x/1secs", "0/1secs", "-1/1secs", "1/0secs", "1/x"])
def test_a_wrong_rate_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="agent_removal_rate_limit"):
        configured(f"--agent_removal_rate_limit={text}")


@pytest.mark.parametrize(("text", "part"), [("100%", 1.0), ("0%", 0.0), ("12.5%", 0.125)])
def test_the_limit_of_missing_agents_is_a_percentage(text: str, part: float) -> None:
    found = configured(f"--recovery_agent_removal_limit={text}")
    assert found.recovery_agent_removal_limit == part


@pytest.mark.parametrize("text", ["", "50", "101%", "-1%", "x%"])
def test_a_wrong_percentage_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="recovery_agent_removal_limit"):
        configured(f"--recovery_agent_removal_limit={text}")


@pytest.mark.parametrize(
    ("text", "alternatives"),
    [
        ("cpus:0.01|mem:32", ({"cpus": 10}, {"mem": 32_000})),
        ("cpus:1;mem:64|gpus:1", ({"cpus": 1_000, "mem": 64_000}, {"gpus": 1_000})),
        ("", ()),
    ],
)
def test_the_least_that_is_offered_is_a_choice_of_resources(
    text: str, alternatives: tuple[dict[str, int], ...]
) -> None:
    assert configured(f"--min_allocatable_resources={text}").min_allocatable == alternatives


@pytest.mark.parametrize(
    "argument",
    [
        "--min_allocatable_resources=cpus",
        "--min_allocatable_resources=ports:[1-2]",
        "--min_allocatable_resources=cpus(a):1",
        "--allocator_agent_recovery_factor=1.5",
        "--weights=a",
        "--weights=a=0",
    ],
)
def test_what_makes_no_sense_is_refused(argument: str) -> None:
    with pytest.raises(UsageError, match=argument.partition("=")[0]):
        configured(argument)


DOMAIN = '{"fault_domain": {"region": {"name": "r"}, "zone": {"name": "z"}}}'


def test_a_domain_is_named_as_json() -> None:
    config = configured(f"--domain={DOMAIN}", "--require_agent_domain")
    assert config.info.domain is not None and config.info.domain.fault_domain is not None
    assert config.info.domain.fault_domain.region.name == "r"
    assert config.require_agent_domain


@pytest.mark.parametrize("text", ["r", "{}", '{"fault_domain": {"region": {"name": "r"}}}'])
def test_a_domain_without_region_and_zone_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--domain"):
        configured(f"--domain={text}")
