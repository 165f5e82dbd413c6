"""The API by TLS: with a certificate it answers https:// and wss:// alone, and the shell finds it."""

import datetime
import json
import ssl

import httpx
import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from arb.domain.errors import ConfigError
from arb.operations import control_client
from tests.api.conftest import TOKENS, Role, world
from tests.conftest import settings_for

NAME = "arb.example"
"""Not the address that is asked: the shell trusts the file, not the name."""


def certificate(folder, name="served", password=None):
    """A certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    hidden = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    form = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, hidden))
    return {"api.tls_certificate": str(files[0]), "api.tls_key": str(files[1])}


async def test_with_a_certificate_the_api_speaks_tls_alone(tmp_path, monkeypatch):
    flags = certificate(tmp_path)
    async with world(tmp_path, monkeypatch, **flags) as found:
        assert found.address.startswith("https://")
        trust = ssl.create_default_context(cafile=flags["api.tls_certificate"])
        trust.check_hostname = False
        async with found.client(verify=trust) as client:
            assert (await client.get("/api/v1/bot/status")).status_code == 200
        async with found.client() as client:  # who does not know the certificate trusts nothing
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get("/healthz")
        async with httpx.AsyncClient(trust_env=False) as plain:
            with pytest.raises(httpx.RemoteProtocolError):
                await plain.get(found.address.replace("https", "http") + "/healthz")
        url = found.address.replace("https", "wss") + "/ws/arbitrage"
        async with websockets.connect(
            url, ssl=trust, proxy=None, additional_headers=found.headers()
        ) as socket:
            assert json.loads(await socket.recv())["type"] == "snapshot"


async def test_the_shell_reaches_it_by_the_same_settings_and_no_other_server(tmp_path, monkeypatch):
    flags = certificate(tmp_path)
    async with world(tmp_path, monkeypatch, **flags) as found:
        asked = {
            "api.port": int(found.address.rsplit(":", 1)[1]),
            "api.token": TOKENS[Role.TRADE],
        }
        loaded = settings_for("http://127.0.0.1:9", tmp_path, **asked, **flags)
        status = await control_client.live_status(loaded)
        assert status is not None and status["mode"] == "dry-run"
        other = settings_for(
            "http://127.0.0.1:9", tmp_path, **asked, **certificate(tmp_path, "another")
        )
        assert await control_client.live_status(other) is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda files, _: files.pop("api.tls_key"), "set both, or neither"),
        (lambda files, _: files.update({"api.tls_key": "nowhere.key"}), "No such file"),
        (
            lambda files, folder: files.update(
                {"api.tls_key": certificate(folder, "another")["api.tls_key"]}
            ),
            "KEY_VALUES_MISMATCH",
        ),
        (lambda files, folder: files.update(certificate(folder, "locked", b"secret")), "nowhere.pem|served.pem|locked.pem"),
    ],
    ids=["one alone", "not there", "another's", "with a password"],
)  # fmt: skip
async def test_what_cannot_be_served_is_refused_by_name(tmp_path, monkeypatch, spoil, said):
    files = certificate(tmp_path)
    spoil(files, tmp_path)
    with pytest.raises(ConfigError, match=said):
        async with world(tmp_path, monkeypatch, **files):
            pass
