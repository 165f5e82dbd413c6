"""The key that signs orders: where it may come from, and that it is shown nowhere."""

import copy
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import keyring
import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.telemetry.redact import Redactor
from arb.config import keys
from arb.config.keys import ORDER_OF_THE_CURVE, PrivateKey, private_key, source
from arb.config.sources import load
from arb.domain.errors import ConfigError
from arb.onchain.options import ChainOptions

KEY = "0x" + "5a7d20c4e91b" * 5 + "30f6"
ADDRESS = "0x" + "00" * 20
PASSPHRASE = "an umbrella in july"


@pytest.fixture(scope="module", autouse=True)
def _learn_into_a_redactor_of_their_own():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "redact", Redactor())
        yield


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "key.json"
    keys.write_keystore(path, PrivateKey(KEY), PASSPHRASE, iterations=2)
    return path


@pytest.fixture
def keystore(sealed, tmp_path):
    path = tmp_path / "key.json"
    path.write_bytes(sealed.read_bytes())
    path.chmod(0o600)
    return path


def _options(**more):
    return PolymarketOptions(**{name: str(value) for name, value in more.items()})


def _refused(**more):
    with pytest.raises(ConfigError) as caught:
        private_key(_options(**more))
    said = str(caught.value)
    assert KEY[2:12] not in said
    assert PASSPHRASE not in said
    return said


def test_the_three_sources_give_the_same_key(keystore, tmp_path, monkeypatch):
    phrase = tmp_path / "phrase"
    phrase.write_text(PASSPHRASE + "\n")
    phrase.chmod(0o400)
    monkeypatch.setattr(keyring, "get_password", lambda service, name: f"{KEY[2:].upper()}\n")
    found = [
        private_key(_options(keystore=keystore, keystore_passphrase=PASSPHRASE)),
        private_key(_options(keystore=keystore, keystore_passphrase_file=phrase)),
        private_key(_options(keyring="arb/live/signer")),
        private_key(_options(private_key=KEY)),
    ]
    assert [key.reveal() for key in found] == [KEY] * 4
    assert found[0] == found[3] != KEY
    assert keys.address(found[0]) == keys.address(PrivateKey(KEY.upper().replace("X", "x")))


def test_more_than_one_source_is_refused_and_both_are_named(keystore):
    said = _refused(keystore=keystore, private_key=KEY)
    assert "ARB_POLYMARKET__KEYSTORE and ARB_POLYMARKET__PRIVATE_KEY" in said
    said = _refused(keyring="a/b", private_key=KEY)
    assert "ARB_POLYMARKET__KEYRING and ARB_POLYMARKET__PRIVATE_KEY" in said
    both = {"keystore_passphrase": PASSPHRASE, "keystore_passphrase_file": keystore}
    assert "both set" in _refused(keystore=keystore, **both)
    assert "arb keys import" in _refused()
    assert source(PolymarketOptions()) is None


def test_a_session_key_belongs_to_a_wallet():
    with pytest.raises(ConfigError, match="ARB_POLYMARKET__WALLET"):
        source(PolymarketOptions(private_key=KEY, session_key=True))
    options = PolymarketOptions(private_key=KEY, session_key=True, wallet=ADDRESS)
    assert source(options) == "ARB_POLYMARKET__PRIVATE_KEY"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o601, 0o644, 0o666])
def test_a_file_that_others_can_touch_is_refused(keystore, mode):
    keystore.chmod(mode)
    said = _refused(keystore=keystore, keystore_passphrase=PASSPHRASE)
    assert "ARB_POLYMARKET__KEYSTORE" in said
    assert "chmod 600" in said
    keystore.chmod(0o600)
    phrase = keystore.with_name("phrase")
    phrase.write_text(PASSPHRASE)
    phrase.chmod(mode)
    said = _refused(keystore=keystore, keystore_passphrase_file=phrase)
    assert "ARB_POLYMARKET__KEYSTORE_PASSPHRASE_FILE" in said


def test_links_pipes_folders_and_large_files_are_refused(keystore, tmp_path):
    phrase = {"keystore_passphrase": PASSPHRASE}
    link, pipe, large = tmp_path / "link", tmp_path / "pipe", tmp_path / "large"
    link.symlink_to(keystore)
    assert "symbolic link" in _refused(keystore=link, **phrase)
    os.mkfifo(pipe, 0o600)
    assert "no ordinary file" in _refused(keystore=pipe, **phrase)
    assert "no ordinary file" in _refused(keystore=tmp_path, **phrase)
    large.touch(0o600)
    large.write_bytes(b" " * (keys.SIZE_MAX + 1))
    assert "65536 bytes" in _refused(keystore=large, **phrase)
    assert "No such file" in _refused(keystore=tmp_path / "none", **phrase)
    large.write_bytes(b"\xff\xfe\x80")
    assert "no text" in _refused(keystore=large, **phrase)


