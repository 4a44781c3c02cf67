"""What is said between an agent and the switchboard of a container: frames on a unix socket.

A frame is its kind (one letter), the length of what follows (four bytes, big-endian), and that. A
client opens with OUTPUT or INPUT and hears OK or REFUSED (another one gives input); then it is sent
OUT and ERR, or sends DATA, CLOSE (the end of the input) and WINDOW (rows and columns), and hears
FAILED (with a reason) or OVER: the container's output has ended. Standard library only.
"""

import struct

OUTPUT, INPUT, OK, REFUSED = b"O", b"I", b"k", b"n"
OUT, ERR = b"o", b"e"
DATA, CLOSE, WINDOW, FAILED, OVER = b"d", b"c", b"w", b"f", b"x"
HEAD = struct.Struct(">cI")
SIZE = struct.Struct(">HH")
FRAME_LIMIT_BYTES = 1024 * 1024 + 1
"""Longest content; a peer that announces more is cut."""


class FrameError(Exception):
    """What comes in is no frame."""


def encode(kind: bytes, content: bytes = b"") -> bytes:
    """One frame."""
    return HEAD.pack(kind, len(content)) + content


def split(received: bytearray) -> list[tuple[bytes, bytes]]:
    """The whole frames at the beginning, which are taken off. Raises FrameError."""
    found = []
    position = 0
    while len(received) - position >= HEAD.size:
        kind, length = HEAD.unpack_from(received, position)
        if length > FRAME_LIMIT_BYTES:
            raise FrameError(f"a frame of {length} bytes")
        end = position + HEAD.size + length
        if end > len(received):
            break
        found.append((kind, bytes(received[position + HEAD.size : end])))
        position = end
    del received[:position]
    return found
