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

let lab: PageLab;

beforeAll(async () => {
  lab = await PageLab.start();
});

afterAll(async () => {
  await lab.stop();
});

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function traceInNode(text: string, file: string, seed: string): Promise<string> {
  const scenario = parseScenario(text, file);
  const parts: BlobPart[] = [];
  const sink = new JsonLinesSink(traceHeader(scenario, "full", seed), (part) => parts.push(part as BlobPart));
  runScenario(scenario, { parts: LINUX_PARTS, seed, traceLevel: "full", sinks: [sink] });
  sink.flush();
  return new Blob(parts).text();
}

test("there are scenarios to look at", () => {
  expect(NAMES.length).toBeGreaterThan(10);
});

test("every scenario of the gallery, with two seeds", async () => {
  const { page, complaints } = await lab.open();
  const worker = readdirSync(join(DIST, "assets")).find((name) => /^worker-.*\.js$/.test(name)) ?? "";
  const seeds = ["1", "another seed"];
  const different: string[] = [];
  for (const name of NAMES) {
    const text = readFileSync(join(SCENARIOS, name), "utf8");
    for (const seed of seeds) {
      const trace = await page.evaluate(
        async ([url, source, file, withSeed]) => {
          // The page's own worker, spoken to as the page does.
          const simulator = new Worker(url, { type: "module" });
          const answer = (message: ToWorker, type: FromWorker["type"]) =>
            new Promise<FromWorker>((resolve, reject) => {
              simulator.onmessage = ({ data }: MessageEvent<FromWorker>) => {
                if (data.type === type) resolve(data);
                if (data.type === "failed") reject(new Error(data.failure.message));
              };
              simulator.postMessage(message);
            });
          const opened = await answer({ type: "open", call: 1, source: { kind: "scenario", file, text: source, seed: withSeed, inputs: [] } }, "opened");
          const session = opened.type === "opened" ? opened.info.id : 0;
          const value = await answer({ type: "ask", call: 2, session, name: "traceFile", args: undefined }, "answer");
          const written = value.type === "answer" ? await (value.value as Blob).text() : "";
          simulator.terminate();
          return written;
        },
        [`./assets/${worker}`, text, name, seed] as const,
      );
      if (sha256(trace) !== sha256(await traceInNode(text, name, seed))) different.push(`${name} with seed ${seed}`);
    }
  }
  expect(different).toEqual([]);
  expect(complaints).toEqual([]);
});
