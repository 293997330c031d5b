/**
 * Same scenario, same seed: the trace in Chromium is byte for byte the one in Node.
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LINUX_PARTS } from "../../src/scenario/linux-parts.ts";
import { runScenario } from "../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../src/scenario/scenario-file.ts";
import { traceHeader } from "../../src/scenario/trace-header.ts";
import { JsonLinesSink } from "../../src/trace/jsonl.ts";
import type { FromWorker, ToWorker } from "../../viz/src/engine/protocol.ts";
import { DIST, PageLab, SCENARIOS } from "./browser.ts";

const NAMES = readdirSync(SCENARIOS, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".yaml"))
  .sort();

/** Well over a hundred runs, twice. */
const RUNS_MS_MAX = 600_000;

let lab: PageLab;

beforeAll(async () => {
  lab = await PageLab.start();
});

afterAll(async () => {
  await lab.stop();
});

function hashInNode(text: string, file: string, seed: string): string {
  const scenario = parseScenario(text, file);
  const hash = createHash("sha256");
  const sink = new JsonLinesSink(traceHeader(scenario, "full", seed), (part) => hash.update(part));
  runScenario(scenario, { parts: LINUX_PARTS, seed, traceLevel: "full", sinks: [sink] });
  sink.flush();
  return hash.digest("hex");
}

test("there are scenarios to look at", () => {
  expect(NAMES.length).toBeGreaterThan(10);
});

test("every scenario of the gallery; the documents with two seeds", async () => {
  const { page, complaints } = await lab.open();
  const worker = readdirSync(join(DIST, "assets")).find((name) => /^worker-.*\.js$/.test(name)) ?? "";
  // One worker for all of them, the page's own, spoken to as the page does.
  await page.evaluate((url) => {
    const simulator = new Worker(url, { type: "module" });
    const answer = (message: ToWorker, type: FromWorker["type"]) =>
      new Promise<FromWorker>((resolve, reject) => {
        simulator.onmessage = ({ data }: MessageEvent<FromWorker>) => {
          if (data.type === type) resolve(data);
          if (data.type === "failed") reject(new Error(data.failure.message));
        };
        simulator.postMessage(message);
      });
    const hashOfTrace = async (file: string, text: string, seed: string) => {
      const opened = await answer({ type: "open", call: 1, source: { kind: "scenario", file, text, seed, inputs: [] } }, "opened");
      const session = opened.type === "opened" ? opened.info.id : 0;
      const value = await answer({ type: "ask", call: 2, session, name: "traceFile", args: undefined }, "answer");
      simulator.postMessage({ type: "close", session } satisfies ToWorker);
      const bytes = value.type === "answer" ? await (value.value as Blob).arrayBuffer() : new ArrayBuffer(0);
      return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    };
    Object.assign(globalThis, { hashOfTrace });
  }, `./assets/${worker}`);
  const different: string[] = [];
  for (const name of NAMES) {
    const text = readFileSync(join(SCENARIOS, name), "utf8");
    for (const seed of name.startsWith("documents/") ? ["1", "another seed"] : ["1"]) {
      // Both at the same time.
      const inBrowser = page.evaluate(
        ([file, source, withSeed]) => (globalThis as unknown as { hashOfTrace(...of: string[]): Promise<string> }).hashOfTrace(file, source, withSeed),
        [name, text, seed] as const,
      );
      const inNode = hashInNode(text, name, seed);
      if ((await inBrowser) !== inNode) different.push(`${name} with seed ${seed}`);
    }
  }
  expect(different).toEqual([]);
  expect(complaints).toEqual([]);
}, RUNS_MS_MAX);
