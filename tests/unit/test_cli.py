"""What the command line says before anything runs."""

import io
import json
import sys
from typing import Any

import pytest

from mesosphere.cli import COMPONENTS, main
from mesosphere.kernel.exit_codes import ExitCode


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_unknown_flag_is_refused_with_the_component_that_does_not_know_it(
    component: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([component, "--colour=red"]) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert told == f"mesosphere {component}: unknown flag '--colour'; see --help\n"


@pytest.mark.parametrize("component", COMPONENTS)
def test_help_lists_the_flags_and_runs_nothing(
    component: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([component, "--help"]) == ExitCode.CLEAN
    assert capsys.readouterr().out.startswith(f"Usage: mesosphere {component} [--flag=value ...]\n")


@pytest.mark.parametrize("component", ["master", "agent"])
def test_a_name_without_address_is_a_fault_of_the_flag(
    component: str, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    flags = [f"--work_dir={tmp_path}", "--advertise_ip=nowhere.invalid"]
    flags += ["--master=127.0.0.1:1", "--isolation=posix"] if component == "agent" else []
    assert main([component, *flags]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith(
        f"mesosphere {component}: --ip, --advertise_ip: not an address of a host: "
    )


def test_the_plan_of_a_bad_task_names_the_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = json.dumps({"name": 3}).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(task)))
    assert main(["agent", "explain-container"]) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert told.startswith("mesosphere agent: explain-container: ")
    assert "name" in told
