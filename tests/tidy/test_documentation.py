"""What the code declares in a table is documented: flags, routes, exit codes, modules."""

import importlib
import json

import pytest

from mesosphere.cli import COMPONENTS
from mesosphere.kernel.effects import ALL_EFFECTS, Effect
from mesosphere.kernel.exit_codes import ExitCode
from tests.tidy.tree import ROOT, parse, python_files

GUIDE = {
    "master": "docs/compatibility/mesos.md",
    "agent": "docs/compatibility/mesos-agent.md",
    "marathon": "docs/compatibility/marathon.md",
    "chronos": "docs/compatibility/chronos.md",
    "haproxy": "docs/compatibility/haproxy.md",
}


def _subclasses(kind: type) -> list[type]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _subclasses(child))]


def test_the_list_of_effects_is_closed() -> None:
    declared = {
        kind for kind in _subclasses(Effect) if kind.__module__ == "mesosphere.kernel.effects"
    } - {Effect}
    assert declared == set(ALL_EFFECTS)


def test_every_exit_code_is_documented() -> None:
    text = (ROOT / "docs/operations/exit-codes.md").read_text()
    missing = [code.name for code in ExitCode if f"| {code.value} | {code.name} |" not in text]
    assert not missing


@pytest.mark.parametrize("component", sorted(COMPONENTS))
def test_every_flag_is_documented_and_explained(component: str) -> None:
    flags = importlib.import_module(f"mesosphere.{component}.flags").FLAGS
    text = (ROOT / "docs/operations/flags.md").read_text()
    unexplained = [flag.name for flag in flags if len(flag.help) < 10]
    missing = [flag.name for flag in flags if f"`--{flag.name}`" not in text]
    assert not unexplained
    assert not missing, f"run script/lint --fix to write docs/operations/flags.md: {missing}"


@pytest.mark.parametrize("component", sorted(COMPONENTS))
def test_every_route_is_documented(component: str) -> None:
    routes = importlib.import_module(f"mesosphere.{component}.api").ROUTES
    text = (ROOT / GUIDE[component]).read_text()
    missing = [f"{route.method} {route.pattern}" for route in routes if route.pattern not in text]
    assert not missing


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path)
        for path in python_files("src", "library", "module_utils", "filter_plugins")
        if parse(path).body
        and not (
            (first := parse(path).body[0])
            and first.__class__.__name__ == "Expr"
            and isinstance(getattr(first.value, "value", None), str)  # type: ignore[attr-defined]
        )
        and path.name != "__init__.py"
        and not (ROOT / path).read_text().startswith("#!")
    ]
    assert not silent


def test_every_role_has_the_same_skeleton() -> None:
    roles = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
    assert roles
    missing = [
        f"{role.name}/{part}"
        for role in roles
        for part in ("README.md", "defaults/main.yml", "meta/argument_specs.yml", "tasks/main.yml")
        if not (role / part).is_file()
    ]
    assert not missing, json.dumps(missing)
