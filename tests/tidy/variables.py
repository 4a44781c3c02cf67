"""The generated page `docs/operations/variables.md`: variables of roles, options of modules."""

import ast
import importlib.util
import json
from pathlib import Path
from typing import Any

import yaml

from tests.tidy.tree import ROOT

WIDTH_LIMIT = 60
SHARED = "playbooks/group_vars/all/cluster.yml"


def role_names() -> list[str]:
    """The roles, by name."""
    return sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def fragment(name: str) -> dict[str, Any]:
    """The options of a documentation fragment, `mesosphere` or `mesosphere.master`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "doc_fragments" / "mesosphere.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    attribute = name.partition(".")[2].upper() or "DOCUMENTATION"
    options: dict[str, Any] = yaml.safe_load(getattr(loaded.ModuleDocFragment, attribute))[
        "options"
    ]
    return options


def documentation(path: Path) -> dict[str, Any]:
    """What a module says about itself, with the options that fragments document."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DOCUMENTATION":
            page: dict[str, Any] = yaml.safe_load(ast.literal_eval(node.value))
            for name in page.get("extends_documentation_fragment", ()):
                page["options"].update(fragment(name))
            return page
    raise AssertionError(f"{path} has no DOCUMENTATION")


def variables_page() -> str:
    """Every variable of every role and every option of every module."""
    lines = [
        "# Variables and options",
        "",
        "Written by `script/lint --fix` from the roles' specifications and the modules'"
        " documentation;",
        "[ansible.md](../ansible.md) says how to use them. A default without a value here is"
        " computed in the",
        "role's `defaults/main.yml`.",
        "",
        "## Shared by all roles",
        "",
        f"In `{SHARED}`; an inventory overrides any of them.",
        "",
        "| variable | default |",
        "| --- | --- |",
    ]
    shared = yaml.safe_load((ROOT / SHARED).read_text())
    lines += [f"| `{name}` | {_shown(value)} |" for name, value in shared.items()]
    for role in role_names():
        lines += _role(role)
    for path in sorted((ROOT / "library").glob("*.py")):
        lines += _module(documentation(path))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _role(role: str) -> list[str]:
    directory = ROOT / "roles" / role
    defaults = yaml.safe_load((directory / "defaults/main.yml").read_text()) or {}
    entry = yaml.safe_load((directory / "meta/argument_specs.yml").read_text())
    main = entry["argument_specs"]["main"]
    lines = [
        "",
        f"## Role {role}",
        "",
        f"{main['short_description']}.",
        "",
        "| variable | type | default | |",
        "| --- | --- | --- | --- |",
    ]
    for name, option in main["options"].items():
        default = "required" if option.get("required") else _shown(defaults.get(name))
        lines.append(f"| `{name}` | {_type(option)} | {default} | {_text(option)} |")
    return lines


def _module(page: dict[str, Any]) -> list[str]:
    lines = [
        "",
        f"## Module {page['module']}",
        "",
        f"{page['short_description']}.",
        "",
        "| option | type | default | |",
        "| --- | --- | --- | --- |",
    ]
    for name, option in page["options"].items():
        default = "required" if option.get("required") else _shown(option.get("default"))
        lines.append(f"| `{name}` | {_type(option)} | {default} | {_text(option)} |")
    return lines


def _type(option: dict[str, Any]) -> str:
    kind = option["type"]
    if option.get("choices"):
        return ", ".join(option["choices"])
    return f"{kind} of {option['elements']}" if "elements" in option else str(kind)


def _text(option: dict[str, Any]) -> str:
    said = option["description"]
    text = " ".join(said if isinstance(said, list) else [said])
    for mark in ("C", "O", "V"):
        while f"{mark}(" in text:
            before, _, rest = text.partition(f"{mark}(")
            inner, _, after = rest.partition(")")
            text = f"{before}`{inner}`{after}"
    return text.replace("|", "\\|")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if value in (None, "") or "{{" in text or len(text) > WIDTH_LIMIT:
        return ""
    return f"`{text}`"
