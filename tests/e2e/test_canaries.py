"""Planted secrets: no process shows one, in any usual encoding, wherever it writes."""

import asyncio
import base64
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import environment_for, exchange_at

SECRETS = {
    "private key": "0x" + "6e19f3a47bc8" * 5 + "d205",
    "api key": "7f3c1d52-9b1e-4a60-8c3d-5e2f70a9b146",
    "api secret": "q8Zt+Wm/3xRk0Vb7Ly2Nc9Hs4Jd6Pf1A=",
    "api passphrase": 'kettle"drum\\of & brass/41',
    "keystore passphrase": "nine wet umbrellas+1 = ?",
    "api token": "tok_4Kd9sXq2Lw7Rz1Tb",
    "database password": "grey/heron@pond%17",
    "node password": "Hx7-velvet-orbit",
    "node user": "u5e1r0key9Qp",
    "node path": "Zq81LmT0vRk3XyB7cNs5",
    "node query": "c0ffee15deadbea7c0de",
    "listing password": "marble;staircase~8",
}
ESCAPED = {name: quote(value, safe="") for name, value in SECRETS.items()}


def _encodings(secret):
    raw = secret.encode()
    yield "plain", secret
    yield "without 0x", secret.removeprefix("0x")
    yield "upper case", secret.upper()
    yield "base64", base64.b64encode(raw).decode().rstrip("=")
    yield "base64url", base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield "quoted", quote(secret, safe="")
    yield "hex", raw.hex()
    yield "JSON", json.dumps(secret)[1:-1]


FORMS = {
    (name, encoding): form.encode()
    for name, secret in SECRETS.items()
    for encoding, form in _encodings(secret)
}
CRASH = """
import base64, json, logging, sys
from urllib.parse import quote
import arb.runtime.running as running
from arb.cli.app import main
from loguru import logger

async def crash(loaded, **_more):
    for secret in json.loads(sys.stdin.readline()):
        raw = secret.encode()
        for form in (secret, secret[2:], secret.upper(), base64.b64encode(raw).decode(), quote(secret),
                     base64.urlsafe_b64encode(raw).decode(), raw.hex(), json.dumps(secret), repr(secret)):
            logger.debug("{}", form)
            logging.getLogger("library").error("failed with %s", form)
    raise RuntimeError(f"{json.dumps(loaded.secrets())} {loaded.secrets()}") from ValueError(secret)

running.run_once = crash
main()
"""


def _planted(address, folder):
    s, q = SECRETS, ESCAPED
    nodes = [
        f"https://node:{q['node password']}@rpc.example/x",
        f"https://{q['node user']}@rpc.example/x",
        f"https://rpc.example/v2/{s['node path']}",
        f"https://rpc.example/?apikey={s['node query']}",
    ]
    return environment_for(address, folder) | {
        "ARB_POLYMARKET__PRIVATE_KEY": s["private key"],
        "ARB_POLYMARKET__API_KEY": s["api key"],
        "ARB_POLYMARKET__API_SECRET": s["api secret"],
        "ARB_POLYMARKET__API_PASSPHRASE": s["api passphrase"],
        "ARB_POLYMARKET__KEYSTORE_PASSPHRASE": s["keystore passphrase"],
        "ARB_API__TOKEN": s["api token"],
        "ARB_POLYMARKET__RPC_URLS": json.dumps(nodes),
        "ARB_POLYMARKET__GAMMA_URL": address.replace("://", f"://x:{q['listing password']}@"),
        "ARB_LOGGING__LEVEL": "DEBUG",
        "ARB_LOGGING__ROTATION": "4 KB",
    }


def _contents(folder):
    for path in folder.rglob("*"):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as packed:
                yield from (
                    (f"{path.name}/{name}", packed.read(name)) for name in packed.namelist()
                )
        elif path.is_file():
            yield path.name, path.read_bytes()


def _hits(written):
    return [(where, *form) for where, text in written for form in FORMS if FORMS[form] in text]


