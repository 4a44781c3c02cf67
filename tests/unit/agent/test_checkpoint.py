"""What the agent writes down and reads back, and what it makes of damage."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mesosphere.agent import meta_tree
from mesosphere.agent.core import checkpoint
from mesosphere.agent.core.operations import COPY_PATH, PATH
from mesosphere.agent.meta_tree import read_meta
from mesosphere.kernel.seals import seal, unseal
from mesosphere.runtime.files import set_checkpoint_aside
from mesosphere.wire.mesos.ids import TaskID
from mesosphere.wire.mesos.tasks import TaskStatus

TASK = "meta/slaves/a/frameworks/f/executors/t/runs/c/tasks/t"


def status(state: str, number: int) -> TaskStatus:
    return TaskStatus(task_id=TaskID("t"), state=state, uuid=number.to_bytes(16, "big"))


# --- seals ----------------------------------------------------------------------------------------


@given(some.binary(max_size=40), some.integers(0, 400), some.integers(1, 255))
def test_a_sealed_text_with_one_byte_changed_is_refused(rest: bytes, at: int, flip: int) -> None:
    sealed = bytearray(seal(b"{" + rest))
    assert unseal(bytes(sealed)) == b"{" + rest
    at %= len(sealed)
    sealed[at] ^= flip
    if at < len(b'{"crc32":'):
        return  # taken for a text without a seal, as an earlier release wrote it
    with pytest.raises(ValueError, match="checksum"):
        unseal(bytes(sealed))


# --- updates --------------------------------------------------------------------------------------


def test_updates_read_back_as_they_were_written() -> None:
    text = b"".join(
        [
            checkpoint.encode_update(status("TASK_STARTING", 1)),
            checkpoint.encode_acknowledgement((1).to_bytes(16, "big")),
            checkpoint.encode_update(status("TASK_RUNNING", 2)),
            checkpoint.encode_kill(2.5),
        ]
    )
    log = checkpoint.read_updates(text)
    assert [each.state for each in log.updates] == ["TASK_STARTING", "TASK_RUNNING"]
    assert [each.state for each in log.pending] == ["TASK_RUNNING"]
    assert log.kill_grace_s == 2.5
    assert log.faults == [] and log.mended is None


def test_updates_of_an_earlier_release_are_read() -> None:
    log = checkpoint.read_updates(b'{"kill":1.5}\n{"acknowledged":"AAAA"}\n')
    assert log.kill_grace_s == 1.5 and log.mended is None


@given(some.integers(0, 600))
def test_a_log_cut_anywhere_reads_as_a_prefix_that_can_be_gone_on_with(cut: int) -> None:
    lines = [checkpoint.encode_update(status("TASK_RUNNING", number)) for number in range(4)]
    whole = b"".join(lines)
    data = whole[: max(0, len(whole) - cut)]
    log = checkpoint.read_updates(data)
    count = len(log.updates)
    assert log.faults == []
    assert [each.uuid for each in log.updates] == [n.to_bytes(16, "big") for n in range(count)]
    kept = data if log.mended is None else log.mended
    more = checkpoint.read_updates(kept + checkpoint.encode_update(status("TASK_FAILED", 9)))
    assert more.faults == [] and more.mended is None and len(more.updates) == count + 1


@given(some.integers(0, 3), some.data())
def test_a_damaged_line_is_left_out_and_told(number: int, data: some.DataObject) -> None:
    lines = [checkpoint.encode_update(status("TASK_RUNNING", each)) for each in range(4)]
    at = data.draw(some.integers(len(b'{"crc32":'), len(lines[number]) - 2))
    broken = bytearray(lines[number])
    broken[at] ^= 1
    log = checkpoint.read_updates(b"".join([*lines[:number], bytes(broken), *lines[number + 1 :]]))
    assert len(log.updates) == 3
    [fault] = log.faults
    assert fault.startswith(f"line {number + 1}: ")
    assert log.mended == b"".join([*lines[:number], *lines[number + 1 :]])


@given(some.binary(max_size=300))
def test_any_bytes_are_a_log_with_faults_at_worst(data: bytes) -> None:
    log = checkpoint.read_updates(data)
    again = checkpoint.read_updates(data if log.mended is None else log.mended)
    assert again.faults == [] and again.mended is None


# --- the tree -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("meta/slaves/latest", "file"),
        ("meta/slaves/a", "directory"),
        ("meta/slaves/a/drain_config", "file"),
        ("meta/slaves/a/slave.info", ""),
        ("meta/containers", "directory"),
        ("meta/containers/c", "directory"),
        ("meta/containers/c/container.info", "file"),
        ("meta/containers/c/d", ""),
        ("meta/slaves/a/frameworks/f/framework.info", "file"),
        ("meta/slaves/a/frameworks/f/framework.info.damaged", ""),
        ("meta/slaves/a/frameworks/f/executors/task.info", "directory"),
        (f"{TASK}/task.info", "file"),
        (f"{TASK}/task.updates", "file"),
        (f"{TASK}/task.updates/deeper", ""),
        (TASK, "directory"),
    ],
)  # fmt: skip
def test_each_place_of_the_tree_is_known(path: str, kind: str) -> None:
    assert checkpoint.place(path) == kind


@given(some.dictionaries(some.sampled_from([
    checkpoint.LATEST, "meta/slaves/a/slave.info",
    "meta/slaves/a/frameworks/f/framework.info",
    "meta/slaves/a/frameworks/f/executors/t/executor.info",
    f"{TASK}/task.info", f"{TASK}/task.updates",
    "meta/slaves/a/frameworks/f/strange",
]), some.one_of(some.binary(max_size=60), some.just(b"a"), some.just(b"{}"))))  # fmt: skip
def test_any_damage_is_told_and_never_fatal(files: dict[str, bytes]) -> None:
    saved = checkpoint.read_saved(files)
    assert saved.tasks == []
    if files.get(checkpoint.LATEST) == b"a":
        broken = [path for path in files if path.endswith(".info") and "frameworks" in path]
        assert sorted(each.path for each in saved.damaged) == sorted(broken)


@given(some.binary(max_size=12))
def test_a_name_that_is_no_id_is_never_a_path(data: bytes) -> None:
    try:
        found = checkpoint.read_latest(data)
    except ValueError:
        return
    assert found is None or ("/" not in found and not found.startswith("."))


def plant(work_dir: Path) -> list[str]:
    """A small tree; its files."""
    paths = [
        PATH, COPY_PATH, "meta/containers/c/container.info", checkpoint.LATEST,
        "meta/slaves/a/drain_config",
        "meta/slaves/a/frameworks/f/framework.info",
        "meta/slaves/a/frameworks/f/executors/t/executor.info",
        f"{TASK}/task.info", f"{TASK}/task.updates",
    ]  # fmt: skip
    for path in paths:
        (work_dir / path).parent.mkdir(parents=True, exist_ok=True)
        (work_dir / path).write_bytes(b"a")
    (work_dir / "meta/slaves/a/frameworks/f/.framework.info.writing").write_bytes(b"left")
    (work_dir / f"{TASK}/task.info.damaged").write_bytes(b"old")
    return paths


def test_a_tree_is_read_without_what_is_not_ours(tmp_path: Path) -> None:
    assert read_meta(tmp_path) == ({}, {})
    paths = plant(tmp_path)
    assert read_meta(tmp_path) == (dict.fromkeys(paths, b"a"), {})


def _directory(path: Path) -> None:
    (path / "within").mkdir(parents=True)


def _link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(meta_tree.FILE_LIMIT_BYTES + 1)


@pytest.mark.parametrize("change", [_directory, _link, _pipe, _large])
@pytest.mark.parametrize("number", range(9))
def test_what_lies_in_the_place_of_a_file_is_told_and_can_be_set_aside(
    tmp_path: Path, number: int, change: object
) -> None:
    paths = plant(tmp_path)
    path = paths[number]
    (tmp_path / path).unlink()
    assert callable(change)
    change(tmp_path / path)
    tree = read_meta(tmp_path)
    assert list(tree.unreadable) == [path]
    below = () if path != checkpoint.LATEST else paths[4:]
    assert tree.files == {each: b"a" for each in paths if each != path and each not in below}
    set_checkpoint_aside(tmp_path / path)
    assert read_meta(tmp_path).unreadable == {}
    assert os.path.lexists(tmp_path / f"{path}.damaged")


@pytest.mark.parametrize("path", [
    "meta", "meta/slaves", "meta/resources", "meta/containers", "meta/slaves/a",
    "meta/slaves/a/frameworks",
    "meta/slaves/a/frameworks/f", "meta/slaves/a/frameworks/f/executors",
    "meta/slaves/a/frameworks/f/executors/t/runs", TASK,
])  # fmt: skip
def test_a_file_in_the_place_of_a_directory_is_told_and_the_rest_is_read(
    tmp_path: Path, path: str
) -> None:
    paths = plant(tmp_path)
    (tmp_path / path).rename(tmp_path / "gone")
    (tmp_path / path).write_bytes(b"a")
    tree = read_meta(tmp_path)
    assert tree.unreadable == {path: "is no directory"}
    assert sorted(tree.files) == sorted(each for each in paths if not each.startswith(f"{path}/"))


def test_damaged_files_of_one_name_are_all_kept(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "file").write_text(str(number))
        set_checkpoint_aside(tmp_path / "file")
    set_checkpoint_aside(tmp_path / "file")
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"file.damaged": "0", "file.damaged.2": "1", "file.damaged.3": "2"}
