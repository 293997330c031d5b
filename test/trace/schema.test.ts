/**
 * The JSON Schema and docs/TRACE.md: made from one description, true of every trace, complete, and strict.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { RECORDS, schemaText, TABLE_FIELDS, withDocParts } from "../../scripts/trace-format.ts";
import { TRACE_KINDS } from "../../src/trace/record-reader.ts";
import { TABLE_NAMES } from "../../src/trace/rows.ts";
import { ROOT, SCENARIO_FILES, tracedRun } from "../helpers/traced-run.ts";

const schema = JSON.parse(readFileSync(join(ROOT, "docs/trace.schema.json"), "utf8"));
const document = readFileSync(join(ROOT, "docs/TRACE.md"), "utf8");
const ajv = new Ajv2020({ strict: true, strictTypes: false, strictTuples: false, strictRequired: false });
const validate = ajv.compile(schema);

/** What the validator finds wrong with a line; empty: nothing. */
function faults(line: string): string {
  return validate(JSON.parse(line)) ? "" : ajv.errorsText(validate.errors);
}

describe("the schema holds for every line", () => {
  const kindsSeen = new Set<string>();

  test.each(SCENARIO_FILES)("%s", (file) => {
    const lines = tracedRun(file).text.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) {
      kindsSeen.add(/"kind":"([a-z-]+)"/.exec(line.slice(0, 80))?.[1] ?? "header");
      expect(`${line.slice(0, 200)} ${faults(line)}`).toBe(`${line.slice(0, 200)} `);
    }
  });

  test("which have had every kind of record", () => {
    expect([...kindsSeen].sort()).toEqual([...TRACE_KINDS, "header"].sort());
  });
});

describe("the description is complete", () => {
  const source = readFileSync(join(ROOT, "src/trace/events.ts"), "utf8");

  test("it has every kind", () => {
    expect(Object.keys(RECORDS).sort()).toEqual([...TRACE_KINDS].sort());
    expect([...source.matchAll(/^ {2}readonly kind: "([a-z-]+)";/gm)].map((match) => match[1]).sort()).toEqual(Object.keys(RECORDS).sort());
    for (const kind of TRACE_KINDS) expect(document).toContain(`\n#### ${kind}\n`);
  });

  test("and every field of each", () => {
    for (const [, name, kind, body] of source.matchAll(/^export interface (\w+) extends RecordBase \{\n {2}readonly kind: "([a-z-]+)";\n([\s\S]*?)^\}/gm)) {
      const fields = [...(body ?? "").matchAll(/^ {2}readonly (\w+)\??:/gm)].map((match) => match[1]).sort();
      expect({ name, fields }).toEqual({ name, fields: Object.keys(RECORDS[kind as string]?.fields ?? {}).sort() });
    }
  });

  test("every reason of a drop", () => {
    const reasons = /export type DropReason =([\s\S]*?);/.exec(source)?.[1] ?? "";
    expect(schema.$defs.reason.enum).toEqual([...reasons.matchAll(/"([A-Z_]+)"/g)].map((match) => match[1]));
  });

  test("every table and its fields", () => {
    expect(Object.keys(TABLE_FIELDS)).toEqual([...TABLE_NAMES]);
    const rows = readFileSync(join(ROOT, "src/trace/rows.ts"), "utf8");
    for (const [, name, type] of rows.matchAll(/^ {2}readonly (\w+): (\w+Row);$/gm)) {
      const body = new RegExp(`export type ${type} = \\{([\\s\\S]*?)\\};`).exec(rows)?.[1] ?? "";
      const fields = [...body.matchAll(/readonly (\w+):/g)].map((match) => match[1]);
      expect({ name, fields }).toEqual({ name, fields: Object.keys(TABLE_FIELDS[name as string]?.fields ?? {}) });
    }
  });

  test("the files are made from it (npm run trace-docs)", () => {
    expect(readFileSync(join(ROOT, "docs/trace.schema.json"), "utf8")).toBe(schemaText());
    expect(document).toBe(withDocParts(document));
  });
});

describe("the schema is strict", () => {
  const { text } = tracedRun("test/conformance/nat-port-mapping.yaml");
  const lines = text.trimEnd().split("\n");
  const lineOf = (kind: string) => JSON.parse(lines.find((line) => line.includes(`"kind":"${kind}"`)) as string);
  const header = () => JSON.parse(lines[0] as string);

  test.each<[string, () => unknown]>([
    ["another version", () => ({ ...header(), version: 2 })],
    ["a header with the machine's name", () => ({ ...header(), hostname: "build7" })],
    ["a header without a seed", () => ({ ...header(), seed: undefined })],
    ["an unknown kind", () => ({ ...lineOf("origin"), kind: "nonsense" })],
    ["no kind", () => ({ id: 1, timeNs: 0, host: "", cause: 0 })],
    ["an unknown field", () => ({ ...lineOf("origin"), wallClock: 5 })],
    ["no cause", () => ({ ...lineOf("origin"), cause: undefined })],
    ["a time with a fraction", () => ({ ...lineOf("origin"), timeNs: 0.5 })],
    ["id 0", () => ({ ...lineOf("origin"), id: 0 })],
    ["a reason that nobody has", () => ({ ...lineOf("packet-dropped"), reason: "BAD_LUCK" })],
    ["a packet without a payload", () => ({ ...lineOf("packet-dropped"), packet: { src: "10.0.0.1", dst: "10.0.0.2", protocol: 6, ttl: 64, id: 1 } })],
    ["an address that is a name", () => ({ ...lineOf("route"), dst: "rs1" })],
    ["a MAC in capitals", () => ({ ...lineOf("neighbour"), mac: "02:00:00:00:00:AA" })],
    ["a frame by name", () => ({ ...lineOf("frame-received"), frame: "first" })],
    ["a sent frame by number", () => ({ ...lineOf("frame-sent"), frame: 7 })],
    ["candidates without weights", () => ({ ...lineOf("scheduled"), candidates: [{ address: "10.1.1.1", port: 80 }] })],
    ["a row of no table", () => ({ ...lineOf("rows"), changes: [{ table: "friends", key: "1", change: "remove", set: {} }] })],
    ["a row that came and lacks fields", () => ({ ...lineOf("rows"), changes: [{ table: "macs", key: "1", change: "add", set: { port: "rs1.eth0" } }] })],
    ["a row that changed in nothing", () => ({ ...lineOf("rows"), changes: [{ table: "macs", key: "1", change: "change", set: {} }] })],
    ["a keyframe without rows", () => ({ ...lineOf("keyframe"), tables: { a: { links: {} } } })],
  ])("%s", (_what, record) => {
    expect(faults(JSON.stringify(record()))).not.toBe("");
  });
});