def _run(folder, env, *args, stdin=None):
    done = subprocess.run(
        [sys.executable, *args], env=env, cwd=folder, input=stdin, capture_output=True, timeout=120
    )
    what = " ".join(args[1:])
    return done.returncode, [(f"{what} stdout", done.stdout), (f"{what} stderr", done.stderr)]


COMMANDS = [
    ("run", "--once", "--json"),
    ("run", "--once"),
    ("doctor",),
    ("doctor", "--json"),
    ("config", "show", "--sources"),
    ("config", "show", "--json"),
    ("config", "check"),
    ("opportunities", "--json"),
    ("status",),
    ("report", "--csv", ".", "--html", "."),
    ("top", "--once"),
    ("keys", "show"),
]


async def test_no_process_shows_a_secret(tmp_path):
    async with exchange_at("demo", 5) as (_, address):
        env, written = _planted(address, tmp_path), []
        for command in COMMANDS:
            code, output = await asyncio.to_thread(_run, tmp_path, env, "-m", "arb", *command)
            assert code == 0, output
            written += output
        written += list(_contents(tmp_path))
    names = {Path(where).suffix for where, _ in written}
    assert {".db", ".log"} <= names
    assert any(".zip" in where for where, _ in written), sorted(names)
    assert not _hits(written)


def test_no_error_shows_a_secret(tmp_path):
    env, written = _planted("http://127.0.0.1:9", tmp_path), []
    env["ARB_POLYMARKET__ATTEMPTS"] = "1"
    database = f"postgresql+asyncpg://arb:{ESCAPED['database password']}@127.0.0.1:9/arb"
    raw = f"postgresql+asyncpg://arb:{SECRETS['database password']}@127.0.0.1:9/arb"
    wrong = [
        {},
        {"ARB_DATABASE__URL": database},
        {"ARB_DATABASE__URL": raw},
        {"ARB_DATABASE__URL": raw.replace("postgresql+asyncpg", "postgres")},
        {"ARB_DATABASE__URL": raw.partition("://")[2]},
        {"ARB_POLYMARKET__RPC_URLS": env["ARB_POLYMARKET__RPC_URLS"][:-1]},
        {"ARB_POLYMARKET__RPC_URLS": env["ARB_POLYMARKET__RPC_URLS"].replace("https", "htp")},
        {"ARB_POLYMARKET__GAMMA_URL": f"http://x:{SECRETS['listing password']}@h:99999/"},
        {
            "ARB_POLYMARKET__PRIVATE_KEY": SECRETS["private key"] + "0",
            "ARB_POLYMARKET__KEYRING": "a",
        },
        {"ARB_RISK__MAX_DAILY_LOSS": "lots"},
        {"ARB_API__TOKN": SECRETS["api token"]},
    ]
    commands = [("run", "--once", "--json"), ("--debug", "doctor"), ("--debug", "config", "check")]
    for number, more in enumerate(wrong):
        for command in commands if number < 2 else commands[-1:]:
            _, output = _run(tmp_path, env | more, "-m", "arb", *command)
            written += output
    _, output = _run(tmp_path, env | wrong[8], "-m", "arb", "keys", "show")
    written += output
    assert b"Traceback" in b"".join(text for _, text in written)
    written += list(_contents(tmp_path))
    assert not _hits(written)


@pytest.mark.parametrize("json_lines", ["false", "true"])
def test_no_crash_shows_a_secret(tmp_path, json_lines):
    env = _planted("http://127.0.0.1:9", tmp_path) | {
        "ARB_DATABASE__URL": f"postgresql+asyncpg://arb:{ESCAPED['database password']}@db/arb",
        "ARB_LOGGING__JSON": json_lines,
    }
    secrets = json.dumps(list(SECRETS.values())) + "\n"
    args = ("-c", CRASH, "--debug", "run", "--once")
    code, written = _run(tmp_path, env, *args, stdin=secrets.encode())
    assert code == 5
    assert b"Traceback" in written[1][1]
    assert b"RuntimeError" in written[1][1]
    assert written[1][1].count(b"********") > 50
    kept = list(_contents(tmp_path))
    assert any(".zip" in where for where, _ in kept)
    assert not _hits([(where[-12:], text) for where, text in [*written, *kept]])
