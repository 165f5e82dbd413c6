"""The record of commands: every change and every cut is found, and a crash is neither."""

import asyncio
import json
import os
import random
import shutil

import pytest

from arb.adapters.clock import SystemClock
from arb.api.audit import Audit, AuditError, check, head_of
from arb.api.auth import Principal, Role

WHO = Principal("operator", Role.OPERATE)


async def _kept(path, lines=5):
    audit = Audit(path, SystemClock())
    for number in range(lines):
        await audit.write(WHO, "pause", "done", reason=f"tea {number} \u00e9", before={"n": number})
    return path


async def _more(path):
    await Audit(path, SystemClock()).write(WHO, "resume", "done", reason="back")


async def test_a_record_is_whole_over_restarts(tmp_path):
    path = await _kept(tmp_path / "audit.jsonl")
    assert check(path).whole
    await _more(path)
    found = check(path)
    assert (found.whole, found.lines, found.notes) == (True, 6, ())
    assert [line["action"] for line in Audit(path, SystemClock()).recent] == ["pause"] * 5 + [
        "resume"
    ]


async def test_every_changed_byte_is_found(tmp_path):
    path = await _kept(tmp_path / "audit.jsonl", 2)
    good = path.read_bytes()
    for place in range(len(good)):
        for byte in {good[place] ^ 0x20, 255}:
            path.write_bytes(good[:place] + bytes([byte]) + good[place + 1 :])
            assert not check(path).whole, (place, byte)


async def test_every_cut_is_found_and_stays_found(tmp_path):
    path = await _kept(tmp_path / "audit.jsonl", 3)
    good, head = path.read_bytes(), head_of(path).read_bytes()
    for place in range(len(good)):
        path.write_bytes(good[:place])
        assert not check(path).whole, place
    ends = [0, *(place + 1 for place, byte in enumerate(good) if byte == ord("\n"))]
    for place in (*ends[:-1], *(end - 2 for end in ends[1:]), *(end + 1 for end in ends[:-1])):
        path.write_bytes(good[:place])
        await _more(path)
        assert not check(path).whole, place
        await _more(path)
        assert not check(path).whole, place
        head_of(path).write_bytes(head)
    path.unlink()
    assert check(path).missing == 3


async def test_lines_that_are_taken_out_or_moved_are_found(tmp_path):
    path = await _kept(tmp_path / "audit.jsonl", 5)
    lines = path.read_bytes().splitlines(keepends=True)
    for spoilt in (
        lines[1:],
        lines[:2] + lines[3:],
        [lines[1], lines[0], *lines[2:]],
        [*lines, lines[-1]],
        [*lines, b"\n"],
        [*lines, b"{}\n"],
        [line.replace(b'"at":', b'"at": ') for line in lines],
    ):
        path.write_bytes(b"".join(spoilt))
        assert not check(path).whole


async def test_a_history_that_is_made_up_anew_is_found_by_the_head(tmp_path):
    path = await _kept(tmp_path / "audit.jsonl", 5)
    other = await _kept(tmp_path / "other.jsonl", 5)
    shutil.copy(other, path)
    assert check(path).broken == 5


async def test_a_name_twice_is_no_line_of_ours(tmp_path):
    path = await _kept(tmp_path / "audit.jsonl", 1)
    path.write_bytes(path.read_bytes().replace(b'{"action"', b'{"action":"halt","action"'))
    assert check(path).broken == 1


async def test_a_crash_between_line_and_head_is_no_tampering(tmp_path):
    path = await _kept(tmp_path / "audit.jsonl", 3)
    before = head_of(path).read_bytes()
    await _more(path)
    head_of(path).write_bytes(before)
    found = check(path)
    assert (found.whole, found.lines) == (True, 4)
    assert "newer" in found.notes[0]
    await _more(path)
    assert (check(path).whole, check(path).lines, check(path).notes) == (True, 5, ())


async def test_a_crash_within_a_line_is_no_tampering(tmp_path):
    path = await _kept(tmp_path / "audit.jsonl", 3)
    before, head = path.read_bytes(), head_of(path).read_bytes()
    await _more(path)
    after = path.read_bytes()
    for end in range(len(before) + 1, len(after), 5):
        for torn in (after[:end], before + bytes(end - len(before))):
            path.write_bytes(torn)
            head_of(path).write_bytes(head)
            found = check(path)
            assert (found.whole, found.lines) == (True, 3)
            assert "cut off by a crash" in found.notes[0]
            await _more(path)
            assert (check(path).whole, check(path).lines, check(path).notes) == (True, 4, ())


