"""Another release under load, and back again: no request fails, no task ends."""

import shutil
from pathlib import Path

import pytest
from tests.lab.cluster import ROOT, app_tasks, host, load, members, play

SKIPPED = (".venv", ".cache", ".git", "__pycache__", ".mypy_cache", ".pytest_cache")


def releases() -> set[str]:
    """What the services of every host run."""
    found = set()
    for name in {*members("masters"), *members("agents")}:
        output = host(name).check_output(
            "grep -ho 'releases/[0-9a-f]*' /etc/systemd/system/m*.service | sort -u"
        )
        found.update(output.split())
    return found


@pytest.fixture(scope="module")
def other_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same sources with one line more, so another release."""
    other = tmp_path_factory.mktemp("other") / "checkout"
    shutil.copytree(ROOT, other, ignore=shutil.ignore_patterns(*SKIPPED), symlinks=True)
    (other / ".venv").symlink_to(ROOT / ".venv")
    with (other / "src" / "mesosphere" / "__init__.py").open("a") as file:
        file.write("\n# Another release.\n")
    return other


def test_an_upgrade_under_load_costs_no_request_and_no_task(other_checkout: Path) -> None:
    before, tasks = releases(), app_tasks()
    with load():
        play("upgrade.yml", checkout=other_checkout)
    after = releases()
    assert len(before) == len(after) == 1 and before != after
    assert app_tasks() == tasks


def test_a_rollback_under_load_costs_no_request_and_no_task(other_checkout: Path) -> None:
    before, tasks = releases(), app_tasks()
    with load():
        play("rollback.yml")
    after = releases()
    assert len(after) == 1 and before != after
    assert app_tasks() == tasks
    play("health.yml")