def _access_list(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.mark.parametrize(
    ("group", "user", "accepted"),
    [(0, os.geteuid(), True), (4, os.geteuid(), False), (0, 4321, False)],
)
def test_a_systemd_credential_is_open_to_the_service_alone(
    keystore, monkeypatch, group, user, accepted
):
    # Its mode is 0440: the group bits are the mask of an access list that names the service's user.
    nobody = 0xFFFFFFFF
    listed = _access_list(
        (1, 4, nobody), (2, 4, user), (4, group, nobody), (0x10, 4, nobody), (0x20, 0, nobody)
    )
    monkeypatch.setattr(os, "getxattr", lambda file, name: listed)
    keystore.chmod(0o440)
    options = {"keystore": keystore, "keystore_passphrase": PASSPHRASE}
    if accepted:
        assert private_key(_options(**options)).reveal() == KEY
    else:
        assert "chmod 600" in _refused(**options)


def test_what_is_no_keystore_or_has_another_passphrase_is_told_plainly(keystore, tmp_path):
    assert "needs its passphrase" in _refused(keystore=keystore)
    said = _refused(keystore=keystore, keystore_passphrase="another one")
    assert "does not open it" in said
    assert "another one" not in said
    for content in (
        "",
        "{}",
        "[]",
        "5",
        '{"version": 3}',
        '{"version": 9, "crypto": {}}',
        "{" * 99,
    ):
        keystore.write_text(content)
        said = _refused(keystore=keystore, keystore_passphrase=PASSPHRASE)
        assert "no keystore version 3" in said
    empty = tmp_path / "empty"
    empty.touch(0o600)
    said = _refused(keystore=keystore, keystore_passphrase_file=empty)
    assert "the file is empty" in said


def test_a_keyring_without_the_key_or_without_a_backend_says_so(monkeypatch):
    from keyring.errors import NoKeyringError

    monkeypatch.setattr(keyring, "get_password", lambda service, name: None)
    assert "keyring set arb signer" in _refused(keyring="arb/signer")
    assert "must be SERVICE/NAME" in _refused(keyring="arb")

    def none(service, name):
        raise NoKeyringError("no backend")

    monkeypatch.setattr(keyring, "get_password", none)
    assert "no backend" in _refused(keyring="arb/signer")


@pytest.mark.parametrize("library", ["eth_account", "keyring"])
def test_a_library_that_is_missing_is_named_with_its_extra(keystore, library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    where = {"keystore": keystore, "keystore_passphrase": PASSPHRASE}
    said = _refused(**(where if library == "eth_account" else {"keyring": "a/b"}))
    assert ".[live]" in said


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "0x",
        KEY[:-1],
        KEY + "0",
        "0x" + "g" * 64,
        "0x" + "0" * 64,
        f"0x{ORDER_OF_THE_CURVE:064x}",
    ],
)
def test_what_is_no_key_is_refused_without_being_told(wrong):
    with pytest.raises(ConfigError) as caught:
        PrivateKey(wrong)
    assert "ARB_POLYMARKET__PRIVATE_KEY" in str(caught.value)
    assert len(wrong) < 10 or wrong[2:] not in str(caught.value)


@settings(max_examples=30)
@given(st.integers(1, ORDER_OF_THE_CURVE - 1))
def test_a_key_is_shown_by_nothing(number):
    @dataclass
    class Holder:
        key: PrivateKey

    hexadecimal = f"{number:064x}"
    key = PrivateKey(hexadecimal)
    assert key.reveal() == "0x" + hexadecimal
    shown = [
        repr(key),
        str(key),
        f"{key}",
        f"{key!r:>3}",
        "%s" % key,  # noqa: UP031
        "".join([key]),
        json.dumps({"key": key}),
        repr(Holder(key)),
        repr(asdict(Holder(key))),
        repr(copy.deepcopy(key)),
        repr(pickle.loads(pickle.dumps(key))),
        pickle.dumps(key, protocol=0).decode(),
        TypeAdapter(object).dump_json(key).decode(),
        repr(key.encode()),
    ]
    for text in shown:
        assert hexadecimal not in text
        assert "***" in text
    assert not hasattr(key, "__dict__")


