"""Fetches published contract builds with npm, once, and checks that they are the ones we know."""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "contracts"
TIMEOUT_SECONDS = 120


class Unreachable(Exception):
    """npm is not here, or the registry does not answer."""


@dataclass(frozen=True)
class Artifact:
    """One file of one published package."""

    package: str
    version: str
    integrity: str
    """Of the package, as the registry states it."""
    path: str
    sha256: str
    """Of the file."""


CONDITIONAL_TOKENS = Artifact(
    "@gnosis.pm/conditional-tokens-contracts",
    "1.0.3",
    "sha512-tsGh+tiCb06UCUg3F8N5Gpo/MTsdMLQ7Wbu2AiWGaj9bga9rWgnu2/QVtLY3hneFdrSAjzlu/eFmhQt+5b7kSA==",
    "package/build/contracts/ConditionalTokens.json",
    "08a1c8752460866482387a185ab5e1d1e3589f06a95d1322f24b5cb14bc33af8",
)
ERC20 = Artifact(
    "openzeppelin-solidity",
    "2.3.0",
    "sha512-QYeiPLvB1oSbDt6lDQvvpx7k8ODczvE474hb2kLXZBPKMsxKT1WxTCHBYrCU7kS7hfAku4DcJ0jqOyL+jvjwQw==",
    "package/build/contracts/ERC20Mintable.json",
    "0519988ef85f38569f393dcec89e30e93aa2b042a7e401b1dd6571ad2a3e05c9",
)


def fetch(artifact: Artifact, cache: Path = CACHE) -> dict:
    """The build of a contract: its ABI and bytecode.

    Raises:
        Unreachable: It is not in the cache and cannot be fetched.
        ValueError: What was fetched is not what is pinned.
    """
    kept = cache / f"{artifact.sha256}.json"
    if not kept.exists():
        content = _from_package(artifact, _pack(artifact, cache))
        cache.mkdir(parents=True, exist_ok=True)
        # Runs side by side must not read half a file.
        part = kept.with_suffix(f".{hashlib.sha256(str(id(kept)).encode()).hexdigest()[:8]}")
        part.write_bytes(content)
        part.replace(kept)
    content = kept.read_bytes()
    if hashlib.sha256(content).hexdigest() != artifact.sha256:
        raise ValueError(f"{kept} is not the pinned file")
    return json.loads(content)


def _pack(artifact: Artifact, cache: Path) -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise Unreachable("npm is not installed")
    folder = cache / f"pack-{artifact.sha256[:16]}-{id(artifact)}"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{artifact.package}@{artifact.version}"
    command = [npm, "pack", name, "--ignore-scripts", "--json", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, cwd=folder
        )
        if done.returncode != 0:
            raise Unreachable(f"npm pack {name}: {done.stderr.strip()[-200:]}")
        (package,) = folder.glob("*.tgz")
        return package.read_bytes()
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"npm pack {name} takes more than {TIMEOUT_SECONDS} s") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _from_package(artifact: Artifact, package: bytes) -> bytes:
    import io

    digest = base64.b64encode(hashlib.sha512(package).digest()).decode()
    if f"sha512-{digest}" != artifact.integrity:
        raise ValueError(f"{artifact.package} {artifact.version} is not the pinned package")
    with tarfile.open(fileobj=io.BytesIO(package)) as content:
        file = content.extractfile(artifact.path)
        assert file is not None
        return file.read()


if __name__ == "__main__":
    for one in (CONDITIONAL_TOKENS, ERC20):
        fetch(one)
        sys.stdout.write(f"{one.package} {one.version}: {one.path}\n")
