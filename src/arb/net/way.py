"""The way that requests leave by: one rule of proxies and certificate authorities for all of them.

The rule is httpx's own reading of the environment: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` (also
SOCKS), `NO_PROXY`, `SSL_CERT_FILE`, `SSL_CERT_DIR`. The official client is made with it and cannot
be given another, and an order must leave by the way that everything else was asked by. The control
API of this machine is spoken to directly.
"""

from collections.abc import Mapping
from pathlib import Path
from ssl import SSLContext
from typing import Any

import httpx

# Private, and the rule itself: httpx has no public way to ask which proxy an address gets.
from httpx._utils import URLPattern, get_environment_proxies

from arb.domain.errors import ConfigError

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
PORT_MAX = 65535
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Of the two the first that is set is used."""
UNKNOWN_AUTHORITY = "CERTIFICATE_VERIFY_FAILED"


def check(environment: Mapping[str, str]) -> None:
    """See that every request can leave by the way that the environment names.

    Raises:
        ConfigError: A variable cannot be used; names it and how it is written.
    """
    for name in PROXIES:
        for variable in (name, name.lower()):
            if value := environment.get(variable):
                _check_proxy(variable, value)
    _check_exceptions(environment)
    _check_authorities(environment)


def proxy_for(url: str) -> str | None:
    """The proxy that a request to this address goes by; `None`: it goes directly."""
    patterns = sorted((URLPattern(key), proxy) for key, proxy in get_environment_proxies().items())
    address = httpx.URL(url)
    return next((proxy for pattern, proxy in patterns if pattern.matches(address)), None)


def trusted() -> SSLContext:
    """The certificate authorities that the environment names, which take a while to read."""
    return httpx.create_ssl_context()


def options(as_for: str = "", verify: SSLContext | None = None) -> dict[str, Any]:
    """What a client of httpx is made with.

    Args:
        as_for: An address whose way all requests of the client take; empty: each has its own.
        verify: `trusted`, where several clients share it.
    """
    if not as_for:
        return {"trust_env": True, "verify": verify or True}
    # With certificates as the environment has them, which `trust_env` would else see to.
    return {"trust_env": False, "proxy": proxy_for(as_for), "verify": verify or trusted()}


def sentence(environment: Mapping[str, str], url: str) -> str:
    """How requests leave, for people, with the address of the exchange as the example."""
    proxy = proxy_for(url)
    by = "directly" if proxy is None else f"by {_shown(proxy)}"
    spared = environment.get("no_proxy") or environment.get("NO_PROXY")
    named = any(environment.get(one) or environment.get(one.lower()) for one in PROXIES)
    exceptions = f", not those to {spared} (NO_PROXY)" if spared and named else ""
    source = next((name for name in AUTHORITIES if environment.get(name)), None)
    trusted = f"{environment[source]} ({source})" if source else "certifi"
    return f"requests leave {by}{exceptions}; certificate authorities of {trusted}"


def failure(error: Exception, url: str) -> str:
    """Why there was no answer, in a few words."""
    if UNKNOWN_AUTHORITY in str(error):
        return "its certificate is of an unknown authority; SSL_CERT_FILE names others"
    proxy = proxy_for(url)
    by = f", by the proxy {_shown(proxy)}" if proxy else ""
    return f"{type(error).__name__}{by}"


def _check_proxy(variable: str, value: str) -> None:
    address = value if "://" in value else f"http://{value}"
    fix = "set it to http://HOST:PORT or socks5h://HOST:PORT, or unset it"
    try:
        url = httpx.Proxy(address).url
    except (ValueError, httpx.InvalidURL):
        raise ConfigError(f"{variable} is not the address of a proxy; {fix}") from None
    if not url.host or (url.port is not None and not 0 < url.port <= PORT_MAX):
        raise ConfigError(f"{variable} = {_shown(address)} is not the address of a proxy; {fix}")
    if url.scheme.startswith("socks"):
        try:
            import socksio  # noqa: F401, PLC0415  # needed for this alone
        except ImportError:
            raise ConfigError(
                f"{variable} names a SOCKS proxy, which needs the library socksio: install it, "
                f"or {fix}"
            ) from None


def _check_exceptions(environment: Mapping[str, str]) -> None:
    """`NO_PROXY`, made into patterns as every client makes it."""
    try:
        for key in get_environment_proxies():
            URLPattern(key)
    except (ValueError, httpx.InvalidURL):
        given = environment.get("no_proxy") or environment.get("NO_PROXY")
        raise ConfigError(
            f"NO_PROXY = {given} holds something that is not a host; write hosts with "
            "commas between them, IPv6 addresses without brackets"
        ) from None


def _check_authorities(environment: Mapping[str, str]) -> None:
    file, folder = (environment.get(name) for name in AUTHORITIES)
    fix = "name a file of certificates in PEM, or unset it"
    if file:
        try:
            httpx.create_ssl_context()
        except OSError as error:
            why = error.strerror or "it holds no certificate"
            raise ConfigError(f"SSL_CERT_FILE = {file} cannot be used: {why}; {fix}") from None
    elif folder and not Path(folder).is_dir():
        raise ConfigError(f"SSL_CERT_DIR = {folder} is not a folder; name one, or unset it")


def _shown(proxy: str) -> str:
    """A proxy without its user and password."""
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
