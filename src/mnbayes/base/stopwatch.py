"""Wall-clock seconds by stage."""

from __future__ import annotations

import time


class Stopwatch:
    """Adds up the seconds of stages that follow one another.

    Attributes
    ----------
    seconds : dict
        By stage.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage; the next one begins."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._clock
        self._clock = now
