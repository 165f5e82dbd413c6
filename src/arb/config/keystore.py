"""An encrypted keystore (version 3), opened once it is known what that costs.

The file itself states how much work opening it is, so that is read strictly and bounded
before anything is derived. The library gets only what was read here, never the file: where it would
look elsewhere (a name in capitals, a later version) it would find unbounded work.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, ValidationError, convert, to_builtins

from arb.files import document

SCRYPT_MAX: Final = 2**22
"""n * r * p, at most half a gigabyte; wallets ask for n = 262144, r = 8, p = 1: half of it."""
MOST: Final = {"n": 2**20, "r": 64, "p": 64, "c": 10_000_000, "dklen": 64}
NO_KEYSTORE = "the file is no keystore version 3"

Bytes = Annotated[str, Meta(pattern=r"^(0x)?([0-9a-fA-F]{2}){1,256}\Z")]
Bytes16 = Annotated[str, Meta(pattern=r"^(0x)?([0-9a-fA-F]{2}){1,16}\Z")]
Bytes32 = Annotated[str, Meta(pattern=r"^(0x)?[0-9a-fA-F]{64}\Z")]
Count = Annotated[int, Meta(ge=1)]
Length = Annotated[int, Meta(ge=32)]


class BadKeystore(ValueError):
    """It cannot be opened: the message says why, and quotes nothing of its content."""


class _Pbkdf2(Struct):
    c: Count
    dklen: Length
    prf: Literal["hmac-sha256"]
    salt: Bytes


class _Scrypt(Struct):
    n: Annotated[int, Meta(ge=2)]
    r: Count
    p: Count
    dklen: Length
    salt: Bytes


class _CipherParams(Struct):
    iv: Bytes16


class _Crypto(Struct):
    cipher: Literal["aes-128-ctr"]
    cipherparams: _CipherParams
    ciphertext: Bytes32
    kdf: Literal["scrypt", "pbkdf2"]
    kdfparams: dict[str, Any]
    mac: Bytes32


class _Keystore(Struct):
    version: Literal[3]
    crypto: _Crypto
    address: str | None = None


def unseal(sealed: str, secret: str, account: Any) -> str:
    """The key in a keystore, in hexadecimal.

    Args:
        sealed: What is in the file.
        secret: The passphrase.
        account: `eth_account.Account`.

    Raises:
        BadKeystore: It is no keystore, asks for more work than any wallet does, is not opened by
            the passphrase, or holds another address's key than it names.
    """
    try:
        found = convert(_small(document(sealed.encode())), _Keystore)
        work: _Scrypt | _Pbkdf2
        if found.crypto.kdf == "scrypt":
            work = convert(found.crypto.kdfparams, _Scrypt)
        else:
            work = convert(found.crypto.kdfparams, _Pbkdf2)
    except (ValidationError, ValueError):
        raise BadKeystore(NO_KEYSTORE) from None
    _bound(work)
    found.crypto.kdfparams = to_builtins(work)
    try:
        key = bytes(account.decrypt(to_builtins(found), secret))
    except ValueError as error:
        wrong = "MAC" in str(error)
        raise BadKeystore("the passphrase does not open it" if wrong else NO_KEYSTORE) from None
    except MemoryError:
        raise BadKeystore("opening it takes more memory than there is") from None
    if found.address and not _belongs(key, found.address, account):
        raise BadKeystore(
            "the key in it does not belong to the address that it names; the file is damaged, "
            "take another copy"
        )
    return key.hex()


def _small(value: Any) -> Any:
    """The document with its names in small letters, since some wallets write `Crypto`.

    Raises:
        BadKeystore: Then a name stands twice.
    """
    if not isinstance(value, dict):
        return value
    found = {name.lower(): _small(content) for name, content in value.items()}
    if len(found) != len(value):
        raise BadKeystore(NO_KEYSTORE)
    return found


def _bound(work: _Scrypt | _Pbkdf2) -> None:
    for name, most in MOST.items():
        if getattr(work, name, 0) > most:
            raise BadKeystore(f"its {name} asks for more work than any wallet does; {most} at most")
    if isinstance(work, _Scrypt):
        if work.n & (work.n - 1):
            raise BadKeystore(f"{NO_KEYSTORE}: its n is no power of two")
        if work.n * work.r * work.p > SCRYPT_MAX:
            raise BadKeystore(
                f"its n, r and p ask for more work than any wallet does; {SCRYPT_MAX} at most, "
                "multiplied"
            )


def _belongs(key: bytes, named: str, account: Any) -> bool:
    """Whether the key is that address's: the checksum covers the key as encrypted, not its IV."""
    try:
        own = str(account.from_key(key).address)
    except ValueError:  # no private key at all
        return False
    return own.lower().removeprefix("0x") == named.lower().removeprefix("0x")
