"""How fast the explorer answers, what memory it keeps, and whether its answers are the library's.

python scripts/explorer.py    (writes docs/explorer.json; a Chromium is needed)

Three parts, each by itself with --only: ``drags`` (in a browser: from a move of a slider to the
redrawn page), ``memory`` (of the server after many drags, and its start), ``settings`` (random
ones: each answer against the same made by prior texts, ``mn.fit`` and the tables of a run; an
hour).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from page_blocks import write_block

RESULT = Path(__file__).parents[1] / "docs" / "explorer.json"
PAGE, BLOCK = RESULT.with_suffix(".md"), "measured"
MODELS = ("proteinuria", "remission")
#: Moves of a slider in the browser, messages of the memory test, random settings.
MOVES, DRAGS, SETTINGS = 60, 1000, 1000
#: Of the random settings, how many have Student-t residuals, which NUTS samples.
HEAVY = 0.05


@contextmanager
def explorer(*models: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running explorer and its address."""
    asked = [word for model in models for word in ("--model", model)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mnbayes.cli", "explore", "--no-browser", *asked],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = next(line.strip() for line in process.stdout if line.startswith("http://"))
        yield process, address
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def cpu_seconds(process: int) -> float:
    """Seconds of CPU that a process has had."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(process: int) -> float:
    """Memory of a process, MiB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def quantiles(values: list[float]) -> dict[str, float]:
    """Median and 95 % of some seconds."""
    middle, high = np.quantile(values, [0.5, 0.95])
    return {"median": round(float(middle), 3), "95 %": round(float(high), 3), "count": len(values)}


def drags(model: str, moves: int) -> dict[str, Any]:
    """Move a slider step by step with the mouse, and wait for each redrawn page."""
    from playwright.sync_api import sync_playwright

    from mnbayes.report.pdf import find_browser

    taken, spent = [], []
    with explorer(model) as (process, address), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser())
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.wait_for_selector("body[data-further]", timeout=120_000)
        slider = page.locator("fieldset[data-name^=change_mean] input[type=range]").first
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 0.36 * box["width"], y)
        page.mouse.down()
        for move in range(moves):
            n = int(page.evaluate("document.body.dataset.n"))
            before = cpu_seconds(process.pid)
            page.mouse.move(box["x"] + (0.2 + 0.15 * (move % 10) / 10) * box["width"], y)
            page.wait_for_function(f"() => Number(document.body.dataset.n) > {n}")
            taken.append(float(page.evaluate("document.body.dataset.took")) / 1000)
            spent.append(cpu_seconds(process.pid) - before)
        page.mouse.up()
        browser.close()
    return {"wall": quantiles(taken), "cpu": quantiles(spent)}


async def _talk(address: str, messages: list[dict[str, Any]]) -> int:
    """Send each message, and wait until it is answered; how often it was refused."""
    from tornado.httpclient import HTTPRequest
    from tornado.websocket import websocket_connect

    start = address.removeprefix("http")
    origin = address.split("/", 3)
    request = HTTPRequest(f"ws{start}socket/live", headers={"Origin": "/".join(origin[:3])})
    line = await websocket_connect(request)
    refused = 0

    async def answered(n: int) -> bool:
        while True:
            text = await line.read_message()
            assert text is not None, "the explorer has stopped"
            said = json.loads(text)
            if said["type"] == "problem":
                return False
            if said["type"] == "answers" and said["n"] == n:
                return True

    await answered(0)
    for number, message in enumerate(messages, 1):
        await line.write_message(json.dumps(message | {"type": "set", "n": number}))
        refused += not await answered(number)
    line.close()
    return refused


