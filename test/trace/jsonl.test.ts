/**
 * The public form of a trace: written and read back it is the same, byte for byte, frames included; what cannot be read is refused by line.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { concatBytes } from "../../src/base/bytes.ts";
import { LINUX_PARTS } from "../../src/scenario/linux-parts.ts";
import { ScenarioRun } from "../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../src/scenario/scenario-file.ts";
import { traceHeader } from "../../src/scenario/trace-header.ts";
import type { TraceEvent } from "../../src/trace/events.ts";
import { JsonLinesReader, JsonLinesSink, readTrace, TraceReadError } from "../../src/trace/jsonl.ts";
import { headerLine } from "../../src/trace/trace-header.ts";
import { MemorySink } from "../../src/trace/tracer.ts";
import { encodeEthernet } from "../../src/wire/ethernet.ts";
import { ROOT, SCENARIO_FILES } from "../helpers/traced-run.ts";

function traceOf(file: string): { readonly text: string; readonly events: readonly TraceEvent[] } {
  const scenario = parseScenario(readFileSync(join(ROOT, file), "utf8"), file);
  const pieces: Uint8Array[] = [];
  const lines = new JsonLinesSink(traceHeader(scenario, "full"), (piece) => pieces.push(piece));
  const memory = new MemorySink();
  new ScenarioRun(scenario, { parts: LINUX_PARTS, traceLevel: "full", sinks: [memory, lines] }).run();
  lines.flush();
  return { text: new TextDecoder().decode(concatBytes(pieces)), events: memory.events };
}

describe.each(SCENARIO_FILES)("%s", (file) => {
  let run: ReturnType<typeof traceOf>;

  beforeAll(() => {
    run = traceOf(file);
  });

  test("written, read and written again", () => {
    const { text, events } = run;
    const read = readTrace(text);
    expect(read.events.length).toBe(events.length);
    const again: Uint8Array[] = [];
    const sink = new JsonLinesSink(read.header, (piece) => again.push(piece));
    for (const event of read.events) sink.write(event);
    sink.flush();
    expect(new TextDecoder().decode(concatBytes(again)) === text).toBe(true);
    const changed = events.filter((event, i) => {
      const other = read.events[i] as TraceEvent;
      return event.kind === "frame-sent" && (other.kind !== "frame-sent" || Buffer.compare(encodeEthernet(other.frame), encodeEthernet(event.frame)) !== 0);
    });
    expect(changed).toEqual([]);
  });

  test("everything that happens to a packet has a cause", () => {
    const { events } = run;
    expect(events.filter(({ id, cause }) => cause >= id)).toEqual([]);
    const ofPackets = events.filter(({ kind }) => /^(packet-|frame-|scheduled|netfilter|route|arp-|neighbour|tcp-|ipvs-)/.test(kind));
    // Connections of a workload open by themselves: they begin chains of their own.
    const isChainBegun = (event: TraceEvent): boolean => file.includes("workload") && /^(tcp-|route|frame-sent|neighbour)/.test(event.kind);
    expect(ofPackets.filter((event) => event.cause === 0 && !isChainBegun(event)).map(({ id, kind, host, timeNs }) => ({ id, kind, host, timeNs }))).toEqual([]);
  });
});

describe("what cannot be read", () => {
  const header = headerLine({ level: "full", title: "", seed: "1", hosts: [], links: [], scenario: null });
  const refusal = (text: string): string => {
    try {
      readTrace(text);
    } catch (error) {
      if (error instanceof TraceReadError) return `${error.line}: ${error.message}`;
      throw error;
    }
    return "";
  };

  test.each([
    ["", "1: the trace is empty"],
    ["hosts:\n", "1: this is no trace: its first line"],
    ['{"a":1}\n', "1: this is no trace: the first line does not say"],
    [header.replace('"version":1', '"version":9'), "1: the trace has version 9, this program reads version 1"],
    [`${header}\n{"id":1,`, "2: the line is no JSON"],
    [`${header}\n{"id":1,"timeNs":0,"kind":"nonsense","host":"a","cause":0}`, '2: records of kind "nonsense" are not known'],
    [`${header}\n{"id":1,"timeNs":0,"kind":"frame-received","host":"a","cause":0,"device":"eth0","frame":7}`, "2: `frame` names record 7, which is not there"],
    [`${header}\n{"id":1,"timeNs":0,"kind":"frame-sent","host":"a","cause":0,"device":"eth0","frame":{"src":"x"}}`, "2: `raw` is missing"],
  ])("%#", (text, expected) => {
    expect(refusal(text)).toContain(expected);
  });

  test("pieces may be cut anywhere", () => {
    const { text, events } = traceOf("scenarios/selftest/ipvs-dr.yaml");
    const read: TraceEvent[] = [];
    const reader = new JsonLinesReader((event) => read.push(event));
    for (let at = 0; at < text.length; at += 997) reader.push(text.slice(at, at + 997));
    reader.end();
    expect(read.length).toBe(events.length);
  });
});
