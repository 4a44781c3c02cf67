"""The fetcher on real files: what comes in, and what must never get out of the sandbox."""

import bz2
import gzip
import http.server
import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from mesosphere.agent import fetcher
from mesosphere.agent.fetcher import FetchError, base_name, target_in


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    path = tmp_path / "sandbox"
    path.mkdir()
    return path


def run(sandbox: Path, *uris: dict[str, Any], **more: Any) -> None:
    fetcher.run({"sandbox": str(sandbox), "uris": list(uris), **more})


def make_tar(path: Path, mode: str, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("http://host/a/b.tgz?token=1/2", "b.tgz"),
        ("file:///tmp/a%20b", "a b"),
        ("/tmp/x.zip", "x.zip"),
        ("http://host/dir/", "dir"),
        ("http://host", ""),
    ],
)
def test_the_name_is_the_last_part_of_the_path(uri: str, name: str) -> None:
    assert base_name(uri) == name


def test_a_local_file_is_copied_and_marked_executable(tmp_path: Path, sandbox: Path) -> None:
    (tmp_path / "tool.tar").write_bytes(b"not an archive, a program")
    run(sandbox, {"value": str(tmp_path / "tool.tar"), "executable": True})
    assert os.access(sandbox / "tool.tar", os.X_OK)


@pytest.mark.parametrize("suffix", [".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz"])
def test_tar_archives_are_extracted_and_kept(tmp_path: Path, sandbox: Path, suffix: str) -> None:
    kind = {"z": "gz", "2": "bz2"}.get(suffix[-1], "") if suffix != ".txz" else "xz"
    file = member("app/run.sh")
    file.mode = 0o4755
    archive = make_tar(tmp_path / f"app{suffix}", f"w:{kind}", (file, b"echo hi"))
    run(sandbox, {"value": f"file://{archive}"})
    assert (sandbox / "app/run.sh").read_bytes() == b"echo hi"
    assert (sandbox / "app/run.sh").stat().st_mode & 0o7777 == 0o755
    assert (sandbox / f"app{suffix}").exists()


