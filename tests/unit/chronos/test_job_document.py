"""The job document: lenient in, complete out."""

from typing import Any

import pytest

from mesosphere.wire.chronos import Defaults, job_document, parse_job
from mesosphere.wire.errors import WireError

NOW = "2026-01-01T00:00:00.000Z"


def parse(**document: Any) -> dict[str, Any]:
    return job_document(parse_job({"name": "j", **document}, Defaults(), NOW))


def test_defaults_fill_a_bare_job() -> None:
    document = parse(schedule="R/2014-01-01T00:00:00Z/PT1H")
    assert document["cpus"] == 0.1
    assert document["mem"] == 128.0
    assert document["retries"] == 2
    assert document["shell"] is True
    assert "parents" not in document
    assert "container" not in document


def test_numbers_may_be_text_and_zero_means_the_default() -> None:
    document = parse(cpus="0.5", mem="64", disk=0, retries="5")
    assert (document["cpus"], document["mem"], document["disk"]) == (0.5, 64.0, 256.0)
    assert document["retries"] == 5


def test_a_number_that_makes_no_sense_becomes_the_default() -> None:
    assert parse(cpus="many")["cpus"] == 0.1


def test_null_as_text_is_the_text_null() -> None:
    assert parse(command=None)["command"] == "null"


def test_a_job_with_neither_schedule_nor_parents_runs_once_now() -> None:
    assert parse()["schedule"] == f"R1/{NOW}/PT24H"


def test_parents_make_a_dependent_job_even_beside_a_schedule() -> None:
    document = parse(parents=["a", "a", "b"], schedule="R//P")
    assert document["parents"] == ["a", "b"]
    assert "schedule" not in document


def test_unknown_fields_and_operators_are_dropped() -> None:
    document = parse(epsilon="PT5M", constraints=[["rack", "NEAR", "1"], ["rack", "LIKE", "r.*"]])
    assert document["constraints"] == [["rack", "LIKE", "r.*"]]
    assert "epsilon" not in document


def test_a_container_without_image_is_ignored() -> None:
    assert "container" not in parse(container={"type": "DOCKER"})


def test_port_numbers_come_out_as_text() -> None:
    mappings = [{"hostPort": 1, "containerPort": "2"}]
    document = parse(
        container={"image": "i", "networkInfos": [{"name": "n", "portMappings": mappings}]}
    )
    mapping = document["container"]["networkInfos"][0]["portMappings"][0]
    assert (mapping["hostPort"], mapping["containerPort"]) == ("1", "2")


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], ""),
        ({}, "name"),
        ({"name": "j", "uris": "x"}, "uris"),
        ({"name": "j", "fetch": [{}]}, "fetch[0]"),
        ({"name": "j", "environmentVariables": {"A": "b"}}, "environmentVariables"),
        ({"name": "j", "constraints": [["a"]]}, "constraints[0]"),
        ({"name": "j", "container": {"image": "i", "network": "host"}}, "container.network"),
        (
            {"name": "j", "container": {"image": "i", "volumes": [{"mode": "XX"}]}},
            "container.volumes[0].mode",
        ),
    ],
)
def test_a_fault_is_named_by_its_path(document: Any, path: str) -> None:
    with pytest.raises(WireError) as refused:
        parse_job(document, Defaults(), NOW)
    assert refused.value.path == path


def test_what_comes_out_goes_in_again_unchanged() -> None:
    once = parse(
        command="echo",
        fetch=[{"uri": "http://x/y", "output_file": "z"}],
        environmentVariables=[{"name": "A", "value": "b"}],
        container={"image": "i", "type": "mesos", "volumes": [{"containerPath": "/c"}]},
        schedule="R/2014-01-01T00:00:00Z/PT1H",
    )
    assert job_document(parse_job(once, Defaults(), NOW)) == once
