"""Documentation and argument specification of every module say the same."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.marathon import MARATHON_ARGUMENTS
from ansible.module_utils.mesos import MASTER_ARGUMENTS
from ansible.module_utils.mesosphere_http import ACCESS_ARGUMENTS
from tests.tidy.variables import documentation, fragment, role_names, variables_page

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "library").glob("*.py"))


def specification(module: ModuleType) -> dict[str, Any]:
    return dict(module.ARGUMENTS)


def assert_agree(options: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Each option is documented as it is specified, suboptions too."""
    assert sorted(options) == sorted(arguments)
    for option, argument in arguments.items():
        said = options[option]
        assert said["description"], option
        for key in ("type", "elements", "choices", "default"):
            assert said.get(key) == argument.get(key), (option, key)
        assert said.get("required", False) == argument.get("required", False), option
        assert_agree(said.get("suboptions", {}), argument.get("options", {}))


@pytest.mark.parametrize("name", MODULES)
def test_documentation_and_arguments_agree(
    load_module: Callable[[str], ModuleType], name: str
) -> None:
    documented = documentation(ROOT / "library" / f"{name}.py")
    assert documented["module"] == name
    assert documented["attributes"]["check_mode"]["support"] == "full"
    assert_agree(documented["options"], specification(load_module(name)))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mesosphere", ACCESS_ARGUMENTS),
        ("mesosphere.master", MASTER_ARGUMENTS),
        ("mesosphere.marathon", MARATHON_ARGUMENTS),
    ],
)
def test_a_fragment_documents_the_arguments_that_modules_share(
    name: str, arguments: dict[str, Any]
) -> None:
    assert_agree(fragment(name), arguments)


def test_ansible_doc_prints_every_module_with_its_shared_options() -> None:
    asked = [str(Path(sys.executable).with_name("ansible-doc")), "--json", "-t", "module", *MODULES]
    printed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stderr == ""
    pages = json.loads(printed.stdout)
    assert sorted(pages) == MODULES
    for name, page in pages.items():
        expected = documentation(ROOT / "library" / f"{name}.py")["options"]
        assert sorted(page["doc"]["options"]) == sorted(expected), name


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
