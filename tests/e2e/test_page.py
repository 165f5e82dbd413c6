"""The page in a browser, against a running orchestrator and the embedded exchange."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from arb.adapters.storage import open_attempts, open_ledger
from arb.domain.attempt import AttemptFact, AttemptStep
from arb.domain.contradiction import Contradiction
from arb.domain.opportunity import Kind
from arb.testing.builders import NOON
from tests.conftest import ROOT, environment_for
from tests.programs import arb, exchange_program
from tests.programs import running as program

TOKEN = "a-token-of-this-test-alone-0123456789"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with api.sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield found
        found.close()


async def _attempted(url):
    """An attempt on a chain, as another process would write it down."""
    kept = await open_attempts(url, "liquidations:default")
    await kept.open(NOON)
    step, values = AttemptStep.INCLUDED, {"returned_usd": "303.26"}
    await kept.record(
        AttemptFact(attempt="a1", step=step, at=NOON, block=7, subject="0x1", values=values)
    )
    await kept.close()


BOTS = f"""
[bot.atom]
command = ["python3", "atom.py"]
folder = "{ROOT}/examples/bots"
answer_seconds = 50

[bot.broken]
command = ["/nowhere/bot"]
restarts_max = 0

[bot.plain]
command = ["./plain.sh"]
folder = "{ROOT}/examples/bots"
does = "prints"

