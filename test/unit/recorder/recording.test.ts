/**
 * Recordings as text, what makes one stale, and what a comparison says.
 */

import { describe, expect, test } from "vitest";
import { actOutHere } from "../../../kernel/acted-here.ts";
import { recordingDifferences } from "../../../kernel/differences.ts";
import { inputsOf, type Recording, recordingFromText, recordingToText } from "../../../kernel/recording.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";

const TEXT = `title: Two hosts
hosts:
  a:
    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }
    run: |
      # says hello
      echo hello
  b:
    interfaces: { eth0: { link: lan, address: 10.0.0.2/24 } }
timeline:
  - { at: 1s, host: a, run: "ping -c 1 10.0.0.2", expect: { exit: 0 } }
  - { at: 3s, down: b.eth0 }
`;
const scenario = parseScenario(TEXT, "two.yaml");
const acted = actOutHere(scenario).recording;

describe("text", () => {
  test("a recording comes back from its text", () => {
    const text = recordingToText(acted);
    const back = recordingFromText(text, "two.jsonl");
    expect(recordingToText(back)).toBe(text);
    expect(recordingDifferences(scenario, back, acted)).toEqual([]);
    expect(back.stories.size).toBe(2);
    expect([...back.outputs.keys()]).toEqual(["setup a", "step 0"]);
  });

  test("what is seen alike at two interfaces is one line", () => {
    const lines = recordingToText(acted)
      .split("\n")
      .filter((line) => line.includes('"icmp '));
    expect(lines.map((line) => (JSON.parse(line) as { readonly at: readonly string[] }).at)).toEqual([["a.eth0", "b.eth0"]]);
  });

  test.each([
    ["", "no recording"],
    ['{"recording":9}', "version 9"],
    ['{"recording":1,"kernel":"6.1","inputs":"x","until":1}\n{"other":1}', "bad.jsonl:2"],
  ])("%j is refused", (text, message) => {
    expect(() => recordingFromText(text, "bad.jsonl")).toThrow(text === "" ? /JSON/ : message);
  });
});

describe("inputs", () => {
  const inputs = (text: string) => inputsOf(parseScenario(text, "two.yaml"));

  test.each([
    ["a title", TEXT.replace("Two hosts", "Other words")],
    ["a comment in a script", TEXT.replace("# says hello", "# greets")],
    ["an expectation", TEXT.replace(", expect: { exit: 0 }", "")],
    ["a link's properties", TEXT.replace("hosts:", "links: { lan: { latency: 1ms } }\nhosts:")],
  ])("%s does not matter", (_, text) => {
    expect(inputs(text)).toBe(inputs(TEXT));
  });

  test.each([
    ["a command", TEXT.replace("echo hello", "echo bye")],
    ["a step's time", TEXT.replace("at: 3s", "at: 4s")],
    ["an address", TEXT.replace("10.0.0.2/24", "10.0.0.3/24")],
    ["a fault", TEXT.replace("down: b.eth0", "down: a.eth0")],
  ])("%s matters", (_, text) => {
    expect(inputs(text)).not.toBe(inputs(TEXT));
  });
});

describe("differences", () => {
  const changed = (change: Partial<Recording>): string[] => recordingDifferences(scenario, acted, { ...acted, ...change });

  test("of an output", () => {
    const outputs = new Map(acted.outputs).set("setup a", { exit: 1, stdout: "good day\n", stderr: "" });
    const [exit, stdout] = changed({ outputs });
    expect(exit).toContain("exit 1, the kernel's 0");
    expect(stdout).toBe("setup a: # says hello\necho hello: stdout\n  kernel hello\n  ours   good day");
  });

  test("of a missing output", () => {
    expect(changed({ outputs: new Map() })).toEqual(["setup a: no result", "at 1 s on a: no result"]);
  });

  test("of frames", () => {
    const [difference] = changed({ stories: new Map([...acted.stories].filter(([point]) => point === "a.eth0")) });
    expect(difference).toMatch(/^b\.eth0: arp 10\.0\.0\.1 10\.0\.0\.2\n {2}kernel a\.eth0->broadcast who-has 10\.0\.0\.2/);
  });

  test("of a table", () => {
    const tables = new Map(acted.tables).set("b", new Map([["addr", ["inet 10.0.0.9/24"]]]));
    expect(changed({ tables }).some((one) => one.startsWith("addr of b at the end\n"))).toBe(true);
  });

  test.each([
    ["a bare acknowledgment more", "-> 10.0.0.2:80 2 12 9 794 902", true],
    ["one with SACK less", "-> 10.0.0.2:80 2 12 7 794 786", true],
    ["a reset more", "-> 10.0.0.2:80 2 12 9 794 890", false],
    ["a connection more", "-> 10.0.0.2:80 3 12 8 794 850", false],
  ])("counters with %s", (_, row, isAlike) => {
    const stats = (text: string) => ({ ...acted, tables: new Map([["a", new Map([["stats", [text]] as const])]]) });
    expect(recordingDifferences(scenario, stats("-> 10.0.0.2:80 2 12 8 794 850"), stats(row)).length === 0).toBe(isAlike);
  });

  test("a neighbour that only one knows is chance, one that cannot be resolved is not", () => {
    const tables = (rows: string[]) => new Map(acted.tables).set("a", new Map([...(acted.tables.get("a") ?? []), ["neigh", rows] as const]));
    const compare = (theirs: string[], ours: string[]) => recordingDifferences(scenario, { ...acted, tables: tables(theirs) }, { ...acted, tables: tables(ours) });
    expect(compare(["10.0.0.2 dev eth0 lladdr 02:00:00:00:00:02 KNOWN"], [])).toEqual([]);
    expect(compare(["10.0.0.2 dev eth0 UNRESOLVED"], [])).not.toEqual([]);
    expect(compare(["10.0.0.2 dev eth0 lladdr 02:00:00:00:00:02 KNOWN"], ["10.0.0.2 dev eth0 lladdr 02:00:00:00:00:09 KNOWN"])).not.toEqual([]);
  });
});
