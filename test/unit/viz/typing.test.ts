/**
 * What helps people to type, and what asks them: completion, the line, places in a file, questions.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CommandOutput } from "../../../viz/src/engine/protocol.ts";
import { checkAnswer, questions } from "../../../viz/src/engine/queries/learn.ts";
import { captureFile } from "../../../viz/src/engine/queries/state.ts";
import { checkScenario, isLineOpen, scenarioKeys, typingWords } from "../../../viz/src/engine/queries/words.ts";
import { openSession, type Session } from "../../../viz/src/engine/session.ts";
import { suggestionsAt } from "../../../viz/src/panels/editor/suggestions.ts";
import { placeAt } from "../../../viz/src/panels/editor/yaml-place.ts";
import { commonStart, complete } from "../../../viz/src/panels/terminal/completion.ts";
import { cellsOf, LineEditor } from "../../../viz/src/panels/terminal/line-editor.ts";
import { transcriptOf } from "../../../viz/src/panels/terminal/transcript.ts";

const DR = "documents/dr-192.168.247.yaml";

function text(name: string): string {
  return readFileSync(join(import.meta.dirname, "../../../scenarios", name), "utf8");
}

function open(name: string, change = (whole: string) => whole): Promise<Session> {
  return openSession(1, { kind: "scenario", file: name, text: change(text(name)), seed: undefined, inputs: [] }, { onProgress: () => undefined, pause: async () => false });
}

describe("completion", async () => {
  const session = await open(DR);
  const words = typingWords(session, { id: session.store.count, host: "node01" });
  const keys = scenarioKeys(session, {});

  test.each([
    { line: "ipvsa", has: ["ipvsadm"], hasNot: ["ip"] },
    { line: "ls; ipvsa", has: ["ipvsadm"], hasNot: [] },
    { line: "ping 192.168.247.1", has: ["192.168.247.100", "192.168.247.135"], hasNot: [] },
    { line: "ipvsadm -d -t 192.168.247.100:", has: ["192.168.247.100:80"], hasNot: ["192.168.247.135:80"] },
    { line: "ipvsadm -", has: ["-A", "-ln"], hasNot: ["192.168.247.100"] },
    { line: "curl -s http://192.168.247.10", has: ["http://192.168.247.100/"], hasNot: [] },
    { line: "sysctl -w net.ipv4.conf.all.arp_i", has: ["net.ipv4.conf.all.arp_ignore"], hasNot: [] },
    { line: "ip link set dev en", has: ["ens33"], hasNot: ["lo"] },
    { line: "ipvsadm zz", has: [], hasNot: ["ipvsadm"] },
  ])("$line", ({ line, has, hasNot }) => {
    const { candidates } = complete(line, line.length, words);
    expect(candidates).toEqual(expect.arrayContaining(has));
    for (const one of hasNot) expect(candidates).not.toContain(one);
  });

  test("what all candidates share", () => {
    expect(commonStart(["ipvsadm", "ipvsadm-save"])).toBe("ipvsadm");
    expect(commonStart([])).toBe("");
  });

  const file = text(DR);
  const before = (mark: string) => file.indexOf(mark);
  test.each([
    { name: "top", whole: "ti", has: ["title: ", "timeline: "] },
    { name: "a host's keys", whole: "title: x\nhosts:\n  a:\n    ga", has: ["gateway: ", "interfaces: "] },
    { name: "an interface in braces", whole: "title: x\nhosts:\n  a:\n    interfaces: { eth0: { li", has: ["link: ", "address: "] },
    { name: "a step", whole: "title: x\nhosts:\n  a: { interfaces: {} }\ntimeline:\n  - at: 1s\n    ho", has: ["host: ", "expect: "] },
    { name: "a step in braces", whole: "title: x\nhosts:\n  a: { interfaces: {} }\ntimeline:\n  - { at: 1s, ho", has: ["host: "] },
    { name: "a step's host", whole: "title: x\nhosts:\n  rs1: { interfaces: {} }\n  rs2: { interfaces: {} }\ntimeline:\n  - { at: 1s, host: r", has: ["rs1", "rs2"] },
    { name: "a script's command", whole: "title: x\nhosts:\n  a:\n    run: |\n      ls\n      ipvsa", has: ["ipvsadm"] },
    { name: "a script's address", whole: "title: x\nhosts:\n  a:\n    run: |\n      ping 192.168.247.13", has: ["192.168.247.135"] },
  ])("in a scenario: $name", ({ whole, has }) => {
    expect(suggestionsAt(whole, whole.length, keys, words).items.map((one) => one.text)).toEqual(expect.arrayContaining(has));
  });

  test("places in a real file", () => {
    expect(placeAt(file, before("      ipvsadm -A") + 12)).toMatchObject({ path: ["hosts", "node01", "run"], part: "script", written: "ipvsad" });
    expect(placeAt(file, before("netstat -natp\", expect") + 3)).toMatchObject({ path: ["timeline", "run"], part: "value", written: "net", host: "node01" });
    expect(placeAt(file, before("duration: 6s") + 3)).toMatchObject({ path: [], part: "key", written: "dur" });
  });

  test("a wrong file says where, before it runs", () => {
    expect(checkScenario(session, { text: file, file: DR })).toEqual([]);
    const line = file.slice(0, file.indexOf("link: lan")).split("\n").length;
    expect(checkScenario(session, { text: file.replace("link: lan", "lnk: lan"), file: DR })).toContainEqual(expect.objectContaining({ line, message: expect.stringContaining("lnk") }));
  });

  test("lines that go on", () => {
    expect(isLineOpen(session, { text: "for i in 1 2; do" })).toBe(true);
    expect(isLineOpen(session, { text: "echo 'a" })).toBe(true);
    expect(isLineOpen(session, { text: "ls" })).toBe(false);
  });
});

describe("the line", () => {
  const typed = (...keys: string[]) => {
    const editor = new LineEditor();
    editor.setHistory(["first", "second"]);
    for (const key of keys) editor.key(key);
    return editor;
  };
  test.each([
    { keys: ["abc", "\u001b[D", "X"], result: "abXc", cursor: 3 },
    { keys: ["abc", "\u007f"], result: "ab", cursor: 2 },
    { keys: ["a😀", "\u007f"], result: "a", cursor: 1 },
    { keys: ["one two", "\u0017"], result: "one ", cursor: 4 },
    { keys: ["one two", "\u0001", "\u000b"], result: "", cursor: 0 },
    { keys: ["\u001b[A"], result: "second", cursor: 6 },
    { keys: ["dra", "\u001b[A", "\u001b[A", "\u001b[B", "\u001b[B"], result: "dra", cursor: 3 },
    { keys: ["a\r\nb\r\n"], result: "a\nb", cursor: 3 },
    { keys: ["\u001b]52;c;x\u0007"], result: "", cursor: 0 },
  ])("$keys", ({ keys, result, cursor }) => {
    const { text: line, cursor: at } = typed(...keys);
    expect([line, at]).toEqual([result, cursor]);
  });

  test("wide characters take two cells", () => {
    expect(cellsOf("a中")).toBe(3);
  });
});

describe("the transcript", () => {
  const output = (over: Partial<CommandOutput>): CommandOutput => ({
    origin: "input",
    index: 0,
    host: "a",
    text: "ls",
    startNs: 10,
    endNs: 30,
    exit: 0,
    pieces: [{ timeNs: 20, stream: "stdout", text: "out\n" }],
    prompt: "[root@a ~]# ",
    promptAfter: "[root@a tmp]# ",
    ...over,
  });
  const at = (nowNs: number, over: Partial<CommandOutput> = {}) => transcriptOf({ outputs: [output(over)], host: "a", nowNs, originNs: 0, bootTitle: "boot" });

  test("shows what had been said by then", () => {
    expect(at(5)).toMatchObject({ text: "", isBusy: false, prompt: "[root@a ~]# " });
    expect(at(15)).toMatchObject({ isBusy: true });
    expect(at(15).text).not.toContain("out");
    expect(at(25).text).toContain("out\r\n");
    expect(at(30)).toMatchObject({ isBusy: false, prompt: "[root@a tmp]# ", history: ["ls"] });
  });

  test("what a program prints does not steer the terminal", () => {
    const { text: shown } = at(30, { pieces: [{ timeNs: 20, stream: "stdout", text: "\u001b]0;title\u0007\u001b[2Jx\u009b31m" }] });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the point of the test
    expect(shown.replaceAll(/\u001b\[[\d;]*m/g, "")).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/);
    expect(shown).toContain("x");
  });
});

describe("questions", () => {
  test.each([
    { name: DR, change: (whole: string) => whole, answer: ["node01"] },
    // Real servers that do not hide the VIP answer as well.
    { name: DR, change: (whole: string) => whole.replaceAll(/^ *echo [12] > .*arp_(?:ignore|announce)$/gm, "      true"), answer: ["node01", "node02", "node03"] },
  ])("who answers for the VIP follows from the run: $answer", async ({ name, change, answer }) => {
    const session = await open(name, change);
    const question = questions(session, {}).find(({ kind, subject }) => kind === "who-answers" && subject === "192.168.247.100");
    expect(question).toMatchObject({ host: "node04", options: ["node01", "node02", "node03", ""] });
    const key = question?.key ?? "";
    expect(checkAnswer(session, { key, choice: answer })).toMatchObject({ isRight: true, answer });
    expect(checkAnswer(session, { key, choice: ["node02"] })).toMatchObject({ isRight: false });
    expect(checkAnswer(session, { key, choice: [...answer, ""] })).toMatchObject({ isRight: false });
  });

  test.each([
    { name: DR, first: ["eth.dst", "ip.ttl"], to: "node04" },
    { name: "documents/nat-10.168.yaml", first: ["eth.dst", "ip.dst"], to: "" },
    { name: "documents/tun-10.168.yaml", first: ["eth.dst", "outer"], to: "" },
  ])("$name: what the director changes, and where the reply goes", async ({ name, first, to }) => {
    const session = await open(name);
    const all = questions(session, {});
    expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(["who-answers", "which-server", "what-changes", "where-to"]));
    const answers = (kind: string) => all.filter((one) => one.kind === kind).map(({ key }) => checkAnswer(session, { key, choice: [] })?.answer ?? []);
    for (const one of first) expect(answers("what-changes")[0]).toContain(one);
    if (to !== "") expect(answers("where-to").flat()).toContain(to);
    // Nobody is told the answer with the question, and it lies ahead of where one stands.
    for (const { key, atId, ...rest } of all) {
      expect(rest).not.toHaveProperty("answer");
      expect(checkAnswer(session, { key, choice: [] })?.revealId).toBeGreaterThanOrEqual(atId);
    }
  });
});

test("the capture has every frame", async () => {
  const session = await open(DR);
  const bytes = new Uint8Array(await captureFile(session).arrayBuffer());
  expect([...bytes.subarray(0, 4)]).toEqual([0x0a, 0x0d, 0x0d, 0x0a]);
  const view = new DataView(bytes.buffer);
  let packets = 0;
  for (let at = 0; at < bytes.length; at += view.getUint32(at + 4, true)) if (view.getUint32(at, true) === 6) packets++;
  const carried = session.store.records.filter(({ kind }) => kind === "frame-sent" || kind === "frame-received").length;
  expect(packets).toBeGreaterThanOrEqual(carried);
});
