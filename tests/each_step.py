"""Write a run over an earlier one, and let something happen at one of the steps on the disk.

python each_step.py FOLDER kill|term|full

Each step in turn has its process: it is killed there, told to end, or finds the disk full. For each
it is printed what the folder then holds, and what it holds once another run was claimed.
"""

import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from mnbayes.base.ending import EndedError, end_as_interrupted
from mnbayes.run.keeping import claim, whole_folder
from mnbayes.run.record import MANIFEST
from mnbayes.run.written_files import write_record

#: What Python tells of before it touches the disk (``sys.addaudithook``); what a full one refuses.
STEPS = {"open", "os.mkdir", "os.rename", "os.rmdir", "os.remove", "os.chmod"}
FILLING = {"open", "os.mkdir", "os.rename"}
BEYOND = 77  # exit status where there is no such step


def write(run: Path, text: str, day: int) -> None:
    """A run of two files, over the one that is there."""
    target = claim(run, force=True)
    with whole_folder(target) as made:
        (made.path / "plots").mkdir()
        for name in ("a.csv", "plots/a.svg"):
            (made.path / name).write_text(text)
        write_record(made.path, MANIFEST, {"started": f"2026-11-{day}T15:57:54+00:00"})


steps = 0


def watch(folder: str, number: int, what: str) -> None:
    """Let something happen at a step in a folder."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        global steps
        if event not in (FILLING if what == "full" else STEPS):
            return
        if not str(arguments[0]).startswith(folder):
            return
        if what == "full" and event == "open" and not int(str(arguments[2])) & os.O_CREAT:
            return
        steps += 1
        if steps != number:
            return
        if what == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
        os.kill(os.getpid(), signal.SIGKILL if what == "kill" else signal.SIGTERM)

    sys.addaudithook(hook)


def held(folder: Path) -> dict[str, str]:
    """Each run beside another: its text, blank unless it is whole."""
    found = {}
    for path in sorted(folder.iterdir()):
        names = ["a.csv", "plots/a.svg", MANIFEST]
        whole = all((path / name).is_file() for name in names)
        texts = {(path / name).read_text() for name in names[:2]} if whole else set()
        found[path.name] = texts.pop() if len(texts) == 1 else ""
    return found


def main() -> None:
    """Go through the steps until one is beyond the last."""
    folder, what = Path(sys.argv[1]), sys.argv[2]
    for number in range(1, 1000):
        place = folder / str(number)
        write(place / "run", "first", 29)
        (place / "run" / "notes.txt").write_text("mine")
        sys.stdout.flush()
        if (child := os.fork()) == 0:
            end_as_interrupted()
            watch(str(place), number, what)
            try:
                write(place / "run", "second", 30)
            except (OSError, ValueError) as error:
                (folder / "said").write_text(str(error).replace(str(place), ""))
                sys.exit(2)
            except EndedError as error:
                sys.exit(error.status)
            sys.exit(0 if steps >= number else BEYOND)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        then = held(place)
        said = (folder / "said").read_text() if status == 2 else ""
        claim(place / "run", force=True)
        notes = [path.parent.name for path in place.glob("*/notes.txt")]
        print(json.dumps([status, said, then, held(place), notes]))
        shutil.rmtree(place)
        if status == BEYOND:
            return


if __name__ == "__main__":
    main()
