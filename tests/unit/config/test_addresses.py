"""Addresses are shown without the passwords and keys that they hold."""

import pytest

from arb.config.sources import load
from arb.net.http import _place

MASK = "********"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://user:hunter2@host/x", f"https://user:{MASK}@host/x"),
        ("https://4f2a9c@host:80/x", f"https://{MASK}@host:80/x"),
        ("https://host/v2/AbCdEf0123456789xyz", f"https://host/v2/{MASK}"),
        ("https://host/?apikey=zz9&x=1", f"https://host/?apikey={MASK}&x={MASK}"),
        ("wss://ws-subscriptions-clob.host/ws/market-of-many-words", None),
        ("http://127.0.0.1:8900", None),
    ],
)
def test_a_nodes_address_is_masked(given, shown, monkeypatch, tmp_path):
    monkeypatch.setenv("ARB_POLYMARKET__GAMMA_URL", given)
    monkeypatch.setenv("ARB_POLYMARKET__RPC_URLS", f"https://a.example,{given}")
    found = {setting.name: setting.shown for setting in load(folder=tmp_path).all()}
    assert found["polymarket.gamma_url"] == (shown or given)
    assert found["polymarket.rpc_urls"] == f'["https://a.example","{shown or given}"]'


@pytest.mark.parametrize(
    ("given", "shown", "secrets"),
    [
        ("postgresql+asyncpg://arb:p%40ss@db/arb", f"arb:{MASK}@db/arb", {"p%40ss", "p@ss"}),
        ("postgresql+asyncpg://arb:p@ss/w@db/arb", f"arb:{MASK}@db/arb", {"p@ss/w"}),
        (
            "postgresql+asyncpg://db/arb?ssl=require&password=hunter2",
            f"db/arb?ssl=require&password={MASK}",
            {"hunter2"},
        ),
        ("sqlite+aiosqlite:////data/a@b/averyveryverylongname0.db", None, set()),
    ],
)
def test_the_databases_address_is_masked(given, shown, secrets, monkeypatch, tmp_path):
    monkeypatch.setenv("ARB_DATABASE__URL", given)
    loaded = load(folder=tmp_path)
    found = {setting.name: setting.shown for setting in loaded.all()}["database.url"]
    assert found == (f"postgresql+asyncpg://{shown}" if shown else given)
    assert set(loaded.secrets()) == secrets


def test_what_is_said_of_a_read_names_the_place_and_no_key():
    assert _place("https://u:hunter2@host:80/clob-markets/0x" + "a1" * 32) == (
        "host:80/clob-markets/0x" + "a1" * 32
    )
    assert _place("https://host/v2/AbCdEf0123456789xyz?key=1") == "host/v2/…"
