"""Standard output and standard error on screens of any kind: where they are set up, once."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from pathlib import Path
from typing import TextIO

#: How a system says that nobody reads a pipe any more; the second one is that of Windows.
_CLOSED = (errno.EPIPE, errno.EINVAL)


class _Unheard(io.FileIO):
    """A file that takes what is written, whether or not somebody still reads it.

    ``mnbayes check DIR | head -1`` has done its work, and its exit status says so.
    """

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno not in _CLOSED:
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())  # the rest goes nowhere, that of child processes too
            os.close(nowhere)
            return super().write(data)  # type: ignore[arg-type]


class _Ascii(io.TextIOWrapper):
    """A screen of ASCII under a name that Typer does not know.

    Typer takes ASCII for a mistake and writes UTF-8 to it, past the encoding that was asked for.
    """

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "7-bit"


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _set_up(stream: TextIO | None) -> TextIO:
    if stream is None:  # started without one, as by a service
        return _nowhere()
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # somebody's own, as in a test or a notebook
    is_ascii = codecs.lookup(stream.encoding).name == "ascii"
    if stream.isatty() and not is_ascii:
        stream.reconfigure(errors="replace")
        return stream
    stream.flush()
    return (_Ascii if is_ascii else io.TextIOWrapper)(
        io.BufferedWriter(_Unheard(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
    )


def set_up() -> None:
    """Let no letter that a screen lacks, and no reader who has left, end a command.

    A letter beyond the encoding becomes a question mark.
    """
    sys.stdout, sys.stderr = _set_up(sys.stdout), _set_up(sys.stderr)


def finished(status: int | str | None) -> int | str | None:
    """Write what is still held; an exit status of 0 becomes 2 where that cannot be done."""
    try:
        sys.stdout.flush()
    except OSError as error:
        sys.stdout = _nowhere()
        if not status:
            sys.stderr.write(f"output: {error.strerror}\n")
            return 2
    return status
