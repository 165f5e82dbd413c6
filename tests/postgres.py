"""A PostgreSQL server of the tests' own: made, started, stopped and thrown away by them."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

DEPLOYMENT = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt/postgresql")
NONE = "no PostgreSQL server is installed here (Debian: apt-get install postgresql)"


def binaries() -> Path | None:
    """The folder with `initdb` and `pg_ctl`, the newest there is."""
    found = [path.parent for place in DEPLOYMENT for path in Path(place).glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _owner() -> dict[str, object]:
    """Who runs the server: it refuses to be run by root."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise RuntimeError("there is no user to run the server as")


class Server:
    """One cluster in a folder of its own, on a loopback port of its own."""

    def __init__(self, bin_folder: Path) -> None:
        self._bin = bin_folder
        self._owner = _owner()
        self.folder = Path(tempfile.mkdtemp(prefix="arb-pg-"))
        if self._owner:
            os.chown(self.folder, self._owner["user"], self._owner["group"])
        self._data = self.folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._made = 0
        self._run(
            "initdb", "-D", self._data, "-U", "arb", "-A", "trust", "-E", "UTF8",
            "--locale=C", "--no-sync",
        )  # fmt: skip
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = ''\nfsync = off\nfull_page_writes = off\n"
                "max_connections = 100\nshared_buffers = 32MB\n"
            )

    def _run(self, program: str, *args: object) -> str:
        done = subprocess.run(
            [str(self._bin / program), *map(str, args)],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            **self._owner,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stdout}")
        return done.stdout

    def start(self) -> None:
        log = self.folder / "log"
        self._run("pg_ctl", "-D", self._data, "-l", log, "-w", "-t", "200", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "-t", "200", "stop")

    def database(self) -> str:
        """The address of a new, empty database."""
        self._made += 1
        name = f"arb_{self._made}"
        self.sql("postgres", f"create database {name}")
        return f"postgresql+asyncpg://arb:secret-word@127.0.0.1:{self.port}/{name}"

    def sql(self, database: str, statement: str) -> list[str]:
        """What a statement answers, one row a line."""
        name = database.rpartition("/")[2]
        address = f"host=127.0.0.1 port={self.port} user=arb dbname={name}"
        return self._run("psql", "-XAtq", "-d", address, "-c", statement).splitlines()

    def copy(self, source: str, target: str) -> None:
        """Put a database's content into another, empty one, by way of a dump."""
        dump = self.folder / "dump"
        name, to = source.rpartition("/")[2], target.rpartition("/")[2]
        at = ("-h", "127.0.0.1", "-p", self.port, "-U", "arb")
        self._run("pg_dump", *at, "--format=custom", "--file", dump, name)
        self._run("pg_restore", *at, "--exit-on-error", "--dbname", to, dump)

    def remove(self) -> None:
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
