"""The program in a checkout: `main.py` is `arb run`, and `main.py COMMAND` is `arb COMMAND`.

Any Python 3 will do: where the libraries are missing it goes on in `.venv`, if there is one.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["ArbitrageOrchestrator"]

HERE = Path(__file__).resolve().parent
LIBRARIES = (
    "aiolimiter",
    "aiosqlite",
    "alembic",
    "apscheduler",
    "httpx",
    "loguru",
    "msgspec",
    "numpy",
    "pydantic_settings",
    "rich",
    "sqlalchemy",
    "stamina",
    "starlette",
    "typer",
    "uvicorn",
    "websockets",
)


def go_where_the_libraries_are() -> None:
    """Stay if they are here; else become the Python of `.venv`, or end with what to do (exit 2)."""
    if sys.version_info >= (3, 11) and all(map(find_spec, LIBRARIES)):
        return
    own = HERE / ".venv"
    python = own / "bin" / "python"
    if python.exists() and Path(sys.prefix).resolve() != own.resolve():
        os.execv(python, [str(python), str(HERE / "main.py"), *sys.argv[1:]])
    sys.stderr.write("arb: its libraries are not installed here; run `make demo` first\n")
    sys.exit(2)


if str(HERE / "src") not in sys.path:
    sys.path.insert(0, str(HERE / "src"))
if __name__ == "__main__":
    go_where_the_libraries_are()
    from arb.cli.app import main

    main(default="run")
else:
    from arb.documents import ArbitrageOrchestrator
