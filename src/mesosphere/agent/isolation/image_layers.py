"""Unpacks the layers of an image, one over the other, into one directory.

Meanwhile that directory is the root of the process, so that no name and no link in a layer leads
anywhere else. Whiteouts remove what lower layers brought; devices are left out, because
the OCI runtime makes those that a container may have. Sizes and counts are bounded, and each layer
is checked against the digest that the image's configuration names.
Source: the OCI image specification, "Image Layer Filesystem Changeset".
"""

import bz2
import contextlib
import gzip
import hashlib
import lzma
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

ENTRIES_MOST = 2_000_000
CHUNK_BYTES = 1 << 18
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
CAPABILITY = "SCHILY.xattr.security.capability"
DAMAGED = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError, OverflowError)


class ImageError(Exception):
    """The image can't be had; the message is one sentence."""


class Layer(NamedTuple):
    """A layer: its name for messages, an open file, and the digest of its tar ("" if not told)."""

    name: str
    file: IO[bytes]
    digest: str = ""


def plain(file: IO[bytes], name: str) -> IO[bytes]:
    """The tar of a layer, whatever it is packed with. Raises ImageError."""
    magic = file.read(6)
    file.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if magic[:3] == b"BZh":
        return bz2.BZ2File(file)
    if magic == b"\xfd7zXZ\0":
        return lzma.LZMAFile(file)
    if magic[:4] == b"\x28\xb5\x2f\xfd":
        raise ImageError(f"the layer {name} is packed with zstd: pack it with gzip")
    return file


class _Reader:
    """Bytes of one layer's tar, counted and hashed as they pass."""

    def __init__(self, file: IO[bytes], left_bytes: int) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.left_bytes = left_bytes

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.left_bytes -= len(data)
        if self.left_bytes < 0:
            raise ImageError("the image has more bytes than --fetcher_size_limit")
        self._hash.update(data)
        return data

    def finish(self) -> str:
        while self.read(CHUNK_BYTES):
            pass
        return f"sha256:{self._hash.hexdigest()}"


def unpack(layers: list[Layer], root: Path, limit_bytes: int) -> None:
    """Unpack in order into `root`, which exists and is empty. Raises ImageError.

    The whole process has `root` for its own root meanwhile: call it in a process without threads.
    """
    home = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0)
    try:
        os.chroot(root)
        os.chdir("/")
        entries = 0
        for layer in layers:
            entries, limit_bytes = _unpack_one(layer, entries, limit_bytes)
    finally:
        os.fchdir(home)
        os.chroot(".")
        os.close(home)
        os.umask(mask)


def _unpack_one(layer: Layer, entries: int, limit_bytes: int) -> tuple[int, int]:
    """Entries so far, and bytes that are left."""
    try:
        reader = _Reader(plain(layer.file, layer.name), limit_bytes)
        entries = _apply(reader, entries)
        digest = reader.finish()
    except DAMAGED as error:
        raise ImageError(f"the layer {layer.name} is damaged: {error}") from error
    except OSError as error:
        reason = error.strerror or error
        raise ImageError(f"the layer {layer.name} can't be unpacked: {reason}") from error
    if layer.digest and digest != layer.digest:
        raise ImageError(f"the layer {layer.name} is not what the image names: {digest}")
    return entries, reader.left_bytes


def _apply(reader: _Reader, entries: int) -> int:
    fresh: set[str] = set()
    with tarfile.open(fileobj=reader, mode="r|", errorlevel=0) as tar:  # type: ignore[call-overload]
        for member in tar:
            entries += 1
            if entries > ENTRIES_MOST:
                raise ImageError(f"the image has more than {ENTRIES_MOST} entries")
            path = os.path.normpath("/" + member.name)
            name = os.path.basename(path)
            if name == OPAQUE:
                _empty(os.path.dirname(path), fresh)
            elif name.startswith(WHITEOUT):
                _remove(os.path.join(os.path.dirname(path), name.removeprefix(WHITEOUT)))
            elif path != "/":
                _place(tar, member, path)
                fresh.add(path)
            tar.members = []
    return entries


def _empty(directory: str, fresh: set[str]) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if path not in fresh:
                _remove(path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    existing = os.path.isdir(path) and not os.path.islink(path)
    if not (existing and member.isdir()):
        _remove(path)
    maker = MAKERS.get(member.type)
    if maker is None:
        return
    maker(tar, member, path)
    if member.islnk():
        return
    os.lchown(path, member.uid, member.gid)
    if not member.issym():
        os.chmod(path, stat.S_IMODE(member.mode))
        os.utime(path, (member.mtime, member.mtime))
        capability = member.pax_headers.get(CAPABILITY)
        if capability is not None:
            with contextlib.suppress(OSError):
                value = capability.encode("utf-8", "surrogateescape")
                os.setxattr(path, "security.capability", value)


def _file(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    source = tar.extractfile(member)
    with open(path, "xb") as file:
        while source is not None and (chunk := source.read(CHUNK_BYTES)):
            file.write(chunk)


def _directory(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    os.makedirs(path, exist_ok=True)


def _link(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    os.symlink(member.linkname, path)


def _hard_link(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    os.link(os.path.normpath("/" + member.linkname), path, follow_symlinks=False)


def _pipe(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    os.mkfifo(path)


MAKERS: dict[bytes, Callable[[Any, tarfile.TarInfo, str], None]] = {
    tarfile.REGTYPE: _file,
    tarfile.AREGTYPE: _file,
    tarfile.CONTTYPE: _file,
    tarfile.GNUTYPE_SPARSE: _file,
    tarfile.DIRTYPE: _directory,
    tarfile.SYMTYPE: _link,
    tarfile.LNKTYPE: _hard_link,
    tarfile.FIFOTYPE: _pipe,
}
