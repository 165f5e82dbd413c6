"""Runs a target on many spoilt inputs and counts what it did."""

import gc
import resource
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.reading import ReadWrong, Target
from tests.fuzz.spoil import Spoiler

SECONDS_MAX = 1.0
"""Of processor time; the wall clock would count what else the machine does."""
FOLDER = "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass
class Result:
    name: str
    tried: int = 0
    read: int = 0
    raised: Counter[str] = field(default_factory=Counter)
    slow: list[bytes] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    grown_mb: int = 0
    first: dict[str, bytes] = field(default_factory=dict)
    """An input for each thing that went wrong."""

    @property
    def clean(self):
        return not (self.raised or self.slow or self.wrong)

    def __str__(self):
        return (
            f"{self.name}: {self.tried} tried, {self.read} read, {sum(self.raised.values())} raised, "
            f"{len(self.slow)} over {SECONDS_MAX:g} s, {sum(self.wrong.values())} wrong, "
            f"{self.grown_mb} MB more; {dict(self.raised)} {dict(self.wrong)} "
            f"{ {what: raw[:300] for what, raw in self.first.items()} }"
        )


def run(target: Target, tries: int, seed: str) -> Result:
    inputs, spoiler, result = target.seeds(), Spoiler(f"{target.name}/{seed}"), Result(target.name)
    with tempfile.TemporaryDirectory(dir=FOLDER) as place:
        folder = Path(place)
        folder.chmod(0o700)
        for raw in inputs:
            _once(target, raw, folder, result)
        before = _peak_mb()
        for _ in range(tries):
            raw = spoiler.spoil(inputs)
            began = time.process_time()
            _once(target, raw, folder, result)
            if time.process_time() - began > SECONDS_MAX:
                gc.collect()  # what others have left behind is not this input's
                began = time.process_time()
                _once(target, raw, folder, Result("again"))
                if time.process_time() - began > SECONDS_MAX:
                    result.slow.append(raw)
                    result.first.setdefault("slow", raw)
            result.tried += 1
    result.grown_mb = _peak_mb() - before
    return result


def _once(target, raw, folder, result):
    try:
        target.read(raw, folder)
        result.read += 1
    except target.contract:
        pass
    except ReadWrong as error:
        _count(result, result.wrong, str(error), raw)
    except Exception as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        _count(
            result,
            result.raised,
            f"{Path(last.filename).name}:{last.lineno} {type(error).__name__}",
            raw,
        )


def _count(result, counter, what, raw):
    counter[what] += 1
    result.first.setdefault(what, raw)


def _peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