[[route]]
name = "default"
bot = "atom"
"""


@pytest.fixture
def running(tmp_path):
    with _running(tmp_path, "moving") as found:
        yield found


@contextlib.contextmanager
def _running(tmp_path, scenario, **more):
    (tmp_path / "bots.toml").write_text(BOTS)
    with exchange_program(tmp_path, scenario=scenario, seed=5) as address:
        env = environment_for(address, tmp_path) | {
            "ARB_API__PORT": "0",
            "ARB_API__TOKEN": TOKEN,
            "ARB_TRADING__MIN_PROFIT_THRESHOLD": "0.001",
            "ARB_BOTS__DEFINITIONS": "bots.toml",
            "ARB_BOTS__MONITOR_INTERVAL": "1",
            **more,
        }
        run = ("run", "--api", "--interval", "0.7")
        with (
            (tmp_path / "log").open("w") as log,
            program(*run, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=log),
        ):
            yield _told(tmp_path / "log"), env, tmp_path


def _told(log: Path) -> str:
    for _ in range(600):
        for line in log.read_text().splitlines():
            if line.startswith("The control API and its page: "):
                return line.rpartition(" ")[2].rstrip("/")
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def _shoot(page, name, folder, *, whole=True, kept=False):
    """A picture; those of the README go to the folder that SCREENSHOTS names."""
    target = Path(os.environ.get("SCREENSHOTS", folder)) if kept else folder
    target.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(target / f"{name}.png"), full_page=whole)


def _enter(page, address):
    page.goto(address + "/")
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("#health.is-healthy", timeout=PATIENCE_MS)


def _show_open_plan(page):
    """The plan that is in the hands of a bot which has stopped; others may just have ended."""
    planned = page.locator("#detail[open] .verdict:has-text('· planned')").first
    end = time.monotonic() + PATIENCE_MS / 1000
    while not planned.is_visible():
        assert time.monotonic() < end
        page.click("#plans tr:has-text('… open') button", timeout=PATIENCE_MS)
        page.wait_for_selector("#detail[open] .verdict", timeout=PATIENCE_MS)
        if not planned.is_visible():
            page.click("#detail-close")
            page.wait_for_selector("#detail:not([open])", state="attached")


def test_an_operator_sees_pauses_resumes_and_halts(browser, running):
    address, _, folder = running
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else 0)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))

    page.goto(address + "/")
    page.wait_for_selector("#sign-in[open]")
    page.fill("#token", "wrong-wrong-wrong-wrong-wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#sign-in-error:has-text('not accepted')")
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("#health.is-healthy", timeout=PATIENCE_MS)
    assert all("401" in text for text in said)  # the browser itself reports it, sooner or later
    said.clear()

    page.wait_for_selector("#opportunities tbody tr:has(.verdict.yes)", timeout=PATIENCE_MS)
    page.wait_for_selector("#plans tbody tr:has-text('done')", timeout=PATIENCE_MS)
    page.wait_for_selector("#profit svg", timeout=PATIENCE_MS)
    _shoot(page, "light", folder)

    page.locator("#opportunities tbody tr:has(.verdict.yes) button").first.click()
    page.wait_for_selector("#detail[open] h3:has-text('The worst world')", timeout=PATIENCE_MS)
    assert page.locator("#detail-body tbody tr").count() > 6
    _shoot(page, "certificate", folder, whole=False, kept=True)
    page.keyboard.press("Escape")
    page.wait_for_selector("#detail:not([open])", state="attached")
    page.locator("#plans tbody tr button").first.click()
    page.wait_for_selector("#detail[open] h3:has-text('What happened')", timeout=PATIENCE_MS)
    _shoot(page, "plan", folder, whole=False)
    page.click("#detail-close")

    bot = int(page.inner_text("#bots tr[data-id=atom] td[data-label=Process]"))
    os.killpg(bot, signal.SIGSTOP)
    _show_open_plan(page)
    os.killpg(bot, signal.SIGCONT)
    page.wait_for_selector("#detail[open] .verdict:has-text('✓ filled')", timeout=PATIENCE_MS)
    page.wait_for_selector("#detail[open] .verdict:has-text('✓ done')", timeout=PATIENCE_MS)
    page.click("#detail-close")

    page.click("#pause")
    page.wait_for_selector("#confirm[open]")
    page.fill("#reason", "<img src=x onerror=alert(1)> lunch")
    _shoot(page, "confirm", folder, whole=False)
    page.click("#confirm-yes")
    page.wait_for_selector("#health.is-paused", timeout=PATIENCE_MS)
    assert "<img src=x" in page.inner_text("#why")
    time.sleep(4)  # the plans at work come to their end
    plans = _plans(page)
    time.sleep(4)
    assert _plans(page) == plans
    _shoot(page, "paused", folder)

    page.wait_for_selector("#alerts li:has-text('Trading is paused'):has-text('MEDIUM')")
    page.click("#resume")
    page.click("#confirm-yes")
    page.wait_for_selector("#health.is-healthy", timeout=PATIENCE_MS)
    page.wait_for_selector("#alerts li:has(s:has-text('Trading is paused')):has-text('ended')")
    newer = f"#plans tbody tr:first-child:not([data-id='{plans[0]}'])"
    page.wait_for_selector(newer, timeout=PATIENCE_MS)

    page.click("#halt")
    page.click("#confirm-yes")
    page.wait_for_selector("#health.is-halted", timeout=PATIENCE_MS)
    _shoot(page, "halted", folder)
    assert said == []
    assert all(url.startswith((address, address.replace("http", "ws"))) for url in asked)
    assert not [url for url in asked if TOKEN in url]
    context.close()


def _plans(page):
    return page.eval_on_selector_all("#plans tbody tr", "rows => rows.map(r => r.dataset.id)")


def test_bots_alerts_positions_and_the_venue_are_seen_and_commanded(browser, tmp_path):
    more = {
        "ARB_ALERTS__CONSOLE": "true",
        "ARB_ALERTS__BALANCE_LOW_USD": "9990",
        "ARB_SIGNALS__ENABLED": "true",
    }
    with _running(tmp_path, "demo", **more) as (address, env, folder):
        scheme = {"viewport": {"width": 1280, "height": 820}, "color_scheme": "dark"}
        context = browser.new_context(**scheme)
        page = context.new_page()
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        _enter(page, address)
        atom = "#bots tr[data-id=atom]"
        page.wait_for_selector(f"{atom}:has-text('✓ running')", timeout=PATIENCE_MS)
        page.wait_for_selector("#bots tr[data-id=broken]:has-text('gave up')")
        page.wait_for_selector("#bots tr[data-id=plain]:has-text('run once for each command')")
        page.wait_for_selector("#alerts li:has-text('broken'):has-text('sent to console')")
        page.wait_for_selector("#alerts li:has-text('The balance is low')", timeout=PATIENCE_MS)
        held = page.wait_for_selector("#positions tbody tr", timeout=PATIENCE_MS).inner_text()
        assert "0x" not in held
        assert re.search(r"\$[\d.]+\s+\$[\d.]+\s+\$[\d.]+", held)
        row = page.locator("#positions table").last.locator("tbody tr").first.inner_text()
        assert row.split("\t")[1] in ("Yes", "No")
        page.wait_for_selector("#plans tbody tr:has-text('✓ held')", timeout=PATIENCE_MS)
        assert "✓ closed" in page.inner_text("#venue")
        assert "books" in page.inner_text("#venue")
        page.wait_for_selector("#quality li")
        apart = page.inner_text("#statistical")
        assert "Statistical strategies, not guaranteed" in apart
        assert "account paper:signals, normal: cash $10,000.00" in apart
        assert not page.is_visible("#on-chain")
        with ThreadPoolExecutor() as thread:  # the browser has the loop of this one
            kept = _attempted(env["ARB_DATABASE__URL"])
            thread.submit(asyncio.run, kept).result()
        page.wait_for_selector("#attempts tr:has-text('included')", timeout=PATIENCE_MS)
        assert "at one block, not guaranteed" in page.inner_text("#on-chain")
        assert "$303.26" in page.inner_text("#attempts")
        added = {"ARB_API__PORT": address.rpartition(":")[2], "ARB_API__TOKEN": TOKEN}
        arb("strategies", "add", "RSIStrategy", "plain-1", env=env | added, cwd=folder)
        page.wait_for_selector("#signals tr:has-text('RSIStrategy')", timeout=PATIENCE_MS)
        page.wait_for_selector(
            "#opportunities tr:has-text('crossed book \u00d7')", timeout=PATIENCE_MS
        )
        assert page.locator("#opportunities tr:has-text('crossed book')").count() == 1
        page.wait_for_selector("#profit svg")
        _shoot(page, "all-dark", folder)
        page.emulate_media(color_scheme="light")
        _shoot(page, "overview", folder, whole=False, kept=True)
        page.emulate_media(color_scheme="dark")
        page.evaluate("scrollTo(0, document.querySelector('#alerts').parentElement.offsetTop - 75)")
        _shoot(page, "bots-and-alerts", folder, whole=False, kept=True)

        page.locator("#plans tbody tr button").first.click()
        page.wait_for_selector("#detail[open] .verdict:has-text('✓ filled')", timeout=PATIENCE_MS)
        assert "0x" not in page.inner_text("#detail-body")
        page.click("#detail-close")

        page.click(f"{atom} button")
        page.wait_for_selector("#confirm[open] h2:has-text('Stop atom?')")
        page.click("#confirm-no")
        assert "running" in page.inner_text(atom)
        page.focus(f"{atom} button")
        page.keyboard.press("Enter")
        page.fill("#reason", "too slow")
        page.keyboard.press("Enter")
        page.wait_for_selector(f"{atom}:has-text('■ stopped')", timeout=PATIENCE_MS)
        told = {"ARB_API__PORT": address.rpartition(":")[2], "ARB_API__TOKEN": TOKEN}
        done = arb("top", "--once", env=env | told, cwd=folder)
        assert re.search(r"atom\W+stopped", done.stdout), done
        assert re.search(r"broken\W+gave up", done.stdout)
        page.click(f"{atom} button:has-text('Start')")
        page.click("#confirm-yes")
        page.wait_for_selector(f"{atom}:has-text('✓ running')", timeout=PATIENCE_MS)
        assert wrong == []
        context.close()
    lines = (tmp_path / "data" / "api-audit.jsonl").read_text().splitlines()
    done = [one for one in map(json.loads, lines) if one["step"] == "done" and "bot" in one]
    assert [(one["action"], one["bot"], one["reason"]) for one in done] == [
        ("bot/stop", "atom", "too slow"), ("bot/start", "atom", ""),
    ]  # fmt: skip


def _age(page):
    return page.inner_text("#age")


def test_it_says_how_old_it_is_and_turns_stale_when_nothing_is_heard(browser, running):
    """A process that is stopped keeps its socket open, and says nothing: so does a cut network."""
    address, _, folder = running
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    _enter(page, address)
    page.wait_for_selector(
        "#age:text-matches('^updated [0-9]+ s ago · last cycle ended [0-9]+ s ago$')",
        timeout=PATIENCE_MS,
    )
    pid = int((folder / "arb.db.lock").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        # Three reads at the least interval of two seconds, and as long as one is waited for.
        page.wait_for_selector("#health.is-stale:has-text('stale')", timeout=PATIENCE_MS)
        assert re.match(r"what is shown is \d+ s old", _age(page))
        assert page.title() == "stale · arb"
        assert page.locator("main.stale").count() == 1
        page.wait_for_selector("#age:has-text('no answer within 10 s')", timeout=PATIENCE_MS)
        _shoot(page, "stale", folder, whole=False)
    finally:
        os.kill(pid, signal.SIGCONT)
    page.wait_for_selector("#health.is-healthy", timeout=PATIENCE_MS)
    page.wait_for_selector("#age:has-text('updated')", timeout=PATIENCE_MS)
    assert page.locator("main.stale").count() == 0
    context.set_offline(True)
    page.wait_for_selector("#health.is-stale", timeout=PATIENCE_MS)
    page.wait_for_selector("#age:has-text('cannot be reached')", timeout=PATIENCE_MS)
    context.set_offline(False)
    page.wait_for_selector("#health.is-healthy", timeout=PATIENCE_MS)
    context.close()


def test_many_tabs_read_once_a_beat_and_who_must_wait_says_so(browser, tmp_path):
    with _running(tmp_path, "moving", ARB_API__REQUESTS_PER_MINUTE="120") as (address, _, _):
        tabs, asked, refused = [], [], []
        for _ in range(4):
            page = browser.new_context().new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.on("response", lambda answer: refused.append(answer.status))
            _enter(page, address)
            tabs.append(page)
        del asked[:]
        began = time.monotonic()
        while time.monotonic() - began < 20:
            tabs[0].wait_for_timeout(500)
        seconds = time.monotonic() - began
        reads = [url for url in asked if "/api/v1/" in url]
        assert {url.rpartition("/api/v1")[2] for url in reads} <= {"/overview", "/stream/ticket"}
        assert len(reads) <= len(tabs) * (seconds / 2 + 2)
        # Far more is asked for than may be: what is refused is said, and its age goes on.
        for page in tabs:
            page.evaluate(
                "setInterval(() => { for (let n = 0; n < 20; n++) get('/bot/status').catch(() => 0); }, 500)"
            )
        tabs[0].wait_for_selector("#age.bad:has-text('too many requests')", timeout=PATIENCE_MS)
        assert 429 in refused
        tabs[0].wait_for_selector("#health.is-stale", timeout=PATIENCE_MS)
        for page in tabs:
            page.context.close()


def test_who_may_only_look_is_offered_no_command(browser, running):
    address, env, folder = running
    made = arb("api", "token", "viewer", "--role", "read", env=env, cwd=folder)
    page = browser.new_context().new_page()
    page.goto(address + "/")
    page.fill("#token", made.stdout.strip())
    page.keyboard.press("Enter")
    page.wait_for_selector("#health.is-healthy", timeout=PATIENCE_MS)
    why = "needs the role operate; the token viewer has the role read"
    for name in ("pause", "resume", "halt"):
        assert page.is_disabled(f"#{name}")
        assert page.get_attribute(f"#{name}", "title") == why
    page.wait_for_selector("#bots tbody button", timeout=PATIENCE_MS)
    assert page.locator("#bots tbody button:not([disabled])").count() == 0
    assert page.locator("#bots tbody button").first.get_attribute("title") == why
    page.context.close()


SEEN = "the contract refuses: <img src=x onerror=alert(1)>"


async def _stop(url, account, *venues):
    """As if a trade at each venue had come to something else than was proved."""
    ledger = await open_ledger(url, account)
    for venue in venues:
        found = Contradiction(
            key=f"refused/{venue}",
            venue=venue,
            kind=Kind.EXCLUSIVE_NO,
            about="57cc4279b1f971ea",
            believed="be $80 by convert",
            seen=SEEN,
            at=NOON,
        )
        await ledger.contradict(found)
    await ledger.close()


def test_a_stopped_kind_is_seen_where_since_when_and_why(browser, running):
    address, env, folder = running
    env = env | {"ARB_API__PORT": address.rpartition(":")[2]}
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page = context.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    _enter(page, address)
    page.wait_for_selector("#stopped", state="hidden")
    assert "stopped" not in page.inner_text("header")

    url = env["ARB_DATABASE__URL"]
    with ThreadPoolExecutor() as thread:  # the browser has the loop of this one
        thread.submit(asyncio.run, _stop(url, "paper:default", "polymarket", "elsewhere")).result()
    rows = "#contradictions tbody tr"
    page.wait_for_selector(f"{rows} >> nth=1", timeout=PATIENCE_MS)
    row = page.locator(rows, has_text="--venue polymarket")
    cells = [cell.inner_text() for cell in row.locator("td").all()]
    since = page.evaluate("at => new Date(at).toLocaleString('en-GB')", NOON.isoformat())
    assert cells == [
        "negrisk no", "polymarket", since, "57cc4279…71ea", "be $80 by convert", SEEN,
        "arb resume --kind negrisk_no --venue polymarket",
    ]  # fmt: skip
    why = page.inner_text("#why")
    assert why == "stopped: negrisk no at elsewhere, negrisk no at polymarket"
    page.wait_for_selector("#health.is-healthy")  # other kinds go on
    _shoot(page, "stopped-light", folder, whole=False)
    page.emulate_media(color_scheme="dark")
    _shoot(page, "stopped-dark", folder, whole=False)
    page.set_viewport_size({"width": 320, "height": 640})
    page.evaluate("scrollTo(0, document.querySelector('#stopped').offsetTop)")
    _shoot(page, "stopped-phone", folder, whole=False)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    row.locator("button").click()
    page.wait_for_selector("#detail[open]")
    page.click("#detail-close")

    # What the page says ends it is typed as it stands there, and ends that one alone.
    top = arb("top", "--once", env=env, cwd=folder)
    assert "negrisk_no at elsewhere is stopped" in " ".join(top.stdout.split())
    typed = row.locator("code").inner_text().split()[1:]
    done = arb(*typed, env=env, cwd=folder)
    assert done.stdout == "negrisk_no is traded again at polymarket.\n", done.stderr
    row.wait_for(state="detached", timeout=PATIENCE_MS)
    assert page.locator(rows).count() == 1
    done = arb("resume", "--kind", "negrisk_no", env=env, cwd=folder)
    assert done.stdout == "negrisk_no is traded again at elsewhere.\n", done.stderr
    page.wait_for_selector("#stopped", state="hidden", timeout=PATIENCE_MS)
    assert wrong == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_small_phone_and_obeys_the_keyboard(browser, running, scheme):
    address, _, folder = running
    context = browser.new_context(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page = context.new_page()
    _enter(page, address)
    page.wait_for_selector("#opportunities tbody tr", timeout=PATIENCE_MS)
    page.wait_for_selector("#plans tbody tr", timeout=PATIENCE_MS)
    page.wait_for_selector("#bots tbody tr", timeout=PATIENCE_MS)
    _shoot(page, f"phone-{scheme}", folder)
    _shoot(page, "phone", folder, whole=False, kept=scheme == "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    reached = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
        outlined = page.evaluate(
            "document.activeElement === document.body || "
            "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
        )
        assert outlined, reached
    assert {"pause", "halt", "small"} <= reached
    page.focus("#halt")
    page.keyboard.press("Enter")
    page.wait_for_selector("#confirm[open]")
    assert page.evaluate("document.activeElement.id") == "reason"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "halt"
    context.close()


def test_the_shell_talks_to_the_running_orchestrator(running):
    address, env, folder = running
    env = env | {"ARB_API__PORT": address.rpartition(":")[2]}

    def said(*args):
        done = arb(*args, env=env, cwd=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "sent to the running orchestrator" in said("pause", "--reason", "tea")
    status = json.loads(said("status", "--json"))
    assert status["orchestrator"]["health"]["status"] == "paused"
    assert "sent to the running orchestrator" in said("resume")
    assert "Errors forgotten" in said("reset-errors")
    top = said("top", "--once")
    assert "orchestrator is healthy" in top
    assert "Trading is paused: tea" in top
    assert "halted" in said("halt")
    lines = [
        json.loads(line) for line in (folder / "data" / "api-audit.jsonl").read_text().splitlines()
    ]
    assert [line["action"] for line in lines if line["step"] == "done"] == [
        "pause", "resume", "reset-errors", "halt",
    ]  # fmt: skip
    assert "whole" in said("api", "audit")


def test_this_machines_browser_needs_no_token_where_that_is_set(browser, tmp_path):
    with _running(tmp_path, "moving", ARB_API__OPEN_ON_LOOPBACK="true") as (address, _, _):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address + "/")
        page.wait_for_selector("#health.is-healthy", timeout=PATIENCE_MS)
        page.wait_for_selector("#opportunities tr", state="attached", timeout=PATIENCE_MS)
        assert not page.locator("#sign-in").is_visible()
        assert not page.locator("#leave").is_visible()  # nothing is kept that could be forgotten
        page.close()


def test_cash_is_shown_by_venue_where_there_are_several(browser, tmp_path):
    world = tmp_path / "toy.json"
    world.write_text(json.dumps({"events": [], "silent": 0}))
    toy = {
        "PYTHONPATH": str(ROOT / "tests" / "stranger"),
        "ARB_VENUES__ENABLED": '["polymarket", "toy"]',
        "ARB_VENUES__TOY__FILE": str(world),
    }
    with _running(tmp_path, "moving", **toy) as (address, _, folder):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        _enter(page, address)
        page.wait_for_selector("#tiles .tile:has-text('Cash at toy')", timeout=PATIENCE_MS)
        shown = page.locator("#tiles .tile:has-text('Cash at toy') .figure").inner_text()
        assert "10,000" in shown.replace("\u202f", ",")
        assert page.locator("#tiles .tile:has-text('Cash at polymarket')").count() == 1
        _shoot(page, "pockets", folder)
        page.close()
