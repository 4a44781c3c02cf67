"""Unpacks archives that may hold anything. Standard library only: the fetcher starts fast.

Nothing in an archive is written outside the sandbox, whatever its names and links say; devices are
refused; sizes and counts are bounded, because a few kilobytes can unpack to terabytes.
"""

import bz2
import contextlib
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, Protocol

SIZE_LIMIT_BYTES = 20 * 1024**3
"""Most that one URI may bring, and most that one archive may unpack to."""
ENTRY_LIMIT = 1_000_000
"""Most entries of one archive."""
CHUNK_BYTES = 1 << 18

TAR_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
PACKED: dict[str, Callable[[IO[bytes]], Any]] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
"""Single files that are packed: how each is read."""
DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError,
    NotImplementedError, RuntimeError, UnicodeError, ValueError, OverflowError, MemoryError,
)  # fmt: skip
"""What Python's readers raise on archives that are damaged or made to harm."""


class Readable(Protocol):
    """What bytes are read from: an answer, a file, a member of an archive."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""


class FetchError(Exception):
    """A URI can't be fetched; the message is one sentence that names it."""


class Budget:
    """How many bytes may still be written."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.left_bytes = limit_bytes

    def take(self, count: int) -> None:
        """Spend bytes; raises FetchError when the limit is passed."""
        self.left_bytes -= count
        if self.left_bytes < 0:
            raise FetchError(f"it has more than {self.limit_bytes} bytes")


def target_in(sandbox: Path, name: str) -> Path:
    """The place of `name` below the sandbox. Raises FetchError if it would be outside."""
    root = sandbox.resolve()
    target = Path(os.path.normpath(root / name.lstrip("/")))
    if target != root and root not in target.parents:
        raise FetchError(f"'{name}' leads out of the sandbox")
    if not target.parent.resolve().is_relative_to(root):
        raise FetchError(f"'{name}' leads out of the sandbox through a link")
    return target


def copy(source: Readable, target: Path, budget: Budget, mode: int = 0o644) -> None:
    # A link or file of this name is replaced, never written through.
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            budget.take(len(chunk))
            file.write(chunk)
        os.fchmod(file.fileno(), mode)


def is_archive(name: str) -> bool:
    """Whether a file of this name is extracted after the fetch."""
    return name.lower().endswith((*TAR_SUFFIXES, ".zip", *PACKED))


def extract(
    name: str, archive: IO[bytes], sandbox: Path, limit_bytes: int = SIZE_LIMIT_BYTES
) -> None:
    """Unpack by the name's suffix into the sandbox. Raises FetchError, OSError or a reader's."""
    lower = name.lower()
    budget = Budget(limit_bytes)
    if lower.endswith(TAR_SUFFIXES):
        _extract_tar(archive, sandbox, budget)
    elif lower.endswith(".zip"):
        _extract_zip(archive, sandbox, budget)
    else:
        suffix = next(suffix for suffix in PACKED if lower.endswith(suffix))
        with PACKED[suffix](archive) as source:
            copy(source, target_in(sandbox, name[: -len(suffix)]), budget)


def _counted(entries: Iterable[Any]) -> Iterable[Any]:
    for count, entry in enumerate(entries, 1):
        if count > ENTRY_LIMIT:
            raise FetchError(f"the archive has more than {ENTRY_LIMIT} entries")
        yield entry


def _extract_tar(archive: IO[bytes], sandbox: Path, budget: Budget) -> None:
    with tarfile.open(fileobj=archive, mode="r:*") as tar:
        for member in _counted(tar):
            target = target_in(sandbox, member.name)
            if target == sandbox.resolve():
                continue
            if member.isdir():
                _make_directory(target, member.mode)
            elif member.issym():
                _make_link(target, member.linkname)
            elif member.islnk():
                _make_hard_link(target, target_in(sandbox, member.linkname))
            elif member.isfile():
                source = tar.extractfile(member)
                if source is None:
                    raise FetchError(f"'{member.name}' can't be read")
                _make_parent(target)
                copy(source, target, budget, (member.mode & 0o777) | 0o600)
            else:
                raise FetchError(f"'{member.name}' is a device or a pipe")
            # The list of members that tarfile keeps would grow without bound.
            tar.members = []  # type: ignore[attr-defined]


def _extract_zip(archive: IO[bytes], sandbox: Path, budget: Budget) -> None:
    with zipfile.ZipFile(archive) as packed:
        for entry in _counted(packed.infolist()):
            target = target_in(sandbox, entry.filename)
            mode = entry.external_attr >> 16
            if target == sandbox.resolve():
                continue
            if entry.is_dir():
                _make_directory(target, mode or 0o755)
            elif stat.S_ISLNK(mode):
                if entry.file_size > 4096:
                    raise FetchError(f"the link '{entry.filename}' is too long")
                _make_link(target, packed.read(entry).decode())
            else:
                _make_parent(target)
                with packed.open(entry) as source:
                    copy(source, target, budget, (mode & 0o777 or 0o644) | 0o600)


def _make_parent(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)


def _make_directory(target: Path, mode: int) -> None:
    if target.is_symlink():
        target.unlink()
    target.mkdir(parents=True, exist_ok=True)
    target.chmod((mode & 0o777) | 0o700)


def _make_link(target: Path, points_to: str) -> None:
    # A link may point anywhere, as the task itself could make it; nothing is written through it.
    _make_parent(target)
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    target.symlink_to(points_to)


def _make_hard_link(target: Path, existing: Path) -> None:
    if existing.is_symlink():
        raise FetchError(f"'{target.name}' is a hard link to a symbolic one")
    _make_parent(target)
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    os.link(existing, target)
