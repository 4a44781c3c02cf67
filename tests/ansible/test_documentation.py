"""Documentation and argument specification of every module say the same."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from tests.tidy.variables import role_names, variables_page

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "library").glob("*.py"))


def specification(module: ModuleType) -> dict[str, Any]:
    return dict(module.ARGUMENTS)


@pytest.mark.parametrize("name", MODULES)
def test_documentation_and_arguments_agree(
    load_module: Callable[[str], ModuleType], name: str
) -> None:
    module = load_module(name)
    documented = yaml.safe_load(module.DOCUMENTATION)
    assert documented["module"] == name
    assert documented["attributes"]["check_mode"]["support"] == "full"
    arguments = specification(module)
    assert sorted(documented["options"]) == sorted(arguments)
    for option, argument in arguments.items():
        said = documented["options"][option]
        assert said["description"], option
        for key in ("type", "elements", "choices", "default"):
            assert said.get(key) == argument.get(key), (option, key)
        assert said.get("required", False) == argument.get("required", False), option


@pytest.mark.parametrize("name", MODULES)
def test_examples_use_documented_options_only(
    load_module: Callable[[str], ModuleType], name: str
) -> None:
    module = load_module(name)
    known = set(specification(module))
    used = [task[name] for task in yaml.safe_load(module.EXAMPLES) if name in task]
    assert used
    for options in used:
        assert set(options) <= known


@pytest.mark.parametrize("name", MODULES)
def test_what_is_returned_is_documented(
    load_module: Callable[[str], ModuleType], name: str
) -> None:
    returned = yaml.safe_load(load_module(name).RETURN)
    assert returned
    assert all(entry["description"] and entry["returned"] for entry in returned.values())


def test_the_page_of_variables_is_what_roles_and_modules_say() -> None:
    written = (ROOT / "docs/operations/variables.md").read_text()
    assert written == variables_page(), "run script/lint --fix to write it"


@pytest.mark.parametrize("kind", ["library/*.py", "filter_plugins/*.yml", "playbooks/*.yml"])
def test_the_guide_names_everything_there_is(kind: str) -> None:
    guide = (ROOT / "docs/ansible.md").read_text()
    names = [path.name if "playbooks" in kind else path.stem for path in ROOT.glob(kind)]
    assert names
    assert not [name for name in names if f"`{name}`" not in guide]


def test_the_guide_names_every_role() -> None:
    guide = (ROOT / "docs/ansible.md").read_text()
    assert not [name for name in role_names() if f"`{name}`" not in guide]
