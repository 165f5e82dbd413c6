"""The control API's tokens and record, for the shell."""

from pathlib import Path

from arb.api.audit import Verdict, check, head_of
from arb.api.auth import Role, add_token, remove_token
from arb.config.sources import Loaded
from arb.domain.errors import ConfigError


def make(loaded: Loaded, name: str, role: str) -> str:
    """A new token of this role.

    Raises:
        ConfigError: There is no such role, or the file cannot be used.
    """
    if role not in set(Role):
        raise ConfigError(f"--role {role}: one of {', '.join(Role)}")
    return add_token(Path(loaded.settings.api.token_file), name, Role(role))


def unmake(loaded: Loaded, name: str) -> None:
    """Revoke a token.

    Raises:
        ConfigError: There is none of that name, or the file cannot be used.
    """
    remove_token(Path(loaded.settings.api.token_file), name)


def audit_verdict(loaded: Loaded) -> Verdict:
    """Whether the record of commands is whole.

    Raises:
        ConfigError: There is no record.
        AuditError: It cannot be read.
    """
    path = Path(loaded.settings.api.audit_file)
    if not (loaded.settings.api.audit_file and (path.exists() or head_of(path).exists())):
        raise ConfigError(f"api.audit_file = {path}: there is no record yet")
    return check(path)
