"""Frames: pieces of a file whose length and checksum tell whether they are whole.

A frame is a header of 20 bytes and a payload. The header holds a mark, the payload's CRC-32 and
length, and its own CRC-32, all little-endian. Files of frames only grow, so that a kill or a power
cut can tear the last frame and no other; a frame that is not whole with whole ones behind it is
damage of another kind and is not repaired in silence.
"""

from __future__ import annotations

import struct
import zlib

MARK = b"mnb\x1a"
_HEADER = struct.Struct("<4sIQ")
_OWN = struct.Struct("<I")
HEADER_SIZE = _HEADER.size + _OWN.size


def framed(payload: bytes | memoryview) -> bytes:
    """A payload in its frame."""
    header = _HEADER.pack(MARK, zlib.crc32(payload), len(payload))
    return b"".join((header, _OWN.pack(zlib.crc32(header)), payload))


def whole_frames(data: bytes) -> tuple[list[memoryview], int]:
    """Payloads of the whole frames at the start of a file, and where they end.

    Parameters
    ----------
    data : bytes
        Of the whole file. The payloads are views of it.

    Returns
    -------
    payloads : list of memoryview
    end : int
        Bytes up to here are whole frames.
    """
    view, payloads, end = memoryview(data), [], 0
    while (payload := _payload(view, end)) is not None:
        payloads.append(payload)
        end += HEADER_SIZE + len(payload)
    return payloads, end


def frame_follows(data: bytes, end: int) -> bool:
    """Whether a whole frame lies anywhere behind the bytes at ``end`` that are none."""
    view, place = memoryview(data), data.find(MARK, end + 1)
    while place >= 0:
        if _payload(view, place) is not None:
            return True
        place = data.find(MARK, place + 1)
    return False


def _payload(view: memoryview, place: int) -> memoryview | None:
    header = view[place : place + _HEADER.size]
    own = view[place + _HEADER.size : place + HEADER_SIZE]
    if len(own) < _OWN.size or _OWN.unpack(own)[0] != zlib.crc32(header):
        return None
    mark, checksum, length = _HEADER.unpack(header)
    payload = view[place + HEADER_SIZE : place + HEADER_SIZE + length]
    if mark != MARK or len(payload) != length or zlib.crc32(payload) != checksum:
        return None
    return payload
