"""Make the ledgers of another version, with what that version says of them.

    git archive --prefix=old/ COMMIT | tar x -C /somewhere
    python -m tests.ledgers.make NAME /somewhere/old [CASE ...]

writes `NAME/CASE.sql.gz` and `NAME/CASE.json.gz` beside this file. Everything but the copying is
done by that version's own code: see `history.py` and `say.py`.
"""

import gzip
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.postgres import Server, binaries

HERE = Path(__file__).parent
CASES = ("paper", "eoa", "safe", "deposit", "postgresql")
NOT_DATA = re.compile(r"(--|\\|SET |SELECT pg_catalog\.set_config)|$")
"""Lines of a server's dump that name its own version, or nothing."""


def run(script, *args, checkout, cwd, **env):
    """A script in a process of its own, on another version's source."""
    path = os.pathsep.join((str(checkout / "src"), str(checkout)))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ARB_")}
    done = subprocess.run(
        [sys.executable, HERE / script, *args],
        cwd=cwd,
        env={**inherited, **env, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def settings_of(account, url):
    """The settings, as the environment has them, with which the account's ledger is read."""
    venue, _, name = account.partition(":")
    if venue == "paper":
        return {"ARB_DATABASE__URL": url}
    return {
        "ARB_DATABASE__URL": url,
        "ARB_TRADING__LIVE": "true",
        "ARB_POLYMARKET__WALLET": name,
    }


def keep(target, text):
    """Packed, and the same bytes for the same text."""
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(target.relative_to(HERE), target.stat().st_size)


def make(name, checkout, case):
    """One ledger and what is said of it."""
    with tempfile.TemporaryDirectory() as made, database(case, Path(made)) as (url, rows, dump):
        run("history.py", case, made, url, checkout=checkout, cwd=made)
        moment = datetime.now(UTC).isoformat()
        (schema,) = rows("select version_num from alembic_version")
        copied = dump()
        said = {
            account: run("say.py", moment, checkout=checkout, cwd=made, **settings_of(account, url))
            for account in rows("select account from accounts order by account")
        }
        kept = {
            "schema": schema,
            "moment": moment,
            "said": {account: json.loads(answer) for account, answer in said.items()},
            "exchange": json.loads((Path(made) / "exchange.json").read_text()),
        }
    keep(HERE / name / f"{case}.sql.gz", copied)
    keep(HERE / name / f"{case}.json.gz", json.dumps(kept, indent=1, sort_keys=True))


@contextmanager
def database(case, folder):
    """Where the ledger is to be: its address, a question to it, and its copy as SQL."""
    if case == "postgresql":
        found = binaries()
        assert found is not None, "there is no PostgreSQL here"
        server = Server(found)
        server.start()
        try:
            url = server.database()
            yield url, lambda sql: server.sql(url, sql), lambda: server_dump(server, url)
        finally:
            server.remove()
        return
    file = folder / "arb.db"

    def rows(sql):
        with closing(sqlite3.connect(file)) as db:
            return [row[0] for row in db.execute(sql)]

    yield f"sqlite+aiosqlite:///{file}", rows, lambda: file_dump(file)


def file_dump(file):
    with closing(sqlite3.connect(file)) as db:
        return "\n".join(db.iterdump()) + "\n"


def server_dump(server, url):
    at = ("-h", "127.0.0.1", "-p", server.port, "-U", "arb", "-d", url.rpartition("/")[2])
    said = server._run("pg_dump", *at, "--no-owner", "--no-privileges", "--rows-per-insert=100")
    return "\n".join(line for line in said.splitlines() if not NOT_DATA.match(line)) + "\n"


if __name__ == "__main__":
    for each in sys.argv[3:] or CASES:
        make(sys.argv[1], Path(sys.argv[2]).resolve(), each)