def test_the_redactor_learns_what_is_opened(tmp_path):
    fresh, phrase = "0x" + "91c3e7d2b05f" * 5 + "4a4a", "seven grey herons"
    path, file = tmp_path / "key.json", tmp_path / "phrase"
    script = (
        "import sys; from pathlib import Path; from arb.config.keys import *\n"
        "write_keystore(Path(sys.argv[1]), PrivateKey(sys.argv[2]), sys.argv[3], iterations=2)"
    )
    subprocess.run([sys.executable, "-c", script, path, fresh, phrase], check=True)
    file.touch(0o600)
    file.write_text(phrase)
    assert phrase in keys.redact(phrase)
    private_key(_options(keystore=path, keystore_passphrase_file=file))
    for secret in (fresh, fresh[2:], fresh.upper(), phrase):
        assert keys.redact(f"told of {secret}.") == "told of ********."


def test_the_passphrase_is_a_secret_setting(monkeypatch, tmp_path):
    monkeypatch.setenv("ARB_POLYMARKET__KEYSTORE_PASSPHRASE", PASSPHRASE)
    loaded = load(folder=tmp_path)
    assert PASSPHRASE in loaded.secrets()
    shown = {setting.name: setting.shown for setting in loaded.all()}
    assert shown["polymarket.keystore_passphrase"] == "********"
    assert PASSPHRASE not in repr(loaded)


def test_a_keystore_is_never_overwritten_and_its_passphrase_is_not_short(keystore, tmp_path):
    before = keystore.read_bytes()
    with pytest.raises(ConfigError, match="there already"):
        keys.write_keystore(keystore, PrivateKey(KEY), PASSPHRASE, iterations=2)
    with pytest.raises(ConfigError, match="8 characters"):
        keys.write_keystore(tmp_path / "new", PrivateKey(KEY), "short", iterations=2)
    with pytest.raises(ConfigError, match="cannot be written"):
        keys.write_keystore(tmp_path / "no" / "new", PrivateKey(KEY), PASSPHRASE, iterations=2)
    assert keystore.read_bytes() == before
    assert not (tmp_path / "new").exists()


def _arb(*args, cwd, stdin="", **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ARB_")}
    return subprocess.run(
        [sys.executable, "-m", "arb", *args],
        env={**inherited, **environment},
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_a_key_is_imported_and_shown_by_its_address(tmp_path):
    made = _arb("keys", "import", "key.json", cwd=tmp_path, stdin=f"{KEY}\n{PASSPHRASE}\n")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "key.json").stat().st_mode & 0o777 == 0o600
    environment = {
        "ARB_POLYMARKET__KEYSTORE": "key.json",
        "ARB_POLYMARKET__KEYSTORE_PASSPHRASE": PASSPHRASE,
    }
    shown = _arb("keys", "show", "--json", cwd=tmp_path, **environment)
    document = json.loads(shown.stdout)
    assert document["source"] == "ARB_POLYMARKET__KEYSTORE"
    assert document["address"] in made.stdout
    text = _arb("keys", "show", cwd=tmp_path, **environment).stdout
    assert text == f"{document['address']}: key from ARB_POLYMARKET__KEYSTORE\n"
    for output in (made.stdout, made.stderr, shown.stdout, shown.stderr, text):
        assert KEY[2:] not in output.lower()
        assert PASSPHRASE not in output
    again = _arb("keys", "import", cwd=tmp_path, stdin=f"{KEY}\n", **environment)
    assert again.returncode == 2
    assert "there already" in again.stderr


def test_wrong_use_of_the_key_commands_is_one_line_and_exit_2(tmp_path):
    for args, stdin, said in (
        (("keys", "show"), "", "there is no private key"),
        (("keys", "import"), "", "name the file"),
        (("keys", "import", "key.json"), "", "the key is missing"),
        (("keys", "import", "key.json"), f"{KEY[:-2]}\n{PASSPHRASE}\n", "64 hexadecimal digits"),
        (("keys", "import", "key.json"), f"{KEY}\n", "the passphrase is missing"),
    ):
        done = _arb(*args, cwd=tmp_path, stdin=stdin)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert KEY[2:12] not in done.stderr
    assert not (tmp_path / "key.json").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"n": 2**30}, "its n asks for more work"),
        ({"N": 2**30}, "its n asks for more work"),
        ({"r": 2**20}, "its r asks for more work"),
        ({"p": 2**20}, "its p asks for more work"),
        ({"n": 2**20, "r": 64}, "its n, r and p ask for more work"),
        ({"n": 2**20, "r": 8}, "its n, r and p ask for more work"),
        ({"c": 10**12}, "its c asks for more work"),
        ({"dklen": 2**30}, "its dklen asks for more work"),
        ({"n": -2}, "no keystore version 3"),
        ({"n": 3}, "no power of two"),
        ({"n": "2"}, "no keystore version 3"),
        ({"n": True}, "no keystore version 3"),
        ({"n": 10**40}, "no keystore version 3"),
        ({"dklen": 16}, "no keystore version 3"),
    ],
)
def test_a_keystore_that_would_take_hours_to_open_is_refused_at_once(asked, said, keystore):
    if "c" in asked:
        document = Account.encrypt(KEY, PASSPHRASE, kdf="pbkdf2", iterations=2)
    else:
        document = json.loads(keystore.read_text())
    params = document["crypto"]["kdfparams"]
    if "N" in asked:
        del params["n"]
    params |= asked
    keystore.write_text(json.dumps(document))
    _refused_at_once(keystore, said)


