"""The key that signs orders: taking it in, and saying which one it is."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from arb.cli.common import Json, Profile, load

keys = typer.Typer(help="The key that signs orders.", no_args_is_help=True)


@keys.command("import")
def keys_import(
    target: Annotated[
        Path | None, typer.Argument(help="The new file; polymarket.keystore by default.")
    ] = None,
    profile: Profile = None,
) -> None:
    """Encrypt a key, typed unseen or piped in, into a new keystore file."""
    from arb.cli.output import print_line
    from arb.config.keys import KEYSTORE, PrivateKey, address, passphrase, write_keystore
    from arb.domain.errors import ConfigError

    options = load(profile).settings.polymarket
    path = target or (Path(options.keystore) if options.keystore else None)
    if path is None:
        raise ConfigError(f"name the file, as in `arb keys import key.json`, or set {KEYSTORE}")
    key = PrivateKey(_unseen("Private key", "the key"), "the key")
    secret = passphrase(options) or _chosen()
    write_keystore(path, key, secret)
    print_line(f"{path} holds the key of {address(key)}. Use it with {KEYSTORE}={path}")


@keys.command("show")
def keys_show(json: Json = False, profile: Profile = None) -> None:
    """The key's public address, and where the key comes from."""
    from arb.cli.output import print_json, print_line
    from arb.config.keys import address, private_key, source

    options = load(profile).settings.polymarket
    key = private_key(options)
    shown = {
        "address": address(key),
        "source": source(options),
        "session_key": options.session_key,
    }
    if json:
        print_json(shown)
        return
    kind = "session key" if options.session_key else "key"
    print_line(f"{shown['address']}: {kind} from {shown['source']}")


def _unseen(prompt: str, what: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True, err=True))
    from arb.domain.errors import ConfigError

    line = sys.stdin.readline().strip()
    if not line:
        raise ConfigError(f"{what} is missing: type it at a terminal, or pipe it in as a line")
    return line


def _chosen() -> str:
    """A passphrase typed twice, or piped in as the second line."""
    if sys.stdin.isatty():
        prompt = "Passphrase of the keystore"
        return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True))
    return _unseen("", "the passphrase")