async def test_a_head_of_another_length_is_no_proof(tmp_path):
    path = await _kept(tmp_path / "audit.jsonl", 3)
    head = json.loads(head_of(path).read_bytes())
    head_of(path).write_text(json.dumps({**head, "bytes": head["bytes"] - 7}))
    assert "another length" in check(path).unproved
    await _more(path)
    assert check(path).lines == 4


@pytest.mark.parametrize("head", [None, b"", b"{", b"\xff", b"[" * 9999, b'{"lines":"3"}', b"[]"])
async def test_without_a_head_nothing_is_claimed_of_the_end(head, tmp_path):
    path = await _kept(tmp_path / "audit.jsonl", 3)
    if head is None:
        head_of(path).unlink()
    else:
        head_of(path).write_bytes(head)
    found = check(path)
    assert not found.whole
    assert found.broken is None
    assert "head record" in found.unproved
    await _more(path)
    again = check(path)
    assert again.whole
    assert "before line 4" in again.notes[0]


async def test_two_processes_keep_one_record(tmp_path):
    path = tmp_path / "audit.jsonl"
    first, second = Audit(path, SystemClock()), Audit(path, SystemClock())
    await asyncio.gather(
        *(audit.write(WHO, "pause", "asked") for _ in range(10) for audit in (first, second))
    )
    assert (check(path).whole, check(path).lines) == (True, 20)


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
async def test_what_is_no_file_is_refused_and_never_waited_for(kind, tmp_path):
    path = tmp_path / "audit.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(await _kept(tmp_path / "other.jsonl"))
    with pytest.raises(AuditError):
        check(path)
    with pytest.raises(AuditError):
        Audit(path, SystemClock())


async def test_half_a_line_on_a_full_disk_is_taken_back(tmp_path, monkeypatch):
    path = await _kept(tmp_path / "audit.jsonl", 3)
    whole, write = path.read_bytes(), os.write

    def full(file, raw):
        if len(raw) > 40:
            return write(file, raw[:40])
        raise OSError(28, "No space left on device")

    audit = Audit(path, SystemClock())
    monkeypatch.setattr("arb.api.audit.os.write", full)
    with pytest.raises(AuditError, match="No space left"):
        await audit.write(WHO, "pause", "asked")
    monkeypatch.undo()
    assert path.read_bytes() == whole
    await audit.write(WHO, "pause", "asked")
    assert (check(path).whole, check(path).lines) == (True, 4)


async def test_a_command_that_nobody_could_read_again_is_not_put_on_record(tmp_path):
    path = await _kept(tmp_path / "audit.jsonl", 1)
    with pytest.raises(AuditError, match="not plain text"):
        await Audit(path, SystemClock()).write(WHO, "pause", "asked", reason="\ud800")
    assert (check(path).whole, check(path).lines) == (True, 1)


async def test_a_record_of_strange_lines_shows_none_of_them(tmp_path):
    path = await _kept(tmp_path / "audit.jsonl", 2)
    with path.open("ab") as file:
        file.write(b'\xff\n{"hash": "x"}\n[]\n' + b"[" * 10_000 + b"\n")
    assert len(Audit(path, SystemClock()).recent) == 2
    await _more(path)
    assert not check(path).whole


async def test_any_mixture_of_crashes_and_restarts_is_whole(tmp_path):
    """Whatever instant a crash comes at, and however often: nothing acknowledged is missing."""
    chance = random.Random("audit")
    path = await _kept(tmp_path / "audit.jsonl", 1)
    acknowledged = 1
    for _ in range(120):
        before, head = path.read_bytes(), head_of(path).read_bytes()
        await _more(path)
        kind = chance.randrange(3)
        if kind == 0:
            head_of(path).write_bytes(head)
        elif kind == 1:
            after = path.read_bytes()
            path.write_bytes(after[: chance.randrange(len(before), len(after))])
            head_of(path).write_bytes(head)
        else:
            acknowledged += 1
        found = check(path)
        assert found.whole
        assert found.lines >= acknowledged
        sealed = [json.loads(line) for line in path.read_bytes().splitlines()[: found.lines]]
        assert len(sealed) == found.lines
