"""Two processes write a run into one folder at the same moment, time and again; no model is fitted.

python scripts/concurrent_writers.py    (300 pairs; writes docs/concurrent_writers.json)

In every other pair the folder holds a run already and both may move it aside. One writer must win
whole; the other must say that it did not, and keep what it made beside the folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from mnbayes.base.problems import TakenError
from mnbayes.run.keeping import claim, whole_folder
from mnbayes.run.record import MANIFEST, read_or_empty
from mnbayes.run.written_files import write_record

RESULT = Path(__file__).parents[1] / "docs" / "concurrent_writers.json"
PAIRS, FILES = 300, 20
_OLD, _OWN = "before", "notes.txt"


def write(folder: Path, writer: str) -> None:
    """Files of a small run, each with its writer's name."""
    (folder / "plots").mkdir()
    for i in range(FILES):
        (folder / "plots" / f"{i}.svg").write_text(writer)
    write_record(folder, MANIFEST, {"started": "2026-01-02T03:04:05+00:00", "writer": writer})


def writer_of(folder: Path) -> str:
    """Who wrote a folder; empty unless every file of it is there and of one writer."""
    writer = str(read_or_empty(folder / MANIFEST).get("writer", ""))
    found = [path.read_text() for path in (folder / "plots").glob("*.svg")]
    return writer if found == [writer] * FILES else ""


def write_on_command(name: str) -> None:
    """One writer: claims the folder of each line it reads, says so, and writes at the next line."""
    for line in sys.stdin:
        force, folder = line.rstrip("\n").split(" ", 1)
        target = claim(Path(folder), force=force == "force")
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            with whole_folder(target) as made:
                write(made.path, name)
            print("won", flush=True)
        except TakenError:
            print("taken", flush=True)


def check_pair(folder: Path, said: list[str], *, forced: bool) -> list[str]:
    """What is wrong with the folders that a pair left; nothing, as a rule."""
    wrong = []
    if sorted(said) != ["taken", "won"]:
        wrong.append(f"the writers said {said}")
    elif writer_of(folder) != "ab"[said.index("won")]:
        wrong.append("the folder is not the winner's")
    beside = sorted(writer_of(path) for path in folder.parent.iterdir() if path != folder)
    expected = sorted(["ab"[said.index("taken")], _OLD][: 1 + forced]) if "taken" in said else []
    if beside != expected:
        wrong.append(f"beside it are {beside}, not {expected}")
    if forced and not (folder / _OWN).is_file():
        wrong.append("a file of one's own is gone")
    return wrong


def race(pairs: int) -> list[str]:
    """Let two processes write into one folder, pair after pair.

    Returns
    -------
    list of str
        What went wrong in which pair.
    """
    wrong = []
    with TemporaryDirectory() as place:
        writers = [
            subprocess.Popen(
                [sys.executable, __file__, "--writer", name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in "ab"
        ]
        lines: list[tuple[IO[str], IO[str]]] = []
        for process in writers:
            assert process.stdin is not None
            assert process.stdout is not None
            lines.append((process.stdin, process.stdout))

        def tell(text: str) -> list[str]:
            for given, _ in lines:
                given.write(f"{text}\n")
                given.flush()
            return [told.readline().strip() for _, told in lines]

        for i in range(pairs):
            folder, forced = Path(place) / str(i) / "run", i % 2 == 1
            folder.parent.mkdir()
            if forced:
                folder.mkdir()
                write(folder, _OLD)
                (folder / _OWN).write_text("mine")
            tell(f"{'force' if forced else 'new'} {folder}")
            wrong += [f"pair {i}: {each}" for each in check_pair(folder, tell("go"), forced=forced)]
        for process in writers:
            process.communicate()
    return wrong


def main() -> None:
    """Run the pairs and store what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--writer", help="be one of the two")
    asked = parser.parse_args()
    if asked.writer:
        write_on_command(asked.writer)
        return
    wrong = race(asked.pairs)
    found = {
        "made_by": "scripts/concurrent_writers.py",
        "system": sys.platform,
        "pairs": asked.pairs,
        "whole": asked.pairs - len({each.split(":")[0] for each in wrong}),
        "wrong": wrong,
    }
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{found['whole']} of {found['pairs']} pairs whole")
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
