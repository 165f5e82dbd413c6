// A bot in JavaScript (Node.js 20, no packages): says yes to plans that earn enough.
//
// It holds no keys. It reads a command, answers with the orders that it wants sent, and is told
// later what became of them. The orchestrator signs, sends and writes down.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const NAME = process.env.ARB_BOT_NAME || "adom";
const COMM = process.env.ARB_BOT_FOLDER || "comm";
const LEAST_PROFIT_PERCENT = 1;
const HEARTBEAT_MS = 30_000;
const LOOK_MS = 100;

// Write to a temporary name, then rename: the reader never sees half a file.
function write(folder, kind, document) {
  const target = path.join(COMM, folder, `${NAME}_${kind}.json`);
  const temporary = path.join(COMM, folder, `.${NAME}_${kind}.json.${process.pid}.tmp`);
  const file = fs.openSync(temporary, "w", 0o600);
  fs.writeSync(file, JSON.stringify(document));
  fs.fsyncSync(file);
  fs.closeSync(file);
  fs.renameSync(temporary, target);
}

function heartbeat(status) {
  const timestamp = Date.now() / 1000;
  write("heartbeats", "heartbeat", { bot_name: NAME, status, timestamp, pid: process.pid });
}

// The command that waits, claimed by renaming it; null where there is none.
function nextCommand() {
  const waiting = path.join(COMM, "commands", `${NAME}_command.json`);
  const claimed = path.join(COMM, "commands", `.${NAME}_command.claimed.json`);
  try {
    fs.renameSync(waiting, claimed);
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
  const command = JSON.parse(fs.readFileSync(claimed, "utf8"));
  fs.unlinkSync(claimed);
  return command;
}

// Yes, every order as it was told, or no with a reason.
function decide(command) {
  const answer = { schema: 1, id: command.id, bot_name: NAME, timestamp: Date.now() / 1000 };
  if (Date.now() >= Date.parse(command.expires_at)) {
    return { ...answer, success: false, reason: "it came too late" };
  }
  const { profit, outlay } = command.opportunity;
  const percent = (100 * Number(profit)) / Number(outlay);
  if (!(percent >= LEAST_PROFIT_PERCENT)) {
    return { ...answer, success: false, reason: `${percent.toFixed(2)} % is too little` };
  }
  // Amounts are passed on as the texts that they came as: numbers would round them.
  const orders = command.orders.map(({ id, limit, shares }) => ({ id, price: limit, shares }));
  return { ...answer, success: true, orders };
}

function obey(command) {
  if (command.command === "execute_arbitrage") {
    const answer = decide(command);
    write("results", "result", answer);
    const word = answer.success ? "yes" : `no: ${answer.reason}`;
    console.log(`plan ${command.opportunity.plan}: ${word}`);
  } else if (command.command === "execution_result") {
    for (const ended of command.ended) {
      console.log(`${ended.order}: ${ended.state}, ${ended.shares} shares`);
    }
  }
}

function stop() {
  clearInterval(looking);
  clearInterval(beating);
  heartbeat("stopping");
  console.log(`${NAME} leaves`);
  process.exitCode = 0;
}

console.log(`${NAME} is up`);
heartbeat("running");
const beating = setInterval(() => heartbeat("running"), HEARTBEAT_MS);
const looking = setInterval(() => {
  const command = nextCommand();
  if (command !== null) obey(command);
}, LOOK_MS);
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
