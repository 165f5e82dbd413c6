"""What is deployed is what its source says."""

import json
import shutil
import subprocess

import pytest

from arb.onchain.spreads import executor
from tests import npm

COMPILE = """
const solc = require('solc'), fs = require('fs');
const sources = {'Executor.sol': {content: fs.readFileSync(process.argv[2], 'utf8')}};
const settings = {
  evmVersion: 'paris',
  optimizer: {enabled: true, runs: 200},
  metadata: {bytecodeHash: 'none', appendCBOR: false},
  outputSelection: {'*': {'*': ['evm.bytecode.object', 'abi']}},
};
process.stdout.write(solc.compile(JSON.stringify({language: 'Solidity', sources, settings})));
"""


@pytest.mark.full
def test_the_executors_code_is_what_the_compiler_makes_of_its_source(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("node is needed to run the compiler")
    modules = npm.installed({"solc": "0.8.28"})
    script = modules.parent / "compile.js"
    script.write_text(COMPILE)
    source = executor.__file__.replace("executor.py", "Executor.sol")
    done = subprocess.run(["node", script, source], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    made = json.loads(done.stdout)["contracts"]["Executor.sol"]["Executor"]
    assert made["evm"]["bytecode"]["object"] == executor.EXECUTOR_CODE
    # What we call is what the contract has.
    known = executor.EXECUTOR
    names = {one["name"] for one in made["abi"] if one["type"] in ("function", "event", "error")}
    assert {"run", "owner", "Ran", "NotTheOwner", "NotPromised", "TooLittle"} == names
    run = next(one for one in made["abi"] if one.get("name") == "run")
    assert type(known)(run).encode("run", [], executor.NO_TOKEN, 5) == known.encode(
        "run", [], executor.NO_TOKEN, 5
    )
