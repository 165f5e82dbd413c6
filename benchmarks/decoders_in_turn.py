"""The decoder of another checkout and this one's in one process, turn about.

`bench_decode.py --against` gives each checkout processes of its own. Where a shared host changes
its speed by a fifth within seconds, that difference is larger than what is looked for. Here both
decoders are loaded into one process and take turns answer by answer, so that either half of a pair
meets the same machine; the ratio of each pair is what counts.

    .venv/bin/python benchmarks/decoders_in_turn.py ../before --rounds 400
"""

import argparse
import gc
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
Decoder = Callable[[bytes], object]


def decoder_of(checkout: Path) -> Decoder:
    """`decode_books` of a checkout, beside one that is loaded already."""
    for name in [name for name in sys.modules if name.split(".")[0] == "arb"]:
        del sys.modules[name]
    sys.path.insert(0, str(checkout / "src"))
    module = importlib.import_module("arb.adapters.polymarket.decode")
    sys.path.pop(0)
    if not Path(str(module.__file__)).is_relative_to(checkout):
        raise SystemExit(f"{checkout} holds no package arb")
    decode: Decoder = module.decode_books
    return decode


def seconds(decode: Decoder, answer: bytes) -> float:
    gc.collect()
    started = time.process_time()
    kept = decode(answer)
    taken = time.process_time() - started
    del kept
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("against", type=Path, help="another checkout to compare with")
    parser.add_argument("--rounds", type=int, default=400, help="how many pairs are measured")
    options = parser.parse_args()
    if options.rounds < 1:
        raise SystemExit("--rounds takes at least one pair")

    before = decoder_of(options.against.resolve())
    now = decoder_of(HERE.parent)
    from bench_decode import body  # after both: it loads the package of this checkout again

    answer = body()
    taken: dict[Decoder, list[float]] = {before: [], now: []}
    for number in range(options.rounds):
        for decode in (before, now) if number % 2 else (now, before):
            taken[decode].append(seconds(decode, answer))
    ratios = [new / old for old, new in zip(taken[before], taken[now], strict=True)]
    for name, decode in (("before", before), ("now", now)):
        median, least = statistics.median(taken[decode]), min(taken[decode])
        print(f"{name:6}  {median * 1000:.2f} ms, the fastest {least * 1000:.2f} ms")
    change = (statistics.median(ratios) - 1) * 100
    print(f"now beside before, the median of {len(ratios)} pairs: {change:+.1f} %")


if __name__ == "__main__":
    main()