def _refused_at_once(keystore, said):
    began = time.process_time()
    assert said in _refused(keystore=keystore, keystore_passphrase=PASSPHRASE)
    assert time.process_time() - began < 1


def test_work_hidden_where_only_the_library_looks_is_never_done(keystore):
    document = Account.encrypt(KEY, PASSPHRASE, kdf="pbkdf2", iterations=2)
    dear = {**document["crypto"]["kdfparams"], "c": 30_000_000}
    document["crypto"]["KDFPARAMS"] = dear
    keystore.write_text(json.dumps(document))
    _refused_at_once(keystore, "no keystore version 3")
    del document["crypto"]["KDFPARAMS"]
    document["version"] = 4
    document["crypto"]["kdf"] = {"function": "pbkdf2", "params": dear}
    document["crypto"]["cipher"] = {"message": "00"}
    keystore.write_text(json.dumps(document))
    _refused_at_once(keystore, "no keystore version 3")


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_a_keystore_of_another_wallet_is_opened(kdf, keystore):
    document = Account.encrypt(KEY, PASSPHRASE, kdf=kdf, iterations=4)
    document["Crypto"] = document.pop("crypto")
    document["Crypto"]["MAC"] = document["Crypto"].pop("mac").upper()
    del document["address"]
    keystore.write_text(json.dumps(document))
    opened = private_key(_options(keystore=keystore, keystore_passphrase=PASSPHRASE))
    assert opened.reveal() == KEY


def test_a_key_that_is_not_the_named_address_key_is_refused(keystore):
    # The checksum covers the key as encrypted, but not the counter it was encrypted with.
    document = json.loads(keystore.read_text())
    counter = document["crypto"]["cipherparams"]
    counter["iv"] = f"{int(counter['iv'], 16) ^ 1:032x}"
    keystore.write_text(json.dumps(document))
    said = _refused(keystore=keystore, keystore_passphrase=PASSPHRASE)
    assert "does not belong to the address" in said
    document["crypto"]["cipher"] = "aes-128-cbc"
    keystore.write_text(json.dumps(document))
    said = _refused(keystore=keystore, keystore_passphrase=PASSPHRASE)
    assert "no keystore version 3" in said


def test_the_chain_has_a_key_of_its_own_and_errors_name_its_settings(keystore):
    found = private_key(ChainOptions(keystore=str(keystore), keystore_passphrase=PASSPHRASE))
    assert found.reveal() == KEY
    assert source(ChainOptions(private_key=KEY)) == "ARB_CHAIN__PRIVATE_KEY"
    wrong = {
        "ARB_CHAIN__KEYSTORE and ARB_CHAIN__PRIVATE_KEY": {"keystore": "x", "private_key": KEY},
        "ARB_CHAIN__PRIVATE_KEY: a private key is 0x": {"private_key": "0x12"},
        "ARB_CHAIN__KEYRING = 'x': must be SERVICE/NAME": {"keyring": "x"},
        "set ARB_CHAIN__KEYSTORE_PASSPHRASE_FILE or": {"keystore": str(keystore)},
        "`arb keys import` and set ARB_CHAIN__KEYSTORE": {},
    }
    for said, values in wrong.items():
        with pytest.raises(ConfigError, match=re.escape(said)):
            private_key(ChainOptions(**values))
