"""Sizes by the account's own record, through real processes."""

import json

from arb.runtime.demo import exchange_process
from tests.conftest import environment_for
from tests.programs import arb


async def test_the_second_run_sizes_by_what_the_first_one_filled(tmp_path):
    async with exchange_process("demo", 7) as address:
        env = {**environment_for(address, tmp_path), "ARB_SIZING__LEARN_AFTER": "1"}

        def said(*args):
            done = arb(*args, env=env, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            return done.stdout

        def kelly():
            newest = json.loads(said("opportunities", "--json"))
            run = max(row["run"] for row in newest)
            found = {}
            for row in newest:
                if row["run"] == run:
                    shown = json.loads(said("explain", row["id"], "--json"))
                    gates = {gate["gate"]: gate["detail"] for gate in shown["verdicts"]}
                    found[row["kind"]] = gates.get("kelly", "")
            return found

        said("run", "--once")
        first = kelly()
        assert first and not any("plans of this kind" in detail for detail in first.values())
        plans = json.loads(said("plans", "--json"))
        said("run", "--once")
        ended = {plan["kind"] for plan in plans if plan["state"] != "open"}
        learned = {kind for kind, detail in kelly().items() if "plans of this kind" in detail}
        assert learned and learned <= ended