def test_zip_and_gz_are_extracted(tmp_path: Path, sandbox: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("d/x", b"in zip")
    (tmp_path / "notes.gz").write_bytes(gzip.compress(b"in gz"))
    run(sandbox, {"value": str(tmp_path / "a.zip")}, {"value": str(tmp_path / "notes.gz")})
    assert (sandbox / "d/x").read_bytes() == b"in zip"
    assert (sandbox / "notes").read_bytes() == b"in gz"


def test_extract_false_leaves_the_archive_alone(tmp_path: Path, sandbox: Path) -> None:
    archive = make_tar(tmp_path / "a.tar", "w", (member("x"), b"x"))
    run(sandbox, {"value": str(archive), "extract": False})
    assert [path.name for path in sandbox.iterdir()] == ["a.tar"]


def test_output_file_may_lie_in_a_new_directory(tmp_path: Path, sandbox: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    run(sandbox, {"value": str(tmp_path / "x"), "output_file": "conf/deep/y"})
    assert (sandbox / "conf/deep/y").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/../out", "a/b/../../../out"])
def test_names_that_lead_out_are_refused(tmp_path: Path, sandbox: Path, name: str) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(FetchError, match="sandbox"):
        run(sandbox, {"value": str(tmp_path / "x"), "output_file": name})
    archive = make_tar(tmp_path / "evil.tar", "w", (member(name), b"evil"))
    with pytest.raises(FetchError, match="out of the sandbox"):
        run(sandbox, {"value": str(archive)})
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as packed:
        packed.writestr(name, b"evil")
    with pytest.raises(FetchError, match="out of the sandbox"):
        run(sandbox, {"value": str(tmp_path / "evil.zip")})
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_through_a_link(tmp_path: Path, sandbox: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("precious")
    archive = make_tar(
        tmp_path / "a.tar", "w",
        (member("door", tarfile.SYMTYPE, str(outside)), b""), (member("door/new"), b"evil"),
    )  # fmt: skip
    with pytest.raises(FetchError, match="through a link"):
        run(sandbox, {"value": str(archive)})
    archive = make_tar(
        tmp_path / "b.tar", "w",
        (member("f", tarfile.SYMTYPE, str(outside / "file")), b""), (member("f"), b"evil"),
    )  # fmt: skip
    run(sandbox, {"value": str(archive)})
    assert (sandbox / "f").read_bytes() == b"evil"
    assert (outside / "file").read_text() == "precious"
    assert list(outside.iterdir()) == [outside / "file"]


def test_hard_links_and_devices_out_of_the_sandbox_are_refused(
    tmp_path: Path, sandbox: Path
) -> None:
    for bad in (member("p", tarfile.LNKTYPE, "../secret"), member("null", tarfile.CHRTYPE)):
        (tmp_path / "secret").write_text("s")
        archive = make_tar(tmp_path / "a.tar", "w", (bad, b""))
        with pytest.raises(FetchError, match=r"sandbox|device"):
            run(sandbox, {"value": str(archive)})


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz", "tar.bz2", "zip", "gz"])
def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path, sandbox: Path, suffix: str) -> None:
    zeros = bytes(4_000_000)
    path = tmp_path / f"bomb.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("zeros", zeros)
    elif suffix == "gz":
        path.write_bytes(gzip.compress(zeros))
    else:
        make_tar(path, f"w:{suffix[4:]}", (member("zeros"), zeros))
    with pytest.raises(FetchError, match="more than 1000000 bytes"):
        run(sandbox, {"value": str(path)}, limit_bytes=1_000_000)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.zip", "a.gz"])
def test_a_damaged_archive_is_a_clear_fault(tmp_path: Path, sandbox: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"this is no archive at all")
    with pytest.raises(FetchError, match=f"{name}'"):
        run(sandbox, {"value": str(tmp_path / name)})


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(position=some.integers(0, 2000), byte=some.integers(0, 255), cut=some.integers(1, 4000))
def test_any_damage_is_a_clear_fault_or_no_fault(
    tmp_path: Path, position: int, byte: int, cut: int
) -> None:
    for name, pack in (("a.tar.gz", gzip.compress), ("a.tar.bz2", bz2.compress),
                       ("a.tar.xz", lzma.compress), ("a.tar", bytes)):  # fmt: skip
        sandbox = tmp_path / "fuzz"
        sandbox.mkdir(exist_ok=True)
        plain = make_tar(tmp_path / "plain", "w", (member("x"), b"abc" * 500)).read_bytes()
        data = bytearray(pack(plain))
        data[position % len(data)] = byte
        (tmp_path / name).write_bytes(bytes(data[:cut]) if cut < len(data) else bytes(data))
        try:
            run(sandbox, {"value": str(tmp_path / name)})
        except FetchError as error:
            assert name in str(error)


def test_unknown_schemes_and_missing_files_name_the_uri(sandbox: Path) -> None:
    with pytest.raises(FetchError, match=r"hdfs://x/y.*scheme 'hdfs' is not supported"):
        run(sandbox, {"value": "hdfs://x/y"})
    with pytest.raises(FetchError, match="/no/such': No such file"):
        run(sandbox, {"value": "/no/such"})
    with pytest.raises(FetchError, match="frameworks_home"):
        run(sandbox, {"value": "relative/path"})


class _Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/found"):
            self.send_response(302)
            self.send_header("Location", "/ok.txt")
            self.end_headers()
        elif self.path.startswith("/ok"):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        elif self.path.startswith("/short"):
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"short")
        else:
            self.send_error(404, "Nothing Here")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_address[1]}"
    serving.shutdown()
    serving.server_close()
    thread.join()


def test_http_follows_redirects_and_tells_faults(sandbox: Path, server: str) -> None:
    run(sandbox, {"value": f"{server}/found/it"})
    assert (sandbox / "it").read_bytes() == b"ok"
    with pytest.raises(FetchError, match="answered 404 Nothing Here"):
        run(sandbox, {"value": f"{server}/absent"})
    with pytest.raises(FetchError, match="failed to fetch"):
        run(sandbox, {"value": f"{server}/short"})
    with pytest.raises(FetchError, match="refused"):
        run(sandbox, {"value": "http://127.0.0.1:1/x"})


def test_the_process_tells_the_first_fault_and_its_code(sandbox: Path) -> None:
    script = "import sys; from mesosphere.agent.fetcher import main; sys.exit(main([]))"
    job = {"sandbox": str(sandbox), "uris": [{"value": "/no/such"}], "user": None}
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'src'); {script}"],
        input=json.dumps(job).encode(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.decode() == "failed to fetch '/no/such': No such file or directory"


def test_targets_stay_below_the_sandbox(sandbox: Path) -> None:
    assert target_in(sandbox, "/abs") == sandbox.resolve() / "abs"
    assert target_in(sandbox, "a/../b") == sandbox.resolve() / "b"
