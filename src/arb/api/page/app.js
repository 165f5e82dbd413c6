"use strict";
// The page asks the API and listens to its stream. Every text goes in as text, never as markup.

const API = "/api/v1";
const KEY = "arb-token";
const SVG = "http://www.w3.org/2000/svg";
const MARKS = { stale: "?", healthy: "✓", degraded: "▲", unhealthy: "✕", paused: "❚❚", stopped: "■", halted: "■" };
const REFRESH_MS = 2000;   // the page reads no more often than this
const BEAT_MS = 10000;     // … and at least this often, while the tab is visible
const HIDDEN_MS = 30000;   // in a hidden tab
const ANSWER_MS = 10000;
const BEATS_STALE = 3;     // this many failed reads in a row make what is shown stale
const LATEST = 20;
const KEPT = 50;

const $ = (id) => document.getElementById(id);
const state = { status: null, health: null, opportunities: [], quality: [], seq: 0, socket: null, wait: 1000, due: 0, timer: null, next: 0, reading: false, again: false, last: null,
  read: 0, every: BEAT_MS, cycleAge: null, you: null, error: "", patience: 0, connected: false };

function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "class") node.className = value;
    else if (name === "onclick") node.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined).map((child) => child instanceof Node ? child : String(child)));
  return node;
}

