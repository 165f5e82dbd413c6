"""The table of a campaign: `python -m tests.fuzz TRIES [TARGET…]`."""

import sys

from tests.fuzz.campaign import run
from tests.fuzz.targets import TARGETS

tries, names = int(sys.argv[1]), sys.argv[2:] or list(TARGETS)
print(
    "| target | tried | read | raised | over 1 s | wrong | memory grown, MB |\n|---|---|---|---|---|---|---|"
)
for name in names:
    found = run(TARGETS[name], tries, "table")
    counts = (
        found.tried,
        found.read,
        sum(found.raised.values()),
        len(found.slow),
        sum(found.wrong.values()),
    )
    print(
        f"| {name} | {' | '.join(f'{count:,}' for count in counts)} | {found.grown_mb} |",
        flush=True,
    )
    if not found.clean:
        print(found, file=sys.stderr, flush=True)
