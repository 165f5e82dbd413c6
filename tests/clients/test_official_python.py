"""The embedded exchange answers every operation of the official Python client as the venue does."""

import dataclasses
import traceback

import pytest
from polymarket import AsyncPublicClient, AsyncSecureClient, PublicClient, SecureClient
from polymarket._internal.environment import create_environment, get_environment_config

from tests.clients import official_secure  # noqa: F401  # registers its checks
from tests.clients.official import CHECKS, OUT_OF_SCOPE
from tests.clients.world import KEY, WALLETS, Client, world
from tests.exchange.venue import environment

CLASSES = (PublicClient, AsyncPublicClient, SecureClient, AsyncSecureClient)
LAST = ("delete_api_key", "end_authentication", "close")
"""After these a client is of no more use."""


def operations(kind):
    return [name for name in dir(kind) if not name.startswith("_")]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_operation_is_checked_or_named_with_its_reason(kind):
    names = set(operations(kind))
    assert names <= CHECKS.keys() | OUT_OF_SCOPE.keys(), names - CHECKS.keys() - OUT_OF_SCOPE.keys()


def test_nothing_is_both_checked_and_out_of_scope_and_nothing_is_left_over():
    every = {name for kind in CLASSES for name in operations(kind)}
    assert not CHECKS.keys() & OUT_OF_SCOPE.keys()
    assert CHECKS.keys() | OUT_OF_SCOPE.keys() == every


def quick(address):
    """The exchange's own addresses, and no waiting between two questions about a transaction."""
    config = get_environment_config(environment(address))
    quicker = dataclasses.replace(config, relayer_poll_frequency_ms=20)
    return create_environment(name="embedded", config=quicker)


async def opened(kind, at):
    where = quick(at.address)
    if kind in (PublicClient, AsyncPublicClient):
        return Client(kind(environment=where))
    maker = Client(kind)
    maker.is_async = kind is AsyncSecureClient
    inner = await maker.call("create", private_key=KEY, wallet=WALLETS["eoa"], environment=where)
    return Client(inner)


@pytest.mark.parametrize("kind", CLASSES)
async def test_every_operation_is_answered_with_what_the_exchange_holds(kind):
    names = [name for name in CHECKS if name in operations(kind)]
    names = [n for n in names if n not in LAST] + [n for n in LAST if n in names]
    failed = {}
    async with world() as it:
        client = await opened(kind, it.at)
        for name in names:
            await it.look()
            if name in LAST:
                await client.call("close")
                client = await opened(kind, it.at)
            try:
                await CHECKS[name](client, it)
            except (Exception, pytest.fail.Exception):  # noqa: BLE001  # every one is told of
                failed[name] = traceback.format_exc(limit=-3)
        await client.call("close")
    assert not failed, "\n".join(f"--- {name}\n{text}" for name, text in failed.items())
