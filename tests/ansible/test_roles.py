"""Defaults and argument specifications of every role say the same; a taken port is refused."""

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ansible.test_playbooks import play

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "path": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}


def read(role: str, path: str) -> Any:
    return yaml.safe_load((ROOT / "roles" / role / path).read_text())


def is_template(value: Any) -> bool:
    return "{{" in str(value)


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_is_specified(role: str) -> None:
    defaults = read(role, "defaults/main.yml") or {}
    options = read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    required = {name for name, option in options.items() if option.get("required")}
    assert set(options) == set(defaults) | required
    for name, option in options.items():
        assert option["description"], name
        default = defaults.get(name)
        if name in required or is_template(default):
            continue
        assert isinstance(default, TYPES[option["type"]]), name
        if "default" in option:
            assert option["default"] == default, name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_the_skeleton_and_names_its_variables_after_itself(role: str) -> None:
    for path in ("README.md", "tasks/main.yml", "meta/main.yml", "meta/argument_specs.yml"):
        assert (ROOT / "roles" / role / path).is_file(), path
    names = set(read(role, "defaults/main.yml") or {})
    assert all(name.startswith(f"{role}_") for name in names)


def check_port(directory: Path, port: int) -> Any:
    playbook = directory / "play.yml"
    task = {
        "ansible.builtin.include_role": {"name": "service", "tasks_from": "port"},
        "vars": {"service_name": "no-such-service", "service_port": port},
    }
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    playbook.write_text(yaml.safe_dump(plays))
    return play("-i", "inventories/local", str(playbook))


def test_a_port_that_somebody_else_holds_is_refused(tmp_path: Path) -> None:
    with socket.socket() as holding:
        holding.bind(("127.0.0.1", 0))
        holding.listen()
        port = holding.getsockname()[1]
        done = check_port(tmp_path, port)
    assert done.returncode != 0
    said = f"Port {port} of localhost, which no-such-service needs, is taken: users:"
    assert said in " ".join(done.stdout.split())
    assert "python" in done.stdout and "changed=0" in done.stdout
    free = check_port(tmp_path, port)
    assert free.returncode == 0, free.stdout


def test_every_service_checks_its_port_before_anything_else() -> None:
    for role in ("zookeeper", "mesos_master", "mesos_agent", "marathon", "chronos", "haproxy"):
        first = read(role, "tasks/main.yml")[0]
        assert first["ansible.builtin.import_tasks"] == "preflight.yml", role
        included = [
            task.get("ansible.builtin.include_role") for task in read(role, "tasks/preflight.yml")
        ]
        assert {"name": "service", "tasks_from": "port"} in included, role