def memory(count: int) -> dict[str, Any]:
    """Start the explorer, and drag it often."""
    rng = np.random.default_rng(1)
    started = time.perf_counter()
    with explorer("proteinuria") as (process, address):
        asyncio.run(_talk(address, []))
        first, cpu = time.perf_counter() - started, cpu_seconds(process.pid)
        at_first = resident(process.pid)
        messages: list[dict[str, Any]] = []
        for _ in range(count):
            low, high = np.sort(np.exp(rng.normal(-0.3, 0.7, 2)))
            belief = f"90% between {low:.4f} and {high + 0.01:.4f} on gmr"
            settings = {"model": "proteinuria", "priors": {"change_mean": belief}}
            messages.append({"settings": settings, "live": True})
        refused = asyncio.run(_talk(address, messages))
        after = resident(process.pid)
    return {
        "seconds_to_first_answer": {"wall": round(first, 2), "cpu": round(cpu, 2)},
        "mib_at_first": round(at_first),
        "drags": count,
        "refused": refused,
        "mib_after_drags": round(after),
    }


def random_settings(case: Any, rng: np.random.Generator) -> Any:
    """Settings as a page could send them."""
    from mnbayes.explorer.dials import dials
    from mnbayes.explorer.settings import Settings

    settings = Settings(str(rng.choice(MODELS)), seed=int(rng.integers(1, 1000)))
    settings = replace(settings, sets=(str(rng.choice(case.set_names)),))
    if rng.random() < 0.3:
        settings = replace(settings, morph=float(rng.random()))
    settings = replace(settings, trajectory=str(rng.choice(["", "step", "drift"])))
    if rng.random() < HEAVY:
        settings = replace(settings, residual="student_t")
    card = case.shown_card(settings)
    found = dials(card, case.base(settings), case.names(card))
    for place in rng.choice(len(found), int(rng.integers(0, 4)), replace=False):
        dial = found[place]
        values = {}
        for slider in dial.sliders:
            low, high = np.log(slider.least), np.log(slider.most)
            values[slider.key] = float(f"{np.exp(rng.uniform(low, high)):.6g}")
        if dial.kind == "range":
            low, high = sorted(values.values())
            values = {"low": low, "high": max(high, 1.02 * low)}
        settings = settings.with_prior(dial.name, dial.stated(values))
    definitions = str(rng.choice(["", *case.definition_names]))
    settings = replace(settings, definitions=definitions)
    bars = case.definitions_of(settings).benchmarks
    if bars and rng.random() < 0.5:
        category = str(rng.choice(list(bars)))
        settings = replace(settings, benchmarks=((category, float(rng.uniform(0.05, 0.95))),))
    if rng.random() < 0.5:
        settings = replace(settings, week=float(rng.choice(case.weeks(settings))))
    return replace(settings, strategy=str(rng.choice(["mar", "composite", "locf", "delta"])))


def same_answers(case: Any, settings: Any) -> tuple[str, str, str]:
    """An answer as the page and as ``mnbayes fit --engine auto`` make it.

    Returns
    -------
    tuple of str
        What differs, why it was refused, and which engine drew; blank where nothing.
    """
    import mnbayes as mn
    from mnbayes.answers.result import base_result
    from mnbayes.base.problems import InputError
    from mnbayes.explorer.answers import answer, further
    from mnbayes.explorer.pages import dumped
    from mnbayes.explorer.saving import set_texts
    from mnbayes.explorer.settings import read_query
    from mnbayes.explorer.shown import further_payload, payload
    from mnbayes.inference.sampling import Sampling

    settings = read_query(settings.query, MODELS[0])
    try:
        case.check(settings)
        quick, made = answer(case, settings, settled=False), answer(case, settings)
    except InputError as error:
        return "", str(error), ""
    assert made is not None
    for each in (quick, made):
        if each is not None:
            dumped(payload(case, each))
    if settings.seed % 5 == 0:  # they take as long as all else
        dumped(further_payload(made, further(case, made)))
    card = mn.with_priors(mn.load_card(settings.model), settings.sets, set_texts(case, settings))
    structure = made.card.structure
    card = card.model_copy(update={"structure": structure})
    sampling = Sampling(seed=settings.seed, engine="auto")
    fitted = mn.fit(card, case.cohort_of(settings), sampling)
    definitions = case.definitions_of(settings)
    result, _ = base_result(fitted, definitions, settings.seed, allow_unconverged=True)
    keys = ["kind", "patient", "marker", "week", "category"]
    ours = made.before.answers
    same = result.answers.merge(ours[keys], on=keys)
    try:
        pd.testing.assert_frame_equal(
            ours.sort_values(keys, ignore_index=True), same.sort_values(keys, ignore_index=True)
        )
    except AssertionError as error:
        return str(error), "", made.fit.engine
    return "", "", made.fit.engine


