"""Writes the generated pages of `docs/operations`: flags.md, exit-codes.md and variables.md."""

import ast
import importlib

from mesosphere.cli import COMPONENTS
from mesosphere.kernel.durations import format_duration
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.flags import Flag
from mesosphere.kernel.sizes import format_size
from tests.tidy.tree import ROOT, SOURCE
from tests.tidy.variables import variables_page


def flags_page() -> str:
    """Every flag of every daemon, by component and group."""
    lines = [
        "# Flags",
        "",
        "Written by `script/lint --fix` from the flag tables. Each flag may also be given in the",
        "environment; `mesosphere COMPONENT --help` names the variable. `--no-<name>` turns a",
        "switch off; `--name=file:///path` reads the value from a file. Names beside the first are",
        "the originals' older ones. A secret belongs into the environment: see",
        "[privileges.md](privileges.md). The playbooks refuse flags that are not here.",
    ]
    for component, (_, what) in COMPONENTS.items():
        lines += ["", f"## mesosphere {component}", "", f"{what[0].upper()}{what[1:]}."]
        table = importlib.import_module(f"mesosphere.{component}.flags").FLAGS
        for group in dict.fromkeys(flag.group for flag in table):
            lines += [
                "",
                f"### {group}",
                "",
                "| flag | value | default | |",
                "| --- | --- | --- | --- |",
            ]
            lines += [_row(flag) for flag in table if flag.group == group]
    return "\n".join(lines) + "\n"


KINDS = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "switch",
    "bytes": "size",
    "repeat": "repeated",
}
"""What people call a kind of value; the others are called by their name."""


def _row(flag: Flag) -> str:
    if flag.required:
        default = "required"
    elif flag.default is None or flag.default == ():
        default = ""
    elif flag.kind == "duration":
        default = format_duration(flag.default)
    elif flag.kind == "bytes":
        default = format_size(flag.default)
    elif isinstance(flag.default, tuple):
        default = ",".join(flag.default)
    else:
        default = str(flag.default).lower() if flag.kind == "bool" else str(flag.default)
    kind = "secret" if flag.secret else KINDS.get(flag.kind, flag.kind)
    value = f"one of {', '.join(flag.choices)}" if flag.choices else kind
    names = ", ".join(f"`--{name}`" for name in (flag.name, *flag.aliases))
    return f"| {names} | {value} | {default} | {flag.help} |".replace("||", "| |")


def exit_codes_page() -> str:
    """The table of exit codes with the comment of each member."""
    tree = ast.parse((SOURCE / "kernel" / "exit_codes.py").read_text())
    table = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    meanings: dict[str, str] = {}
    name = ""
    for node in table.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            meanings[name] = " ".join(str(node.value.value).split())
    lines = [
        "# Exit codes",
        "",
        "Every daemon ends with one of these; systemd or supervisor starts it again unless it was"
        " CLEAN.",
        "",
        "| code | name | meaning |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {code.value} | {code.name} | {meanings[code.name]} |" for code in ExitCode]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the pages."""
    (ROOT / "docs" / "operations" / "exit-codes.md").write_text(exit_codes_page())
    (ROOT / "docs" / "operations" / "flags.md").write_text(flags_page())
    (ROOT / "docs" / "operations" / "variables.md").write_text(variables_page())


if __name__ == "__main__":
    main()
