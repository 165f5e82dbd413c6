"""Keystores, passphrases and keys on spoilt bytes: refused by name before they cost anything.

What is read is held against an independent opening of the same file: other libraries derive,
decrypt and name the address.
"""

import functools
import hashlib
import json
import re
import tempfile
from pathlib import Path
from unittest.mock import patch

from coincurve import PrivateKey as CurveKey
from Crypto.Hash import keccak
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from eth_account import Account

from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.telemetry.redact import Redactor
from arb.config import keys
from arb.domain.errors import ConfigError
from tests.fuzz.reading import Target, must, naive

KEY = "5a7d20c4e91b" * 5 + "30f6"
SECRET = "an umbrella in july"
ORDER = 2**256 - 432420386565659656852420866394968145599
COUNT = re.compile("[1-9][0-9]{0,8}")
HEX = re.compile("(0x)?((?:[0-9a-fA-F]{2}){1,256})")
DEAR = {"scrypt": 2**14, "pbkdf2": 200_000}
"""Work that is allowed, and would make a campaign slow: those few are left out."""
WORK_MAX = {"scrypt": 2**22, "pbkdf2": 10**7}
"""No wallet asks for more: whatever costs more must never be opened."""


@functools.cache
def good_keystores():
    """Cheap ones of both derivations, one written by us; one without address, one in capitals."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key.json"
        with patch.object(keys, "redact", Redactor()):
            keys.write_keystore(path, keys.PrivateKey(KEY), SECRET, iterations=2)
        ours = json.loads(path.read_bytes())
    counted = Account.encrypt(KEY, SECRET, kdf="pbkdf2", iterations=4)
    nameless = {name: value for name, value in counted.items() if name != "address"}
    capitals = {"Crypto" if name == "crypto" else name: value for name, value in ours.items()}
    return [json.dumps(one).encode() for one in (ours, counted, nameless, capitals)]


@functools.cache
def dear_keystores():
    """Whole but for work beyond all bounds, and those that hide it where only a library looks."""
    scrypt, counted, *_ = map(json.loads, good_keystores())
    asked = (
        (counted, {"c": 30_000_000}),
        (counted, {"dklen": 500_000_000}),
        (scrypt, {"n": 2**21, "r": 1}),
        (scrypt, {"r": 2**19}),
        (scrypt, {"p": 2**19}),
        (scrypt, {"n": 2**20, "r": 8}),
        (scrypt, {"dklen": 500_000_000}),
    )
    dear = [_asking(one, params) for one, params in asked]
    params = {**counted["crypto"]["kdfparams"], "c": 30_000_000}
    capitals = {**counted, "crypto": {**counted["crypto"], "KDFPARAMS": params}}
    later = {"function": "pbkdf2", "params": params}
    later = {
        "version": 4,
        "crypto": {**scrypt["crypto"], "kdf": later, "cipher": {"message": "00"}},
    }
    return [json.dumps(one).encode() for one in (*dear, capitals, later)]


def _asking(keystore, params):
    crypto = keystore["crypto"]
    return {**keystore, "crypto": {**crypto, "kdfparams": {**crypto["kdfparams"], **params}}}


def read_keystore(raw, folder):
    path = folder / "key.json"
    path.write_bytes(raw)
    path.chmod(0o600)
    said = _said(raw)
    if said and DEAR[said["kdf"]] < said["work"] <= WORK_MAX[said["kdf"]]:
        raise ConfigError("allowed, and dear")
    options = PolymarketOptions(keystore=str(path), keystore_passphrase=SECRET)
    try:
        with patch.object(keys, "redact", Redactor()):
            key = keys.private_key(options).reveal()
    except ConfigError as error:
        must(raw not in good_keystores(), "a keystore of our own is refused")
        must("ARB_POLYMARKET__KEYSTORE" in str(error), "an error without its setting")
        must(KEY[:12] not in str(error) and SECRET not in str(error), "a secret in an error")
        must(len(str(error)) < 500 and str(error).isprintable(), "an error without end")
        raise
    must(raw not in dear_keystores(), "what asks for too much work is opened")
    must(said is not None, "a key out of no keystore")
    must(said["work"] <= WORK_MAX[said["kdf"]], "more work than any wallet asks for")
    must(key == "0x" + _open(said), "another key than is in the file")
    if said["address"]:
        must(_address(key) == said["address"], "the key of another address")


def _said(raw):
    """What a keystore says, by the standard library; `None`: it is none."""
    document = naive(raw)
    top = _small(document)
    crypto = _small(top.get("crypto"))
    params, cipher = _small(crypto.get("kdfparams")), _small(crypto.get("cipherparams"))
    found = {
        "kdf": crypto.get("kdf"),
        "salt": _bytes(params.get("salt")),
        "iv": _bytes(cipher.get("iv")),
        "sealed": _bytes(crypto.get("ciphertext")),
        "mac": _bytes(crypto.get("mac")),
        **{name: _count(params.get(name)) for name in ("n", "r", "p", "c", "dklen")},
    }
    wanted = {"scrypt": "nrp", "pbkdf2": "c"}.get(str(found["kdf"]))
    needed = ("salt", "iv", "sealed", "mac", "dklen", *(wanted or "?"))
    if any(found.get(name) is None for name in needed) or crypto.get("cipher") != "aes-128-ctr":
        return None
    work = found["n"] * found["r"] * found["p"] if found["kdf"] == "scrypt" else found["c"]
    address = top.get("address")
    address = address.lower().removeprefix("0x") if isinstance(address, str) else ""
    plain = str(top.get("version")) in ("3", "3.0")
    return {**found, "work": work, "address": address} if plain else None


def _small(value):
    return {name.lower(): one for name, one in value.items()} if isinstance(value, dict) else {}


def _count(text):
    """A count of nine digits at most: of more no number is ever made."""
    return int(text) if isinstance(text, str) and COUNT.fullmatch(text) else None


def _bytes(text):
    found = HEX.fullmatch(text) if isinstance(text, str) else None
    return bytes.fromhex(found.group(2)) if found else None


def _open(said):
    salt, length = said["salt"], said["dklen"]
    if said["kdf"] == "scrypt":
        n, r, p = said["n"], said["r"], said["p"]
        derived = hashlib.scrypt(
            SECRET.encode(), salt=salt, n=n, r=r, p=p, dklen=length, maxmem=2**30
        )
    else:
        derived = hashlib.pbkdf2_hmac("sha256", SECRET.encode(), salt, said["c"], length)
    must(_keccak(derived[16:32] + said["sealed"]) == said["mac"], "opened by another passphrase")
    start = said["iv"].rjust(16, b"\0")
    opener = Cipher(algorithms.AES(derived[:16]), modes.CTR(start)).decryptor()
    return (opener.update(said["sealed"]) + opener.finalize()).hex()


def _keccak(raw):
    return keccak.new(digest_bits=256, data=raw).digest()


def _address(key):
    public = CurveKey(bytes.fromhex(key[2:])).public_key.format(compressed=False)
    return _keccak(public[1:])[-20:].hex()


SECRETS = [
    SECRET.encode(),
    SECRET.encode() + b"\n",
    b"a passphrase of two\nlines\r\n",
    "an umbrella, d\u00e9ploy\u00e9".encode(),
]


def read_passphrase(raw, folder):
    path = folder / "passphrase"
    path.write_bytes(raw)
    path.chmod(0o600)
    redactor = Redactor()
    with patch.object(keys, "redact", redactor):
        found = keys.passphrase(PolymarketOptions(keystore_passphrase_file=str(path)))
    said = raw.decode("utf-8")
    whole = said[:-1] if said.endswith("\n") else said
    must(found == whole or (whole.endswith("\r") and found == whole[:-1]), "another passphrase")
    must(len(found) < 6 or found not in redactor(f"told of {found}."), "a passphrase told")


KEYS = [f"0x{KEY}".encode(), KEY.upper().encode(), f"{ORDER - 1:064x}\n".encode()]


def read_key(raw, _folder):
    """A key as a setting or a keyring gives it; what is no text has the marks that Python gives."""
    text = raw.decode("utf-8", "surrogateescape")
    redactor = Redactor()
    try:
        with patch.object(keys, "redact", redactor):
            found = keys.private_key(PolymarketOptions(private_key=text))
    except ConfigError as error:
        must(raw not in KEYS, "a key is refused")
        must(len(text.strip()) < 12 or text.strip()[2:] not in str(error), "a key in an error")
        raise
    digits = text.strip().lower()
    digits = digits[2:] if digits.startswith("0x") else digits
    must(re.fullmatch("[0-9a-f]{64}", digits), "a key out of no digits")
    must(found.reveal() == "0x" + digits, "another key")
    must(0 < int(digits, 16) < ORDER, "a number that is no key")
    must(digits not in redactor(f"told of {digits}."), "a key told")


TARGETS = (
    Target(
        name="keystore",
        seeds=lambda: [*good_keystores() * 4, *dear_keystores()],
        contract=(ConfigError,),
        read=read_keystore,
    ),
    Target(
        name="passphrase file",
        seeds=lambda: SECRETS,
        contract=(ConfigError,),
        read=read_passphrase,
    ),
    Target(name="private key", seeds=lambda: KEYS, contract=(ConfigError,), read=read_key),
)
