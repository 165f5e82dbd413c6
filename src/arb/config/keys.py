"""Where a key that signs comes from, and how it is kept from being shown.

`[polymarket]` has one for orders, `[chain]` another for transactions; both are named alike.

In the order of preference; exactly one may be configured:

1. an encrypted keystore (version 3), its passphrase from a file or a setting;
2. the system's keyring;
3. the key itself, from the environment or `.env`.

A dry run calls nothing here: it loads no key.
"""

import hmac
import json
import os
import re
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.telemetry.redact import redact
from arb.config.keystore import BadKeystore, unseal
from arb.config.schema import Settings
from arb.domain.errors import ConfigError, how_to_install
from arb.onchain.options import ChainOptions

SIZE_MAX = 64 * 1024
PASSPHRASE_MIN = 8
ORDER_OF_THE_CURVE = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
EXTRA = how_to_install("live")
SHOWN = "***"

KEYSTORE = "ARB_POLYMARKET__KEYSTORE"
PRIVATE_KEY = "ARB_POLYMARKET__PRIVATE_KEY"

Keyed = Settings | PolymarketOptions | ChainOptions
"""What names a key; of all settings the venue's."""


class PrivateKey(str):
    """A key that is `***` to everything that prints, formats, copies or serialises it.

    It is text, so that no encoder stumbles over it, and the text is not the key.
    """

    __slots__ = ("_hex",)
    _hex: str

    def __new__(cls, value: str, setting: str = PRIVATE_KEY) -> "PrivateKey":
        """Take 32 bytes in hexadecimal, with or without 0x; `setting` is what an error names."""
        digits = value.strip().removeprefix("0x").removeprefix("0X")
        if not re.fullmatch(r"[0-9a-fA-F]{64}", digits):
            raise ConfigError(f"{setting}: a private key is 0x and 64 hexadecimal digits")
        if not 0 < int(digits, 16) < ORDER_OF_THE_CURVE:
            raise ConfigError(f"{setting}: the number is not a private key; export the key again")
        key = super().__new__(cls, SHOWN)
        key._hex = "0x" + digits.lower()
        redact.learn([key._hex])
        return key

    def reveal(self) -> str:
        """The key, for the signer alone."""
        return self._hex

    def __repr__(self) -> str:
        return SHOWN

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (SHOWN,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateKey) and hmac.compare_digest(self._hex, other._hex)

    __hash__ = str.__hash__


def source(settings: Keyed) -> str | None:
    """The setting that the key comes from; `None` where there is none.

    Raises:
        ConfigError: Settings contradict each other.
    """
    options = _options(settings)
    named = {
        _variable(options, "keystore"): options.keystore,
        _variable(options, "keyring"): options.keyring,
        _variable(options, "private_key"): options.private_key,
    }
    found = [name for name, value in named.items() if value]
    if len(found) > 1:
        raise ConfigError(f"{' and '.join(found)} each name a private key; unset all but one")
    if options.keystore_passphrase and options.keystore_passphrase_file:
        phrase, file = _phrases(options)
        raise ConfigError(f"{phrase} and {file} are both set; unset one")
    if isinstance(options, PolymarketOptions) and options.session_key and not options.wallet:
        raise ConfigError(
            "ARB_POLYMARKET__SESSION_KEY is true: set ARB_POLYMARKET__WALLET to the wallet "
            "that the session key trades for"
        )
    return found[0] if found else None


def private_key(settings: Keyed) -> PrivateKey:
    """The key that signs. The redactor knows it, and its passphrase, from here on.

    Raises:
        ConfigError: There is none, or its source cannot be used; names the setting and the fix.
    """
    options = _options(settings)
    found = source(options)
    if found is None:
        raise ConfigError(
            "there is no private key; make a keystore with `arb keys import` and set "
            + _variable(options, "keystore")
        )
    if options.keystore:
        return _from_keystore(options)
    if options.keyring:
        return _from_keyring(options.keyring, found)
    return PrivateKey(options.private_key or "", found)


def passphrase(settings: Keyed) -> str | None:
    """The keystore's passphrase, where one is configured."""
    options = _options(settings)
    found = options.keystore_passphrase
    if options.keystore_passphrase_file:
        _, setting = _phrases(options)
        content = read_private(Path(options.keystore_passphrase_file), setting)
        found = content.removesuffix("\n").removesuffix("\r")
        if not found:
            raise ConfigError(f"{setting}: the file is empty")
    redact.learn([found] if found else [])
    return found


def address(key: PrivateKey) -> str:
    """The public address that belongs to the key."""
    return str(_account().from_key(key.reveal()).address)


