"""A checksum inside a JSON object, so that what a disk has spoiled is not believed.

A sealed text is `{"crc32":N,...}`: to who knows nothing of seals it is the same object with a key
more. N is the CRC-32 of all bytes after its comma. A text without a seal is taken as it is: it was
written by an earlier release.
"""

from zlib import crc32

_BEGINNING = b'{"crc32":'


def seal(text: bytes) -> bytes:
    """Seal the JSON text of an object that is not empty."""
    rest = text[1:]
    return b"%s%d,%s" % (_BEGINNING, crc32(rest), rest)


def unseal(text: bytes) -> bytes:
    """The JSON text that was sealed. Raises ValueError if it is not what was written."""
    if not text.startswith(_BEGINNING):
        return text
    number, _, rest = text[len(_BEGINNING) :].partition(b",")
    if number != b"%d" % crc32(rest):
        raise ValueError("its checksum does not match")
    return b"{" + rest
