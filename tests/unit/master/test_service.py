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
