"""`arb demo --onchain`: what it needs, and that what it says is so."""

import asyncio
import contextlib
import os
import shutil
import sys
from pathlib import Path

import pytest

from arb.domain.errors import ConfigError
from arb.runtime.demo_onchain import FOLDER, program, run_onchain_demo
from tests import npm


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory whose `data/onchain` has the packages."""
    monkeypatch.chdir(tmp_path)
    FOLDER.mkdir(parents=True)
    (FOLDER / "node_modules").symlink_to(npm.installed(npm.CHAIN))
    return tmp_path


async def test_it_swaps_as_quoted_and_loses_what_was_stated(folder):
    told = []
    outcome = await run_onchain_demo(told.append)
    assert outcome.as_stated
    assert outcome.realised == outcome.certificate.gain > 140 * 10**18
    assert 0 < outcome.lost <= outcome.stated
    assert any("3.00%" in line and "140.93 USD" in line for line in told)


async def test_the_command_ends_well_and_leaves_no_chain_behind(folder):
    mark = f"DEMO_OF={folder}"  # whatever the command starts inherits it
    process = await asyncio.create_subprocess_exec(
        *("env", mark, sys.executable, "-m", "arb", "demo", "--onchain"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    first = await process.stdout.readline()
    assert b"listens at http://127.0.0.1:" in first
    assert len(_marked(mark)) >= 2  # the command and its chain
    _, errors = (text.decode() for text in await process.communicate())
    assert process.returncode == 0, errors
    assert _marked(mark) == []


def _marked(mark):
    """The processes whose environment has the mark."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in entry.read_bytes().split(b"\0"):
                found.append(entry.parent.name)
    return found


def test_what_is_missing_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError) as refused:
        program(tmp_path)
    said = str(refused.value)
    assert "anvil, @uniswap/v2-core" in said
    assert f"npm install --prefix {tmp_path} --ignore-scripts @foundry-rs/anvil@1.7.1" in said
    assert os.environ["PATH"] == str(tmp_path) and shutil.which("anvil") is None
