"""Releases installed from an archive, switched to, and removed when there are too many."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.ansible.conftest import Run

PROGRAM = "def main():\n    print('mesosphere 1')\n    return {code}\n"


def wheel(code: int) -> bytes:
    """A wheel of a program that ends with `code`."""
    about = "mesosphere-1.dist-info"
    files = {
        "mesosphere.py": PROGRAM.format(code=code),
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: mesosphere\nVersion: 1\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[console_scripts]\nmesosphere = mesosphere:main\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def build(path: Path, code: int = 0, **more: bytes) -> Path:
    files = {"requirements.txt": b"", "wheels/mesosphere-1-py3-none-any.whl": wheel(code), **more}
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def pretend(root: Path, *ids: str) -> None:
    """Complete releases, the last one the newest."""
    for age, name in enumerate(ids):
        (root / "releases" / name / "bin").mkdir(parents=True)
        (root / "releases" / name / ".complete").touch()
        at = time.time() - 1000 + age
        os.utime(root / "releases" / name, (at, at))


@pytest.fixture
def release(tmp_path: Path, run_module: Run) -> Run:
    def run(name: str, **given: Any) -> dict[str, Any]:
        root = {"root": str(tmp_path / "opt"), "python": sys.executable}
        return run_module("release", **{**root, "id": name, **given})

    return run


def test_an_archive_is_installed_proved_and_switched_to_once(release: Run, tmp_path: Path) -> None:
    archive = build(tmp_path / "one.tar.gz")
    root, command = tmp_path / "opt", tmp_path / "mesosphere"
    given: dict[str, Any] = {
        "archive": str(archive),
        "checksum": f"sha256:{hashlib.sha256(archive.read_bytes()).hexdigest()}",
        "command": str(command),
    }
    # What a run that died has left is no release.
    (root / "releases/one/lib").mkdir(parents=True)
    predicted = release("one", check=True, **given)
    assert predicted["changed"] and not (root / "current").is_symlink()
    done = release("one", **given)
    assert done["diff"] == predicted["diff"] and done["current"] == "one"
    assert subprocess.check_output([command], text=True) == "mesosphere 1\n"
    assert not (root / "releases/one/wheelhouse").exists()
    archive.unlink()
    assert not release("one", **given)["changed"]


@pytest.mark.parametrize(
    ("code", "more", "given", "said"),
    [
        (0, {}, {"checksum": "00"}, "has the checksum "),
        (0, {"../escaped": b""}, {}, "holds '../escaped', which is no file of a release"),
        (0, {"wheels/mesosphere-2-py3-none-any.whl": b""}, {}, "holds 2 wheels of the daemons"),
        (3, {}, {}, "bin/mesosphere --version failed: mesosphere 1"),
        (0, {"requirements.txt": b"msgspec==0.1\n"}, {}, "msgspec"),
    ],
)
def test_a_bad_archive_leaves_the_active_release_alone(
    release: Run, tmp_path: Path, code: int, more: dict[str, bytes], given: Any, said: str
) -> None:
    pretend(tmp_path / "opt", "old")
    assert release("old")["changed"]
    archive = build(tmp_path / "bad.tar.gz", code, **more)
    refused = release("bad", archive=str(archive), **given)
    assert refused["msg"].startswith("release bad: ") and said in refused["msg"]
    assert release("old", check=True) == {**release("old"), "changed": False}
    assert not (tmp_path / "escaped").exists()


def test_a_release_that_is_nowhere_is_told(release: Run, tmp_path: Path) -> None:
    assert release("one")["msg"] == "release one: there is no archive to install it from"
    gone = release("one", archive="/nowhere.tar")
    assert gone["msg"] == "release one: there is no archive /nowhere.tar to install it from"
    (tmp_path / "cut").write_bytes(b"\x1f\x8b\x08 cut off")
    assert "can't be unpacked" in release("one", archive=str(tmp_path / "cut"))["msg"]
    assert release("../one")["msg"] == "release ../one: '../one' is no id of a release"


def test_switching_remembers_the_one_before(release: Run, tmp_path: Path) -> None:
    root = tmp_path / "opt"
    pretend(root, "a", "b", "c", "d")
    assert (release("a")["current"], release("a")["previous"]) == ("a", "")
    predicted = release("d", check=True)
    done = release("d")
    assert done["diff"] == predicted["diff"]
    # Three stay: the active one, the one to go back to, and the newest of the others.
    assert (done["current"], done["previous"]) == ("d", "a")
    assert done["releases"] == ["a", "c", "d"] and not (root / "releases/b").exists()
    assert not release("d")["changed"]
    back = release("a", keep=2)
    assert (back["current"], back["previous"], back["releases"]) == ("a", "d", ["a", "d"])
    assert release("d", keep=1)["releases"] == ["a", "d"]


def test_a_release_that_a_process_uses_stays(release: Run, tmp_path: Path) -> None:
    root = tmp_path / "opt"
    pretend(root, "a", "b", "c")
    for name in ("b", "c"):
        release(name, keep=3)
    with subprocess.Popen(["sh", "-c", "read x", f"{root}/releases/a/bin/x"], stdin=-1) as process:
        assert release("c", keep=2)["releases"] == ["a", "b", "c"]
        process.kill()
    assert release("c", keep=2)["releases"] == ["b", "c"]


def test_a_program_that_is_no_link_is_not_overwritten(release: Run, tmp_path: Path) -> None:
    pretend(tmp_path / "opt", "a")
    (tmp_path / "own").write_text("mine")
    refused = release("a", command=str(tmp_path / "own"))
    assert "own is there and no link; move it away" in refused["msg"]
    assert not (tmp_path / "opt/current").is_symlink()


def test_the_oldest_go_first(load_module: Callable[[str], ModuleType]) -> None:
    module = load_module("release")
    known = ["new", "mid", "old"]
    assert module.superfluous(known, {"old"}, 2) == ["mid"]
    assert module.superfluous(known, {"new", "old"}, 1) == ["mid"]
    assert module.superfluous(known, {"new"}, 9) == []
