"""Secrets of apps and jobs are in no result, difference or argument that Ansible shows."""

import json
from types import ModuleType
from typing import Any

import pytest
from tests.ansible.conftest import ROOT, Cluster, Run, load

SECRET, EARLIER = "correct-horse-battery", "an-earlier-secret"


@pytest.fixture(scope="module")
def hidden() -> ModuleType:
    return load(ROOT / "module_utils" / "hidden.py", "hidden")


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"env": {"DB_PASSWORD": "a", "NAME": "b"}}, ["a"]),
        ({"environmentVariables": [{"name": "API_KEY", "value": "a"}]}, ["a"]),
        ({"labels": {"HAPROXY_0_AUTH": "realm:u:x", "AUTHOR": "me"}}, ["realm:u:x"]),
        ({"fetch": [{"uri": "https://u:pass@h/x"}, {"uri": "http://h:80/x"}]}, ["pass"]),
        ({"env": {"TOKEN": {"secret": "name"}, "PASSWORDS": ["a", 7]}}, ["name", "a", "7"]),
        (None, []),
    ],
)
def test_secrets_are_known_by_their_names(
    hidden: ModuleType, document: Any, found: list[str]
) -> None:
    assert list(hidden.secrets_of(document)) == found


def test_an_app_shows_neither_its_secret_nor_the_one_before(
    cluster: Cluster, run_module: Run
) -> None:
    for secret in (EARLIER, SECRET):
        definition = {"cmd": "sleep 100", "instances": 0, "env": {"DB_PASSWORD": secret, "X": "y"}}
        result = run_module(
            "marathon_app",
            marathon_url=[cluster.url("marathon")],
            id="/hidden",
            definition=definition,
        )
        text = json.dumps(result)
        assert result["changed"] and "failed" not in result, text
        assert SECRET not in text and EARLIER not in text
        assert "DB_PASSWORD" in text and result["app"]["env"]["X"] == "y"
    assert cluster.ask("GET", "/v2/apps//hidden")["app"]["env"]["DB_PASSWORD"] == SECRET
    run_module("marathon_app", marathon_url=[cluster.url("marathon")], id="/hidden", state="absent")


def test_a_job_does_not_show_its_secret(cluster: Cluster, run_module: Run) -> None:
    variables = [{"name": "SECRET_KEY", "value": SECRET}]
    definition = {
        "schedule": "R/2099-01-01T00:00:00Z/P1D",
        "command": "true",
        "environmentVariables": variables,
    }
    asked = {"chronos_url": [cluster.url("chronos")], "name": "hidden"}
    result = run_module("chronos_job", definition=definition, **asked)
    assert result["changed"] and SECRET not in json.dumps(result)
    stored = cluster.ask("GET", "/v1/scheduler/jobs", name="chronos")
    assert SECRET in json.dumps(stored)
    run_module("chronos_job", state="absent", **asked)
