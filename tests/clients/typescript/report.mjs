// Runs calls one after another and prints what each gave, as JSON, for the tests that ask.

import { readFileSync } from "node:fs";

export const facts = JSON.parse(readFileSync(process.argv[2], "utf8"));

const plain = (_key, value) => (typeof value === "bigint" ? value.toString() : value);

export async function report(operations, calls, client) {
  const answers = {};
  for (const [name, call] of Object.entries(calls)) {
    try {
      answers[name] = { value: (await call(client, facts, answers)) ?? null };
    } catch (error) {
      answers[name] = { error: String(error?.stack ?? error).slice(0, 2000) };
    }
  }
  const text = JSON.stringify({ operations, answers }, plain);
  await new Promise((written) => process.stdout.write(text, written));
}

// All items of a paginator of the unified client.
export async function items(paginator) {
  const found = [];
  for await (const page of paginator) found.push(...page.items);
  return found;
}