def settings(count: int) -> dict[str, Any]:
    """Random settings, each answered twice."""
    from mnbayes.explorer.start import explored

    case = explored(None, MODELS)
    rng = np.random.default_rng(2)
    refused: dict[str, int] = {}
    engines: dict[str, int] = {}
    different, failed = [], []
    done = 0
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C: what there is so far
        while done < count:
            asked = random_settings(case, rng)
            done += 1
            try:
                wrong, why, engine = same_answers(case, asked)
            except Exception:
                failed.append({"settings": asked.query, "traceback": traceback.format_exc()})
                continue
            if wrong:
                different.append({"settings": asked.query, "difference": wrong[:500]})
            if engine:
                engines[engine] = engines.get(engine, 0) + 1
            if why:
                refused[why[:200]] = refused.get(why[:200], 0) + 1
            if done % 50 == 0:
                told = f"{done} settings: {len(different)} differ, {len(failed)} failed"
                print(told, file=sys.stderr, flush=True)
    return {
        "asked": done,
        "engines": engines,
        "refused": refused,
        "different": different,
        "tracebacks": failed,
    }


def markdown(stored: dict[str, Any]) -> str:
    """What was measured, for the page."""
    drags, kept, asked = stored["drags"], stored["memory"], stored["settings"]
    loads = [f"{load:g}" for load in drags["load"]]
    lines = ["| | median | 95 % | CPU, median |", "|---|--:|--:|--:|"]
    for model in MODELS:
        wall, cpu = drags[model]["wall"], drags[model]["cpu"]
        numbers = (wall["median"], wall["95 %"], cpu["median"])
        said = " | ".join(f"{number:.2f} s" for number in numbers)
        lines.append(f"| a move of a slider to the redrawn page, `{model}` | {said} |")
    first = kept["seconds_to_first_answer"]
    engines = ", ".join(f"{count} by {engine}" for engine, count in asked["engines"].items())
    failed, apart = len(asked["tracebacks"]) or "no", len(asked["different"])
    same = f"all but {apart} answers" if apart else "every answer"
    refused = sum(asked["refused"].values())
    cores = stored["machine"]["cores"]
    return "\n".join(
        [
            f"`scripts/explorer.py` made [`explorer.json`](explorer.json) on {cores} cores (load "
            f"{' to '.join(loads)} while dragging; the seconds of CPU are the server's own):",
            "",
            *lines,
            "",
            f"From the command to the first answer: {first['wall']:.1f} s ({first['cpu']:.1f} s of",
            f"CPU). Memory: {kept['mib_at_first']} MiB at the first answer, "
            f"{kept['mib_after_drags']} MiB after {kept['drags']:,} drags.",
            f"{asked['asked']:,} random settings ({engines}; {refused} refused in words): {failed} "
            f"traceback, and {same} that of",
            "`mnbayes fit --engine auto` to the last digit.",
        ]
    )


def main() -> None:
    """Measure, and write what was found beside what else is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["drags", "memory", "settings"])
    parser.add_argument("--settings", type=int, default=SETTINGS)
    parser.add_argument("--moves", type=int, default=MOVES)
    parser.add_argument("--drags", type=int, default=DRAGS)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    parts: dict[str, Callable[[], Any]] = {
        "drags": lambda: {model: drags(model, asked.moves) for model in MODELS},
        "memory": lambda: memory(asked.drags),
        "settings": lambda: settings(asked.settings),
    }
    found = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.is_file() else {}
    for name, part in parts.items():
        if asked.only in (None, name):
            load = os.getloadavg()[0]
            made = part()
            found[name] = made | {"load": [round(load, 1), round(os.getloadavg()[0], 1)]}
    found["machine"] = {"cores": os.cpu_count(), "python": platform.python_version()}
    asked.out.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))
    if asked.out == RESULT:
        write_block(PAGE, BLOCK, markdown(found))


if __name__ == "__main__":
    main()