function s(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

const put = (id, ...children) => $(id).replaceChildren(...children.filter((child) => child !== null && child !== undefined));
const empty = (text) => h("p", { class: "empty" }, text);
const words = (name) => String(name).replaceAll("_", " ");
const short = (id) => id.length > 15 ? id.slice(0, 8) + "…" + id.slice(-4) : id;

function money(text, digits = 2) {
  const value = Number(text);
  if (text === null || text === undefined || !Number.isFinite(value)) return "–";
  const sign = value < 0 ? "−" : "";
  return sign + "$" + Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function clock(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? String(text) : at.toLocaleTimeString("en-GB");
}

class Denied extends Error {}

async function call(method, path, body) {
  const token = sessionStorage.getItem(KEY);
  const options = { method, headers: token ? { authorization: "Bearer " + token } : {}, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try { answer = await fetch(API + path, options); } catch (error) { throw new Error(error.name === "TimeoutError" ? "no answer within " + ANSWER_MS / 1000 + " s" : "the orchestrator cannot be reached"); }
  const document_ = await answer.json().catch(() => ({}));
  if (answer.ok) return document_;
  const message = document_.error ? document_.error.message : "the API responded with " + answer.status;
  if (answer.status === 401) throw new Denied(message);
  const refused = new Error(message);
  if (answer.status === 429) refused.wait = 1000 * (Number(answer.headers.get("retry-after")) || 1);
  throw refused;
}

const get = (path) => call("GET", path);

// ── Tables ───────────────────────────────────────────────────────────────────────────────────

function table(columns, rows, open) {
  const head = columns.map((column) => h("th", { class: column.num ? "num" : "", scope: "col" }, column.name));
  const body = rows.map((row) => {
    const cells = columns.map((column, place) => {
      const value = column.cell(row);
      const shown = open && place === 0 ? h("button", { type: "button", class: "link", onclick: (event) => { event.stopPropagation(); open(row); } }, value) : value;
      return h("td", { class: column.num ? "num" : "", "data-label": column.name }, shown);
    });
    return h("tr", { class: (open ? "open" : "") + (row.fresh ? " new" : ""), onclick: open ? () => open(row) : null, "data-id": row.id }, cells);
  });
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}

// Redrawing must not take the focus of a keyboard user, nor the row from under
// a finger that is on its way down: what is unchanged stays, and a pressed pointer is waited for.
function redraw(id, node) {
  const holder = $(id);
  if (holder.firstChild && holder.firstChild.isEqualNode(node)) return;
  if (state.pressed) { setTimeout(() => redraw(id, node), 150); return; }
  const row = holder.contains(document.activeElement) ? document.activeElement.closest("tr") : null;
  const top = holder.firstChild ? holder.firstChild.scrollTop : 0;
  holder.replaceChildren(node);
  node.scrollTop = top;
  if (row) {
    const again = [...holder.querySelectorAll("tr")].find((one) => one.dataset.id === row.dataset.id);
    if (again && again.querySelector("button")) again.querySelector("button").focus({ preventScroll: true });
  }
}

function verdict(decision, reason, times = 1) {
  if (decision === "approved") return h("span", { class: "verdict yes" }, "✓ approved");
  return h("span", { class: "verdict no" }, "– " + words(reason || decision) + (times > 1 ? " ×" + times : ""));
}

const PLAN_MARKS = { open: ["…", ""], held: ["✓", "yes"], done: ["✓", "yes"], unwound: ["✕", "bad"] };
// Filled and waiting for its resolution, a plan is held.
function planState(row) {
  const value = row.state === "done" && Number(row.locked) > 0 ? "held" : row.state;
  const [mark, kind] = PLAN_MARKS[value] || ["", ""];
  return h("span", { class: "verdict " + kind }, mark + " " + value);
}

function percent(row) {
  const paid = Number(row.cost) + Number(row.fees);
  return paid > 0 ? (100 * Number(row.profit) / paid).toFixed(2) + " %" : "–";
}

// An edge that is refused in every cycle for the same reason is one row that counts.
function collapsed(all) {
  const before = new Map(), rows = [];
  for (const one of all) {
    const key = one.decision === "approved" ? one.id : [one.event, one.kind, one.reason].join(" ");
    const row = before.get(key);
    if (row) row.times += 1;
    else { before.set(key, { ...one, times: 1 }); rows.push(before.get(key)); }
  }
  return rows;
}

function drawOpportunities() {
  const rows = collapsed(state.opportunities).slice(0, KEPT);
  redraw("opportunities", rows.length ? table([
    { name: "Event", cell: (r) => r.title || r.event },
    { name: "Kind", cell: (r) => words(r.kind) },
    { name: "Cycle", num: true, cell: (r) => r.cycle },
    { name: "Size", num: true, cell: (r) => r.size ?? "–" },
    { name: "Paid", num: true, cell: (r) => money(Number(r.cost) + Number(r.fees)) },
    { name: "Profit", num: true, cell: (r) => money(r.profit) },
    { name: "Of paid", num: true, cell: percent },
    { name: "Exit", cell: (r) => r.exit || "–" },
    { name: "Decision", cell: (r) => verdict(r.decision, r.reason, r.times) },
  ], rows, (row) => certificate(row.id)) : empty("None yet. Real edges after fees are rare; the funnel shows how far candidates come."));
  for (const one of state.opportunities) one.fresh = false;
}

// What an operator has to look at before its kind is traded again; hidden where nothing is stopped.
function drawStopped(rows) {
  const whole = (text) => h("span", { class: "whole" }, text);
  $("stopped").hidden = rows.length === 0;
  redraw("contradictions", table([
    { name: "Kind", cell: (r) => whole(words(r.kind)) },
    { name: "Venue", cell: (r) => whole(r.venue) },
    { name: "Since", cell: (r) => new Date(r.at).toLocaleString("en-GB") },
    { name: "Plan", cell: (r) => h("button", { type: "button", class: "link whole", onclick: () => planDetail(r.plan) }, short(r.plan)) },
    { name: "It was to", cell: (r) => r.believed },
    { name: "Seen instead", cell: (r) => r.seen },
    { name: "Ends it", cell: (r) => h("code", {}, r.command) },
  ], rows.map((row) => ({ ...row, id: [row.kind, row.venue, row.plan, row.at].join(" ") }))));
}

// The same in a line, beside the state of trading: each kind once.
function stops(rows) {
  const named = [...new Set(rows.map((row) => words(row.kind) + " at " + row.venue))];
  return named.length ? ["stopped: " + named.join(", ")] : [];
}

function drawPlans(rows) {
  redraw("plans", rows.length ? table([
    { name: "Event", cell: (r) => r.event },
    { name: "State", cell: (r) => planState(r) },
    { name: "Paid", num: true, cell: (r) => money(r.outlay) },
    { name: "Realised", num: true, cell: (r) => r.state === "open" ? "–" : money(r.realised) },
    { name: "Locked", num: true, cell: (r) => money(r.locked) },
    { name: "Begun", cell: (r) => clock(r.approved_at) },
  ], rows, (row) => planDetail(row.id)) : empty("No plan yet."));
}

const day = (text) => text ? new Date(text).toLocaleDateString("en-GB") : "–";

// By plan: what it has bound, what it pays at least, and when its markets close.
function drawPositions(rows) {
  const plans = new Map(rows.filter((row) => row.plan_paid !== null).map((row) => [row.plan, row]));
  redraw("positions", rows.length ? h("div", {},
    plans.size ? table([
      { name: "Held plan", cell: (r) => r.event },
      { name: "Paid", num: true, cell: (r) => money(r.plan_paid) },
      { name: "Pays at least", num: true, cell: (r) => money(r.plan_pays) },
      { name: "Profit then", num: true, cell: (r) => money(r.plan_profit) },
      { name: "Closes", cell: (r) => day(r.closes_at) },
    ], [...plans.values()].map((row) => ({ ...row, id: row.plan })), (row) => planDetail(row.id)) : null,
    table([
      { name: "Market", cell: (r) => r.slug || short(r.market) },
      { name: "Outcome", cell: (r) => r.outcome || short(r.token) },
      { name: "Shares", num: true, cell: (r) => r.shares },
      { name: "Cost", num: true, cell: (r) => money(r.cost) },
    ], rows.map((row) => ({ ...row, id: row.token })))) : empty("Nothing is held."));
}

const UNSENT = {
  no_channel: "not sent: no channel is set", below_level: "not sent: below the level that is sent", repeated: "not sent: sent before",
  quiet_hours: "waits for the end of the quiet hours", too_many: "not sent: too many within the hour",
};

function fate(alert) {
  const went = alert.channels.map((one) => one.state + " " + (one.state === "sent" ? "to " : "") + one.channel + (one.detail ? " (" + one.detail + ")" : ""));
  const again = alert.again ? ["came again ×" + alert.again + ", last at " + clock(alert.last_at)] : [];
  return [went.join(", ") || UNSENT[alert.verdict] || alert.verdict, ...again].join("; ");
}

function drawAlerts(rows) {
  redraw("alerts", rows.length ? h("ul", { class: "list" }, rows.map((row) => h("li", {},
    h("time", { datetime: row.at }, clock(row.at)), h("span", { class: "level " + row.level }, row.level.toUpperCase()), row.ended_at ? [h("s", {}, row.text), " ended " + clock(row.ended_at)] : row.text,
    h("div", { class: "fate" }, fate(row))))) : empty("No alert since the start."));
}

function drawQuality() {
  const rows = state.quality;
  const about = (row) => (row.detail.startsWith(row.market) ? "" : row.market + ": ") + row.detail;
  redraw("quality", rows.length ? h("ul", { class: "list" }, rows.map((row) => h("li", {}, h("strong", {}, words(row.problem)), row.times > 1 ? " ×" + row.times + " " : " ", about(row)))) : empty("The venue's data has not contradicted itself."));
}

const BOT_MARKS = { running: ["✓", "yes"], restarting: ["▲", "warn"], stopped: ["■", ""], failed: ["✕", "bad"], gone: ["✕", "bad"], unknown: ["?", "warn"], script: ["–", ""] };

function botState(row) {
  const [mark, kind] = BOT_MARKS[row.status] || ["?", ""];
  return h("span", { class: "verdict " + kind }, mark + " " + (row.gave_up ? "gave up" : row.status) + (row.off_routes ? ", off its routes" : ""));
}

function botCommand(row) {
  if (row.status === "script") return "run once for each command";
  const name = row.is_running || row.status === "restarting" ? "stop" : "start";
  return h("button", { type: "button", class: "small", "aria-label": name + " " + row.bot_id, disabled: mayNot() !== "", title: mayNot() || null, onclick: () => ask(botCommands(row.bot_id)[name]) }, name === "stop" ? "■ Stop" : "▶ Start");
}

const botWork = (row) => row.work.map((one) => one.event || one.plan).join(", ") || (row.is_running ? "waits" : row.last_exit || "–");
const age = (seconds) => seconds === null ? "–" : seconds < 120 ? Math.round(seconds) + " s ago" : Math.round(seconds / 60) + " min ago";

function drawBots(rows) {
  redraw("bots", rows.length ? table([
    { name: "Bot", cell: (r) => r.name },
    { name: "State", cell: botState },
    { name: "At work on", cell: botWork },
    { name: "Agreed, of asked", num: true, cell: (r) => r.agreed + " of " + r.asked },
    { name: "Heartbeat", num: true, cell: (r) => r.is_running ? age(r.heartbeat_age_seconds) : "–" },
    { name: "Restarts", num: true, cell: (r) => r.status === "script" ? "–" : r.restarts + " of " + r.restarts_max },
    { name: "Process", num: true, cell: (r) => r.pid ?? "–" },
    { name: "Command", cell: botCommand },
  ], rows.map((row) => ({ ...row, id: row.bot_id }))) : empty("No bot is configured; config/bots.toml names them."));
}

// The venue's side: circuits, retries, the limiter, errors within the window.
function drawVenue(health) {
  const counts = new Map();
  for (const [name, count] of Object.entries(health.requests)) {
    const [what, place] = [name.slice(0, name.indexOf(":")), name.slice(name.indexOf(":") + 1)];
    counts.set(place, { ...counts.get(place), id: place, [what]: count });
  }
  const errors = Object.entries(health.error_counts).map(([where, count]) => words(where) + " " + count).join(", ");
  const circuits = Object.entries(health.circuits).map(([host, one]) => h("li", {}, h("span", { class: "verdict " + (one === "closed" ? "yes" : "bad") }, (one === "closed" ? "✓ " : "✕ ") + words(one)), " " + host));
  redraw("venue", h("div", {},
    facts([["Failed cycles in a row", health.consecutive_errors + ", pause at " + health.pause_after], ["Errors within " + Math.round(health.error_window_seconds / 60) + " min", errors || "none"],
      ["Last good cycle", health.last_successful_update ? clock(health.last_successful_update) : "–"]]),
    h("h3", {}, "Circuits"), circuits.length ? h("ul", { class: "list" }, circuits) : empty("No request was made yet."),
    counts.size ? table([
      { name: "Endpoint", cell: (r) => words(r.id) },
      { name: "Requests", num: true, cell: (r) => r.requests || 0 },
      { name: "Retries", num: true, cell: (r) => r.retries || 0 },
      { name: "Failures", num: true, cell: (r) => r.failures || 0 },
      { name: "Limiter", num: true, cell: (r) => ((r.waited_ms || 0) / 1000).toFixed(1) + " s" },
    ], [...counts.values()]) : null));
}

// ── Figures ──────────────────────────────────────────────────────────────────────────────────

function drawTiles(held) {
  const sums = held.statistics || {};
  const tiles = [
    ["Equity", money(held.equity)], ["Free cash", money(held.free)],
    ["Reserved", money(held.promised)], ["Locked", money(held.locked)],
    ["Profit realised", money(sums.total_profit)], ["Loss today", money(held.loss_today)],
    ["Volume today", money(held.volume_today)], ["Plans open or held", held.open_plans],
    ["Trades filled", sums.trades === undefined ? "–" : sums.successes + " of " + sums.trades],
  ];
  const pockets = Object.entries(held.pockets || {});
  if (pockets.length > 1) tiles.push(...pockets.map(([venue, pocket]) => ["Cash at " + venue, money(pocket.cash)]));
  put("tiles", ...tiles.map(([name, figure]) => h("div", { class: "tile" }, h("div", { class: "name" }, name), h("div", { class: "figure" }, figure))));
}

function bars(rows, show) {
  const most = Math.max(...rows.map(([, value]) => Math.abs(value)), 1e-9);
  return h("ul", { class: "bars" }, rows.map(([name, value]) => {
    const drawing = s("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
    drawing.append(s("rect", { class: "track", width: 100, height: 8 }), s("rect", { class: value < 0 ? "bar minus" : "bar", width: 100 * Math.abs(value) / most, height: 8 }));
    return h("li", {}, h("div", { class: "label" }, h("span", {}, words(name)), h("span", {}, show(value))), drawing);
  }));
}

function drawProfit(rows) {
  const ended = rows.filter((row) => row.state !== "open");
  const kinds = new Map();
  for (const row of ended) kinds.set(row.kind, (kinds.get(row.kind) || 0) + Number(row.realised));
  put("kinds", kinds.size ? bars([...kinds].sort((a, b) => b[1] - a[1]), (value) => money(value)) : empty("No plan has ended yet."));
  if (ended.length < 2) { put("profit", empty("Two ended plans make a line.")); return; }
  const wide = Math.max(240, Math.min(900, $("profit").clientWidth || 640));  // as drawn, so that words keep their size
  const [high, left, bottom, top] = [wide < 400 ? 170 : 220, 64, 24, 12];
  const stamp = (at) => wide < 400 ? clock(at) : new Date(at).toLocaleString("en-GB");
  let sum = 0;
  const points = ended.map((row) => [new Date(row.at).getTime(), sum += Number(row.realised)]);
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  const low = Math.min(0, ...points.map((p) => p[1])), peak = Math.max(0, ...points.map((p) => p[1]), low + 0.01);
  const x = (at) => left + (wide - left - 8) * (last > first ? (at - first) / (last - first) : 1);
  const y = (value) => top + (high - top - bottom) * (1 - (value - low) / (peak - low));
  let path = `M${x(first).toFixed(1)},${y(0).toFixed(1)}`;
  for (const [at, value] of points) path += ` H${x(at).toFixed(1)} V${y(value).toFixed(1)}`;
  const drawing = s("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `Realised profit of the last ${ended.length} ended plans: ${money(sum)}, between ${money(low)} and ${money(peak)}` });
  for (const value of [low, (low + peak) / 2, peak]) {
    drawing.append(s("line", { class: "axis", x1: left, x2: wide - 8, y1: y(value), y2: y(value) }), s("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, money(value)));
  }
  if (low < 0) drawing.append(s("line", { class: "zero", x1: left, x2: wide - 8, y1: y(0), y2: y(0) }));
  drawing.append(s("path", { class: "area", d: path + ` V${y(Math.max(low, 0)).toFixed(1)} H${x(first).toFixed(1)} Z` }), s("path", { class: "line", d: path }));
  drawing.append(s("text", { x: left, y: high - 6 }, stamp(first)), s("text", { x: wide - 8, y: high - 6, "text-anchor": "end" }, stamp(last)));
  put("profit", drawing);
}

function drawCycles(rows) {
  const counts = new Map();
  for (const row of rows) for (const [reason, count] of row.summary.reasons || []) counts.set(reason, (counts.get(reason) || 0) + count);
  put("reasons", counts.size ? bars([...counts].sort((a, b) => b[1] - a[1]).slice(0, 12), String) : empty("No candidate in the last cycles."));
  const funnel = rows.length ? rows[0].summary.funnel : null;
  put("funnel", funnel ? bars(Object.entries(funnel), String) : empty("No cycle has ended yet."));
}

// On paper, in an account of their own: no figure of it is in any other.
function drawSignals(account) {
  $("statistical").hidden = !account;
  if (!account) return;
  const why = account.reason ? " (" + account.reason + ")" : "";
  const line = "On paper, account " + account.account + ", " + account.state + why + ": cash " + money(account.cash) + ", held " + money(account.held) + ", worth " + money(account.worth) + ", realised " + money(account.realised) + ". Nothing of this is in the figures above.";
  const held = (r, name) => r.position ? r.position[name] : null;
  const rows = account.strategies.map((one) => ({ ...one, id: one.strategy_name + " " + one.symbol }));
  redraw("signals", h("div", {}, h("p", { class: "empty" }, line), rows.length ? table([
    { name: "Strategy", cell: (r) => r.strategy_name + (r.is_active ? "" : " (removed)") },
    { name: "Market", cell: (r) => r.symbol }, { name: "Bars", cell: (r) => r.timeframe || "–" },
    { name: "Signal", cell: (r) => r.signal ? r.signal + ": " + r.why : "none yet" },
    { name: "Shares", num: true, cell: (r) => held(r, "shares") || "–" },
    { name: "Paid", num: true, cell: (r) => held(r, "price_paid") || "–" },
    { name: "Bid", num: true, cell: (r) => held(r, "price") || "–" },
    { name: "Realised", num: true, cell: (r) => money(r.profit) },
    { name: "Open", num: true, cell: (r) => money(r.open_profit) },
    { name: "Look", cell: (r) => r.problem || r.followed || "–" },
  ], rows) : empty("No strategy looks. arb strategies add NAME MARKET adds one.")));
}

// Calculated at one block, in accounts of their own: no figure of them is in any other.
function drawAttempts(facts) {
  $("on-chain").hidden = !facts.length;
  if (!facts.length) return;
  const rows = facts.map((one) => ({ ...one, id: one.account + one.attempt + one.step + one.at }));
  redraw("attempts", table([
    { name: "Time", cell: (r) => r.at }, { name: "Account", cell: (r) => r.account },
    { name: "About", cell: (r) => r.subject }, { name: "Step", cell: (r) => r.step },
    { name: "Why", cell: (r) => r.detail || r.figures.refusal || "–" },
    { name: "Repays", num: true, cell: (r) => r.figures.repays_usd ? money(r.figures.repays_usd) : "–" },
    { name: "Would return", num: true, cell: (r) => r.figures.returns_usd ? money(r.figures.returns_usd) : "–" },
    { name: "Returned", num: true, cell: (r) => r.figures.returned_usd ? money(r.figures.returned_usd) : "–" },
  ], rows));
}

// ── State ────────────────────────────────────────────────────────────────────────────────────

function drawState() {
  const status = state.status, health = state.health;
  if (!status || !health) return;
  const pause = status.reason === "paused" || status.reason.startsWith("paused: ");
  const halted = status.paused && !pause && health.status !== "stopped";
  const old = staleness();
  const word = old ? "stale" : halted ? "halted" : health.status;
  const pill = $("health");
  pill.className = "pill is-" + word;
  pill.querySelector(".mark").textContent = MARKS[word] || "?";
  if (pill.querySelector(".word").textContent !== word) pill.querySelector(".word").textContent = word;
  const why = health.reasons.length ? health.reasons : status.state === "throttled" ? ["throttled: " + status.reason] : [];
  $("why").textContent = [...why, ...stops(status.contradictions)].join("; ");
  $("mode").textContent = status.paper_trading ? "paper" : "LIVE";
  const against = mayNot();
  for (const [name, off] of [["pause", status.paused || !status.running], ["resume", !status.paused], ["halt", status.paused && halted]]) {
    $(name).disabled = off || against !== "";
    $(name).title = against;
  }
  $("looking").textContent = "Strategies: " + (status.strategies.map((one) => words(one.name)).join(", ") || "none") + " · account " + status.account;
  document.title = word + " · arb";
  $("main").classList.toggle("stale", old);
  if (health.requests) drawVenue(health);
}

// Why this token may not give commands; empty: it may.
function mayNot() {
  const you = state.you;
  return you && you.role === "read" ? "needs the role operate; the token " + you.name + " has the role read" : "";
}

// What is shown is as old as the last answer that was read whole: a stream that is silent, or a
// socket that is open, says nothing about a process that is frozen.
function staleness() {
  const beat = document.hidden ? HIDDEN_MS : state.every;
  return state.read > 0 && Date.now() - state.read > BEATS_STALE * beat;
}

function drawAge() {
  const seconds = state.read ? Math.max(0, Math.round((Date.now() - state.read) / 1000)) : null;
  const old = staleness();
  const parts = [seconds === null ? "nothing read yet" : old ? "what is shown is " + span(seconds) + " old" : "updated " + span(seconds) + " ago"];
  if (state.cycleAge !== null) parts.push("last cycle ended " + span(Math.round(state.cycleAge + seconds)) + " ago");
  if (state.error) parts.push(state.error);
  else if (!state.connected && state.read) parts.push("no stream, polling instead");
  $("age").textContent = parts.join(" · ");
  $("age").className = old || state.error ? "age bad" : "age";
  if (old !== $("main").classList.contains("stale")) drawState();
}

const span = (seconds) => seconds < 120 ? seconds + " s" : seconds < 7200 ? Math.round(seconds / 60) + " min" : Math.round(seconds / 3600) + " h";

function drawStream(text) {
  const cycle = state.last ? " · cycle " + state.last.cycle + " took " + state.last.duration_ms + " ms" : "";
  $("stream").textContent = text + cycle;
}

async function refresh() {
  const all = await get("/overview");
  state.status = all.status; state.health = all.health; state.you = all.you; state.cycleAge = all.cycle_age_seconds;
  state.read = Date.now(); state.error = ""; state.patience = 0;
  state.every = Math.min(BEAT_MS, Math.max(REFRESH_MS, 1000 * all.interval_seconds));
  drawState(); drawAge(); drawStopped(all.status.contradictions);
  drawTiles(all.portfolio); drawPlans(all.plans); drawPositions(all.positions); drawProfit(all.profit); drawCycles(all.cycles); drawAlerts(all.alerts); drawBots(all.bots); drawSignals(all.signals); drawAttempts(all.attempts);
  if ($("detail").open && state.following) await planDetail(state.following);
}

// One read at a time, soon after news and at every beat; a requested wait is kept.
function refreshSoon(wait = 0) {
  if (document.hidden && wait < state.every) wait = HIDDEN_MS;
  const at = Math.max(Date.now() + wait, state.due);
  if (state.reading) { state.again = state.again || wait === 0; return; }
  if (state.timer && state.next <= at) return;
  clearTimeout(state.timer);
  state.next = at;
  state.timer = setTimeout(readNow, at - Date.now());
}

async function readNow() {
  clearTimeout(state.timer);
  state.timer = null;
  if (state.reading) return;
  state.reading = true; state.again = false;
  state.due = Date.now() + REFRESH_MS;
  try { await refresh(); } catch (error) { failed(error); } finally { state.reading = false; }
  refreshSoon(state.again && !state.patience ? 0 : Math.max(state.every, state.patience));
}

function failed(error) {
  if (error instanceof Denied) { signIn(sessionStorage.getItem(KEY) ? "This token is not accepted." : ""); return; }
  state.error = error.message;
  state.patience = error.wait ? Math.min(Math.max(error.wait, 2 * state.patience, REFRESH_MS), HIDDEN_MS) : 0;
  drawAge();
}

// ── The stream ───────────────────────────────────────────────────────────────────────────────

async function connect() {
  if (state.socket) { state.socket.onclose = null; state.socket.close(); state.socket = null; }
  let ticket;
  try { ticket = (await call("POST", "/stream/ticket")).ticket; } catch (error) { failed(error); if (!(error instanceof Denied)) again(); return; }
  const scheme = location.protocol === "https:" ? "wss://" : "ws://";
  const socket = new WebSocket(scheme + location.host + "/ws/arbitrage", ["arb.v1", "ticket." + ticket]);
  state.socket = socket;
  socket.onmessage = (event) => hear(JSON.parse(event.data));
  socket.onclose = () => { state.connected = false; drawStream("Not connected; trying again"); drawAge(); again(); };
}

function again() {
  setTimeout(connect, state.wait);
  state.wait = Math.min(state.wait * 2, 30000);
}

function hear(message) {
  if (message.type === "snapshot") {
    state.seq = message.seq; state.wait = 1000; state.connected = true;
    state.opportunities = message.data.opportunities;
    drawStream("Live"); drawOpportunities(); drawQuality(); refreshSoon();
    return;
  }
  if (message.seq !== state.seq + 1) { connect(); return; }
  state.seq = message.seq;
  const data = message.data;
  if (message.type === "opportunity") {
    state.opportunities = [{ ...data, fresh: true }, ...state.opportunities.filter((one) => one.id !== data.id)].slice(0, 2 * KEPT);
    if (!state.drawing) state.drawing = requestAnimationFrame(() => { state.drawing = null; drawOpportunities(); });
  } else if (message.type === "data_quality") {
    // The same in every cycle is one line that counts.
    const same = state.quality.find((one) => one.problem === data.problem && one.market === data.market);
    state.quality = [{ ...data, times: (same ? same.times : 0) + 1 }, ...state.quality.filter((one) => one !== same)].slice(0, LATEST);
    drawQuality();
  } else if (message.type === "cycle_ended") {
    state.last = data; drawStream("Live"); refreshSoon();
  } else if (["plan_started", "plan_ended", "paid_out", "plan_resolved", "bot", "trouble", "state", "contradiction", "kind_resumed", "signal", "attempt", "attempts_state", "cycle_failed"].includes(message.type)) refreshSoon();
}

// ── Dialogs ──────────────────────────────────────────────────────────────────────────────────

function signIn(message) {
  $("sign-in-error").textContent = message;
  if (!$("sign-in").open) $("sign-in").showModal();
  $("token").focus();
}

function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

const levels = (rows) => rows.length ? rows.map(([price, size]) => size + " @ " + price).join(", ") : "–";

const LEG_MARKS = { planned: ["·", ""], sent: ["…", ""], filled: ["✓", "yes"], partial: ["▲", "warn"], refused: ["✕", "bad"] };
function legState(leg) {
  const [mark, kind] = LEG_MARKS[leg.state] || ["?", ""];
  return h("span", { class: "verdict " + kind }, mark + " " + leg.state);
}

function legTable(legs) {
  return table([
    { name: "Market", cell: (r) => r.market || "–" },
    { name: "Buys", cell: (r) => r.outcome || "–" },
    { name: "Limit", num: true, cell: (r) => r.limit },
    { name: "Size", num: true, cell: (r) => r.size },
    { name: "Cost", num: true, cell: (r) => money(r.cost) },
    { name: "Fee", num: true, cell: (r) => money(r.fee, 4) },
    ...(legs.some((leg) => leg.state) ? [{ name: "Bought", num: true, cell: (r) => r.bought }, { name: "Sold", num: true, cell: (r) => r.sold }, { name: "State", cell: legState }] : []),
    ...(legs.some((leg) => leg.fills) ? [{ name: "Takes", cell: (r) => levels(r.fills || []) }] : []),
  ], legs);
}

function factTable(rows) {
  return rows.length ? [h("h3", {}, "What happened"), table([
    { name: "At", cell: (r) => clock(r[0]) }, { name: "Fact", cell: (r) => r[1] }, { name: "About", cell: (r) => r[2] },
  ], rows)] : [];
}

// A plan that is under way is followed: its dialog is drawn anew and stays where it is.
function showDetail(title, following, ...children) {
  const again = $("detail").open && following !== null && state.following === following;
  const top = again ? $("detail").scrollTop : 0;
  state.following = following;
  $("detail-title").textContent = title;
  put("detail-body", ...children.flat());
  if (!$("detail").open) $("detail").showModal();
  $("detail").scrollTop = top;
}

async function certificate(id) {
  let found;
  try { found = await get("/arbitrage/opportunities/" + encodeURIComponent(id)); } catch (error) { showDetail("Opportunity " + id, null, empty(error.message + " (it is recorded together with the cycle's findings)")); return; }
  const worst = Object.entries(found.worst_world || {});
  showDetail(found.title || found.event, null,
    facts([["Decision", verdict(found.decision, found.reason)], ["Kind", words(found.kind)], ["Profit in the worst world", money(found.profit)],
      ["Pays at least", money(found.payoff_worst)], ["Cost and fees", money(found.cost) + " + " + money(found.fees)], ["Cash is free", found.exit === "now" ? "at once" : "at resolution"],
      ["Seen", clock(found.at) + ", cycle " + found.cycle], ["Id", h("code", {}, found.id)]]),
    h("p", { class: "empty" }, found.meaning + (found.detail ? ": " + found.detail : "")),
    h("h3", {}, "Legs"), legTable(found.legs || []),
    h("h3", {}, "The worst world"), worst.length ? table([{ name: "Market", cell: (r) => r[0] }, { name: "Resolves to", cell: (r) => words(r[1]) }], worst) : empty("Not proved, so none was computed."),
    h("h3", {}, "Books at the time, best first"), table([
      { name: "Market", cell: (r) => r.market }, { name: "Outcome", cell: (r) => r.outcome },
      { name: "Bids", cell: (r) => levels(r.bids) }, { name: "Asks", cell: (r) => levels(r.asks) }], found.books || []),
    h("h3", {}, "Gates"), table([
      { name: "Passed", cell: (r) => h("span", { class: "verdict " + (r.passed ? "yes" : "bad") }, r.passed ? "✓ yes" : "✕ no") },
      { name: "Gate", cell: (r) => words(r.gate) }, { name: "Detail", cell: (r) => r.detail }], found.verdicts || []),
    factTable(found.facts || []));
}

async function planDetail(id) {
  let found;
  try { found = await get("/plans/" + encodeURIComponent(id)); } catch (error) { showDetail("Plan " + id, null, empty(error.message)); return; }
  showDetail("Plan: " + (found.title || found.event), found.state === "open" ? id : null,
    facts([["State", planState(found)], ["Kind", words(found.kind)], ["Paid", money(found.outlay)], ["Pays at least", money(found.payoff_worst)],
      ["Realised", money(found.realised)], ["Locked", money(found.locked)], ["Begun", clock(found.approved_at)], ["Ended", found.ended_at ? clock(found.ended_at) : "not yet"], ["Id", h("code", {}, found.id)]]),
    found.reason ? h("p", {}, found.reason) : null, found.alarm ? h("p", { class: "error" }, "Look at: " + found.alarm) : null,
    h("h3", {}, "Legs"), legTable(found.legs), factTable(found.facts));
}

const COMMANDS = {
  pause: ["Pause trading?", "No new plan is started; plans at work are completed, scanning goes on.", "Pause", "/bot/pause"],
  resume: ["Resume trading?", "New plans may start from the next cycle on; earlier failures are not held against it.", "Resume", "/bot/resume"],
  halt: ["Halt at once?", "Nothing more is sent, resting orders are cancelled. Plans at work wait as they are until you resume.", "Halt now", "/bot/halt"],
};

function botCommands(id) {
  const path = "/arbitrage/bots/" + encodeURIComponent(id);
  return {
    start: ["Start " + id + "?", "It gets a fresh budget of restarts; plans whose route names it are sent to it once it has a heartbeat.", "Start", path + "/start"],
    stop: ["Stop " + id + "?", "It is asked to exit, and killed after its grace period. Plans go to the next route that matches.", "Stop", path + "/stop"],
  };
}

function ask([title, text, yes, path]) {
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = text;
  $("confirm-yes").textContent = yes;
  $("confirm-yes").className = path === COMMANDS.halt[3] ? "primary danger" : "primary";
  $("confirm-error").textContent = "";
  $("reason").value = "";
  $("confirm-form").dataset.path = path;
  $("confirm").showModal();
  $("reason").focus();
}

$("confirm-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("confirm-yes").disabled = true;
  try {
    await call("POST", event.target.dataset.path, { reason: $("reason").value.trim() });
    $("confirm").close();
    state.due = 0;
    await readNow();
  } catch (error) {
    $("confirm-error").textContent = error.message;
  } finally { $("confirm-yes").disabled = false; }
});
$("confirm-no").addEventListener("click", () => $("confirm").close());
for (const name of Object.keys(COMMANDS)) $(name).addEventListener("click", () => ask(COMMANDS[name]));
addEventListener("pointerdown", () => { state.pressed = true; });
for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => setTimeout(() => { state.pressed = false; }, 50));
$("detail-close").addEventListener("click", () => $("detail").close());
$("sign-in").addEventListener("cancel", (event) => event.preventDefault());
$("sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("token").value.trim());
  try {
    await refresh();
  } catch (error) { $("sign-in-error").textContent = error instanceof Denied ? "This token is not accepted." : error.message; return; }
  $("token").value = "";
  $("sign-in").close();
  begin();
});
$("leave").addEventListener("click", () => { sessionStorage.removeItem(KEY); location.reload(); });

function begin() {
  $("leave").hidden = !sessionStorage.getItem(KEY);
  connect();
  refreshSoon();
  setInterval(drawAge, 1000);
  addEventListener("visibilitychange", () => { if (!document.hidden) { drawAge(); refreshSoon(); } });
}

// Where api.open_on_loopback is set, this machine's own browser needs no token.
if (sessionStorage.getItem(KEY)) begin();
else refresh().then(begin, (error) => signIn(error instanceof Denied ? "" : error.message));
