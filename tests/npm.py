"""Packages from the registry that npm is set up for, once per checkout: programs and artifacts."""

import fcntl
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CACHE = Path(__file__).parents[1] / ".cache" / "npm"
NONE = "npm is needed for the local chain and the published contracts"
CHAIN = {
    "@foundry-rs/anvil": "1.7.1",
    "@uniswap/v2-core": "1.0.1",
    "@uniswap/v3-core": "1.0.1",
    "@uniswap/v3-periphery": "1.4.4",
    "@openzeppelin/contracts": "4.9.6",
    "@aave/core-v3": "1.19.3",
}
INSTALL = (
    *("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"),
    "--prefer-offline",
)


def installed(packages: dict[str, str]) -> Path:
    """The folder `node_modules` with these packages at their exact versions."""
    if shutil.which("npm") is None:
        pytest.skip(NONE)
    wanted = json.dumps({"private": True, "dependencies": packages}, sort_keys=True)
    folder = CACHE / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "done"
        if not done.exists():
            (folder / "package.json").write_text(wanted)
            run = subprocess.run(INSTALL, cwd=folder, capture_output=True, text=True, timeout=600)
            if run.returncode:
                pytest.skip(f"npm cannot install the chain's packages: {run.stderr[-500:]}")
            done.touch()
    return folder / "node_modules"


def anvil() -> str:
    """The program of the local chain."""
    found = sorted(installed(CHAIN).glob("@foundry-rs/anvil-*/bin/anvil*"))
    if not found:
        pytest.skip("no anvil is published for this machine")
    return str(found[0])


def artifact(path: str) -> dict[str, Any]:
    """A published contract: `abi` and `bytecode`, by its file's path below `node_modules`."""
    found: dict[str, Any] = json.loads((installed(CHAIN) / path).read_text("utf-8"))
    return found
