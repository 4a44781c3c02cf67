"""Command lines: the original's names, units and ways to turn switches off."""

from typing import Any

import pytest

from mesosphere.kernel.flags import Settings, UsageError, parse
from mesosphere.marathon.flags import FLAGS
from mesosphere.marathon.service import checked, configure, in_our_words, without_credentials


def settings(*words: str, **variables: str) -> Settings:
    arguments, environ = in_our_words(["--master=m:5050", *words], variables)
    return parse(
        FLAGS, arguments, environ, program="marathon", prefix="MARATHON", read=lambda path: path
    )


def config(*words: str, **variables: str) -> Any:
    return configure(settings(*words, **variables), "h")


def test_defaults_are_the_originals() -> None:
    made = config()
    assert made.http_port == 8080 and made.own_address == "h:8080"
    assert (made.local_port_min, made.local_port_max) == (10000, 20000)
    assert made.decline_offer_duration_s == 120 and made.min_revive_offers_interval_s == 5
    assert made.failover_timeout_s == 604800 and made.max_instances_per_offer == 5
    assert made.launch_tokens == 100 and made.max_versions == 50


def test_milliseconds_become_seconds() -> None:
    assert config("--task_launch_timeout", "1500").task_launch_timeout_s == 1.5
    assert config(MARATHON_KILL_RETRY_TIMEOUT="250").kill_retry_timeout_s == 0.25


def test_switches_are_turned_off_in_the_originals_words() -> None:
    assert config("--disable_checkpoint").checkpoint is False
    assert config(MARATHON_DISABLE_SUPPRESS_OFFERS="").suppress_offers is False
    assert config(MARATHON_MAINTENANCE_MODE="").maintenance_mode is True


def test_credentials_are_never_shown() -> None:
    made = config("--zk=zk://user:secret@h1,h2/marathon")
    shown = str(made.shown)
    assert "secret" not in shown and "xxxxxxxx:xxxxxxxx@h1,h2/marathon" in shown
    assert without_credentials("zk://h/x") == "zk://h/x"


def test_web_credentials_come_from_the_flag_or_the_originals_variable() -> None:
    assert config("--http_credentials=a:b").http_credentials == "a:b"
    assert config(MESOSPHERE_HTTP_CREDENTIALS="c:d").http_credentials == "c:d"
    assert config(MARATHON_HTTP_CREDENTIALS="e:f").http_credentials == "e:f"
    assert "a:b" not in str(config("--http_credentials=a:b").shown)


@pytest.mark.parametrize(
    "words",
    [
        ("--zk=h1:2181",),
        ("--local_port_min=2", "--local_port_max=1"),
        ("--master=x",),
        ("--http_credentials=user",),
        ('--http_realm=a"b',),
    ],
)
def test_what_makes_no_sense_together_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        checked(settings(*words))


def test_every_key_of_the_originals_configuration_is_there() -> None:
    keys = config().shown["marathon_config"]
    for name in [
        "access_control_allow_origin",
        "checkpoint",
        "decline_offer_duration",
        "default_network_name",
        "env_vars_prefix",
        "executor",
        "failover_timeout",
        "features",
        "framework_name",
        "ha",
        "hostname",
        "launch_token",
        "launch_token_refresh_interval",
        "leader_proxy_connection_timeout_ms",
        "leader_proxy_read_timeout_ms",
        "local_port_max",
        "local_port_min",
        "master",
        "max_instances_per_offer",
        "mesos_bridge_name",
        "mesos_heartbeat_failure_threshold",
        "mesos_heartbeat_interval",
        "mesos_leader_ui_url",
        "mesos_role",
        "mesos_user",
        "new_group_enforce_role",
        "min_revive_offers_interval",
        "offer_matching_timeout",
        "on_elected_prepare_timeout",
        "reconciliation_initial_delay",
        "reconciliation_interval",
        "scale_apps_initial_delay",
        "scale_apps_interval",
        "store_cache",
        "task_launch_confirm_timeout",
        "task_launch_timeout",
        "task_lost_expunge_initial_delay",
        "task_lost_expunge_interval",
        "task_reservation_timeout",
        "webui_url",
        "maintenance_mode",
    ]:
        assert name in keys, name