def write_keystore(
    path: Path, key: PrivateKey, secret: str, *, iterations: int | None = None
) -> None:
    """Encrypt the key into a new file that only its owner can read.

    Args:
        path: Where to; a file that is there already is never overwritten.
        key: What to encrypt.
        secret: The passphrase.
        iterations: Work of the key derivation; the format's usual amount by default.

    Raises:
        ConfigError: The passphrase is too short, or the file cannot be made.
    """
    if len(secret) < PASSPHRASE_MIN:
        raise ConfigError(f"the passphrase must have {PASSPHRASE_MIN} characters or more")
    redact.learn([secret])
    sealed = json.dumps(_account().encrypt(key.reveal(), secret, iterations=iterations))
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(file, "w", encoding="ascii") as open_file:
            open_file.write(sealed + "\n")
            open_file.flush()
            os.fsync(open_file.fileno())
    except FileExistsError:
        raise ConfigError(f"{path} is there already; name another file, or remove it") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def read_private(path: Path, setting: str) -> str:
    """The content of a small file that only its owner can read.

    Raises:
        ConfigError: It is a link, too large, open to others, or cannot be read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # Opened first and checked afterwards, so that the file cannot be swapped in between.
        file = os.open(path, flags)
        try:
            wrong = _wrong_with(file)
            content = b"" if wrong else os.read(file, SIZE_MAX + 1)
        finally:
            os.close(file)
        text = content.decode()
    except OSError as error:
        link = path.is_symlink()
        why = "it is a symbolic link; name the file itself" if link else error.strerror
        raise ConfigError(f"{setting} = {path} cannot be read: {why}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{setting} = {path}: the file is no text") from None
    if wrong or len(content) > SIZE_MAX:
        raise ConfigError(f"{setting} = {path}: {wrong or f'more than {SIZE_MAX} bytes'}")
    return text


def _wrong_with(file: int) -> str | None:
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode):
        return "it is no ordinary file"
    if about.st_size > SIZE_MAX:
        return f"the file has more than {SIZE_MAX} bytes"
    if about.st_uid not in (os.geteuid(), 0):
        return "the file belongs to another user; make it your own"
    open_to = about.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if open_to & stat.S_IRWXG and _group_bits_are_ours(file):
        open_to &= stat.S_IRWXO
    return "others can read or change the file; chmod 600 it" if open_to else None


def _group_bits_are_ours(file: int) -> bool:
    """Whether the mode's group bits stand for an access list, and not for the group.

    systemd hands credentials over this way: the file is root's and its list names the service's
    user, which makes the mode 0440 although no group may read it.
    """
    if sys.platform != "linux":
        return False
    try:
        entries = list(_access_list(os.getxattr(file, "system.posix_acl_access")))
    except OSError:
        return False
    user, owning_group, group = 0x02, 0x04, 0x08
    strangers = [
        entry
        for tag, bits, entry in entries
        if bits and (tag in (owning_group, group) or (tag == user and entry != os.geteuid()))
    ]
    return bool(entries) and not strangers


def _access_list(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """Tag, permissions and id of each entry after the list's version."""
    yield from struct.iter_unpack("<HHI", raw[4:])


def _from_keystore(options: PolymarketOptions | ChainOptions) -> PrivateKey:
    path, setting = Path(options.keystore), _variable(options, "keystore")
    sealed = read_private(path, setting)
    secret = passphrase(options)
    if secret is None:
        phrase, file = _phrases(options)
        raise ConfigError(f"{setting} needs its passphrase: set {file} or {phrase}")
    account = _account()
    try:
        return PrivateKey(unseal(sealed, secret, account), setting)
    except BadKeystore as error:
        raise ConfigError(f"{setting} = {path}: {error}") from None


def _from_keyring(where: str, setting: str) -> PrivateKey:
    service, _, name = where.rpartition("/")
    if not (service and name):
        raise ConfigError(f"{setting} = {where!r}: must be SERVICE/NAME")
    try:
        import keyring  # noqa: PLC0415  # an extra that only live trading needs
        from keyring.errors import KeyringError  # noqa: PLC0415
    except ImportError:
        raise ConfigError(f"{setting} needs the library keyring: {EXTRA}") from None
    try:
        found = keyring.get_password(service, name)
    except KeyringError as error:
        raise ConfigError(f"{setting}: the keyring cannot be used: {error}") from None
    if not found:
        raise ConfigError(f"{setting} = {where}: it is not there; `keyring set {service} {name}`")
    return PrivateKey(found, setting)


def _account() -> Any:
    try:
        from eth_account import Account  # noqa: PLC0415  # an extra that only live trading needs
    except ImportError:
        raise ConfigError(f"private keys need the library eth-account: {EXTRA}") from None
    return Account


def _options(settings: Keyed) -> PolymarketOptions | ChainOptions:
    return settings.polymarket if isinstance(settings, Settings) else settings


def _variable(options: PolymarketOptions | ChainOptions, name: str) -> str:
    section = "CHAIN" if isinstance(options, ChainOptions) else "POLYMARKET"
    return f"ARB_{section}__{name.upper()}"


def _phrases(options: PolymarketOptions | ChainOptions) -> tuple[str, str]:
    """The settings that hold a keystore's passphrase, and name its file."""
    return _variable(options, "keystore_passphrase"), _variable(options, "keystore_passphrase_file")
