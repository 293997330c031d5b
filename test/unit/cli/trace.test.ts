/**
 * `lvsim run --trace` and `lvsim trace` as a user meets them: what they print, the files they write, and what they say about bad input.
 */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTrace } from "../../../src/trace/jsonl.ts";
import { decodePcapng } from "../../../src/wire/pcapng.ts";
import { lvsimProcess, ROOT } from "../../helpers/lvsim-process.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "lvsim-trace-cli-"));
const TRACE = join(DIRECTORY, "nat.jsonl");

afterAll(() => {
  rmSync(DIRECTORY, { recursive: true });
});

function lvsim(args: readonly string[], input = "") {
  return lvsimProcess(args, { input });
}

/** Fails with what the command said. */
function lines(...args: string[]): string[] {
  const result = lvsim(args);
  expect(result.stderr).toBe("");
  expect(result.status).toBe(0);
  return result.stdout.trimEnd().split("\n");
}

beforeAll(() => {
  expect(lvsim(["run", "test/conformance/nat-port-mapping.yaml", "--quiet", "--trace", TRACE])).toEqual({ status: 0, stdout: "", stderr: "" });
});

describe("run writes", () => {
  test("a trace, a capture and tables in one go", () => {
    const out = join(DIRECTORY, "run");
    lines("run", "test/conformance/tun-two-sites.yaml", "--quiet", "--trace", join(out, "t.jsonl"), "--pcapng", join(out, "t.pcapng"), "--csv", join(out, "csv"));
    expect(readdirSync(out).sort()).toEqual(["csv", "t.jsonl", "t.pcapng"]);
    expect(readdirSync(join(out, "csv")).sort()).toEqual(["connections.csv", "drops.csv", "interfaces.csv", "scheduler.csv"]);
    const { header, events } = readTrace(readFileSync(join(out, "t.jsonl"), "utf8"));
    expect(header.level).toBe("full");
    expect(events.length).toBeGreaterThan(400);
    const capture = decodePcapng(readFileSync(join(out, "t.pcapng")));
    expect(capture.ok && capture.value.packets.some((packet) => packet.comments.some((comment) => comment.includes("IP_RPFILTER")))).toBe(true);
    // Exports of the trace are the files of the run.
    lines("trace", "export", join(out, "t.jsonl"), "--pcapng", join(out, "again.pcapng"), "--csv", join(out, "again"), "--jsonl", join(out, "again.jsonl"));
    for (const [one, other] of [["t.pcapng", "again.pcapng"], ["t.jsonl", "again.jsonl"], ...readdirSync(join(out, "csv")).map((name) => [`csv/${name}`, `again/${name}`])])
      expect({ one, isSame: readFileSync(join(out, one as string)).equals(readFileSync(join(out, other as string))) }).toEqual({ one, isSame: true });
  });

  test.each([
    ["frames", "frames"],
    ["packets", "packets"],
    ["everything", "full"],
  ])("--trace-level %s", (word, level) => {
    const path = join(DIRECTORY, `${word}.jsonl`);
    lines("run", "scenarios/selftest/ipvs-dr.yaml", "--quiet", "--trace", path, "--trace-level", word);
    expect(readTrace(readFileSync(path, "utf8")).header.level).toBe(level);
  });

  test("the captures that the run gives, from the trace", () => {
    const [run, trace] = [join(DIRECTORY, "pcap-run"), join(DIRECTORY, "pcap-trace")];
    lines("run", "test/conformance/nat-port-mapping.yaml", "--quiet", "--pcap", run);
    lines("trace", "export", TRACE, "--pcap", trace);
    expect(readdirSync(trace).sort()).toEqual(readdirSync(run).sort());
    for (const name of readdirSync(run)) expect({ name, isSame: readFileSync(join(trace, name)).equals(readFileSync(join(run, name))) }).toEqual({ name, isSame: true });
  });

  test("nothing when the run fails", () => {
    const out = join(DIRECTORY, "failed");
    const file = join(DIRECTORY, "endless.yaml");
    writeFileSync(file, 'title: x\nhosts:\n  a:\n    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }\ntimeline:\n  - { at: 0s, host: a, run: "while true; do sleep 0.00001; done", timeout: 100m }\n');
    const result = lvsim(["run", file, "--quiet", "--max-events", "5000", "--trace", join(out, "t.jsonl"), "--pcapng", join(out, "t.pcapng"), "--csv", out]);
    expect(result.status).toBe(2);
    expect(result.stderr).toContain("limit `events` reached");
    expect(readdirSync(out)).toEqual([]);
  });

  test("nothing where it may not", () => {
    const file = join(DIRECTORY, "a file");
    writeFileSync(file, "");
    const result = lvsim(["run", "scenarios/selftest/ipvs-dr.yaml", "--quiet", "--trace", join(file, "t.jsonl")]);
    expect(result).toEqual({ status: 2, stdout: "", stderr: expect.stringMatching(/^lvsim: .*a file\/t\.jsonl: (not a directory|.*EEXIST.*)\n$/) });
  });

  test.each([
    [["--trace-level", "some", "--trace", "x"], "Allowed choices are frames, packets, full."],
    [["--trace-level", "full"], "--trace-level says what --trace, --pcapng and --csv are made of: give one of them"],
    [["--trace-level", "frames", "--csv", "x"], "--csv needs more than --trace-level frames"],
  ])("%s is refused", (args, message) => {
    const result = lvsim(["run", "scenarios/selftest/ipvs-dr.yaml", ...args]);
    expect(result.status).toBe(2);
    expect(result.stderr).toContain(message);
    expect(existsSync(join(ROOT, "x"))).toBe(false);
  });
});

describe("trace cat and grep", () => {
  const grep = (...args: string[]) => lines("trace", "grep", TRACE, ...args);

  test("cat has a line for each record but rows, with time, record, cause, place", () => {
    const all = lines("trace", "cat", TRACE);
    const { events } = readTrace(readFileSync(TRACE, "utf8"));
    expect(all.length).toBe(events.filter((event) => event.kind !== "rows" && event.kind !== "keyframe").length);
    expect(all.find((line) => line.includes("#62 "))).toMatch(/^ {4}1\.030022688 {6}#62 <45 +client\.eth0 +> 02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv4 \(0x0800\), length 74: 203\.0\.113\.9\./);
    expect(all.find((line) => line.includes("#4 "))).toMatch(/^ {2}\(0\.010000000\) {7}#4 <3 +director +net\.ipv4\.ip_forward: 0 => 1$/);
    expect(all.filter((line) => line.includes("rr chose 10.1.1.3:8080 for TCP 203.0.113.100:80 from 203.0.113.9:33970; 10.1.1.3:8080 weight 1 active 0 inactive 0 overhead 0;"))).toHaveLength(1);
  });

  test.each<[string[], number | RegExp, RegExp]>([
    [["--kind", "scheduled"], 3, /chose/],
    [["--kind", "rows", "--host", "link/outside"], 10, /macs (add|change)/],
    [["--reason", "no_socket"], 1, /nobody listens on port 8080/],
    [["--host", "rs2", "--kind", "tcp-state"], 5, / rs2 /],
    [["--host", "director.eth1", "--kind", "frame-sent"], 21, / director\.eth1 /],
    [["--protocol", "arp", "--host", "client", "--to", "1.1s"], 2, /ARP/],
    [["--port", "8000", "--kind", "scheduled"], 1, /wlc chose/],
    [["--address", "10.1.1.2", "--kind", "tcp-state"], 10, /10\.1\.1\.2/],
    [["--address", "10.1.1.0/30", "--kind", "neighbour", "--host", "rs1"], 2, /10\.1\.1\.1/],
    [["--connection", "203.0.113.9:33970", "--kind", "frame-sent"], 20, /33970/],
    [["--connection", "203.0.113.9:33970-10.1.1.3:8080", "--kind", "frame-sent", "--host", "rs2"], 4, /10\.1\.1\.3\.8080/],
    [["--from", "4s", "--to", "4.5s", "--kind", "frame-sent"], 2, /47292/],
    [["--match", "wlc chose"], 1, /chose/],
  ])("grep %s", (args, count, every) => {
    const found = grep(...args);
    expect({ args, count: found.length, found }).toEqual({ args, count, found });
    for (const line of found) expect(line).toMatch(every);
  });

  test("nothing found is exit status 1", () => {
    expect(lvsim(["trace", "grep", TRACE, "--reason", "IP_TTL"])).toEqual({ status: 1, stdout: "", stderr: "" });
    expect(lvsim(["trace", "cat", TRACE, "--reason", "IP_TTL"])).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  test("what led to the SYN at the server", () => {
    const steps = grep("--cause", "88").map((line) => line.replace(/^\s*\S+\s+#(\d+)\s+(<\d+)?\s+(\S+)\s+(\S+).*$/, "$3 $4"));
    expect(steps).toEqual(["client [100]", "client [100]", "client.eth0 >", "director.eth0 <", "director rr", "director ipvs-nat:", "director.eth1 >", "rs2.eth0 <"]);
  });

  test("the packet's life is the same from wherever one looks", () => {
    const lives = ["62", "64", "70", "86", "88"].map((id) => grep("--life", id));
    expect(lives[0]?.length).toBeGreaterThan(12);
    for (const life of lives) expect(life).toEqual(lives[0]);
    // The answer is the last that it gave rise to; the answer's own life goes on from there.
    expect(lives[0]?.some((line) => line.includes("10.1.1.3.8080 > 203.0.113.9.33970: Flags [S.]"))).toBe(true);
    expect(grep("--life", "93").some((line) => line.includes("203.0.113.100.80 > 203.0.113.9.33970: Flags [S.]"))).toBe(true);
  });

  test("everything that followed from a command", () => {
    const effects = grep("--effects", "45");
    expect(effects[0]).toContain("$ curl -s http://203.0.113.100/");
    expect(effects.some((line) => line.includes("rs2.eth0"))).toBe(true);
    expect(effects.some((line) => line.includes("38886"))).toBe(false);
  });

  test("--json gives a trace again, whole in itself", () => {
    const { stdout } = lvsim(["trace", "grep", TRACE, "--kind", "frame-received", "--host", "rs2", "--json"]);
    const { header, events } = readTrace(stdout);
    expect(header.title).toContain("NAT with port mapping");
    expect(events.length).toBe(9);
    expect(events.every((event) => event.kind === "frame-received" && event.frame.lengthBytes >= 42)).toBe(true);
  });

  test("from standard input and from gzip", () => {
    const text = readFileSync(TRACE, "utf8");
    expect(lvsim(["trace", "grep", "-", "--kind", "scheduled"], text).stdout.trimEnd().split("\n")).toHaveLength(3);
    const packed = join(DIRECTORY, "nat.jsonl.gz");
    writeFileSync(packed, gzipSync(text));
    expect(lines("trace", "grep", packed, "--kind", "scheduled")).toHaveLength(3);
    writeFileSync(packed, gzipSync(text).subarray(0, 2000));
    expect(lvsim(["trace", "stat", packed])).toEqual({ status: 2, stdout: "", stderr: expect.stringContaining("nat.jsonl.gz: not a gzip file, or cut") });
  });
});

describe("trace stat", () => {
  test("counts", () => {
    const said = lines("trace", "stat", TRACE).join("\n");
    expect(said).toContain("level full, seed 1, 454 records");
    expect(said).toMatch(/ 74 {2}frame-received\n/);
    expect(said).toMatch(/drops\n {2}1 {2}director: NO_SOCKET/);
    expect(said).toMatch(/ {2}outside {2}36 {6}3299 {3}0/);
    expect(said).toMatch(/TCP 203\.0\.113\.100:80 {4}10\.1\.1\.3:8080 {2}1\n/);
  });
});

describe("trace tables", () => {
  const tables = (...args: string[]) => JSON.parse(lines("trace", "tables", TRACE, "--json", ...args).join("\n"));

  test("at a time", () => {
    const states = ["900ms", "1.031s", "1.5s"].map((at) => Object.values(tables("--at", at, "--host", "director", "--table", "ipvsConnections").tables.director.ipvsConnections as object).map((row) => row.state));
    expect(states).toEqual([[], ["ESTABLISHED"], ["TIME_WAIT"]]);
  });

  test("of a link, with rows that age left out", () => {
    const rows = (at: string) => Object.keys(tables("--at", at, "--host", "outside").tables["link/outside"].macs);
    expect(rows("0s")).toEqual([]);
    expect(rows("1.2s")).toEqual(["02:00:00:00:00:01", "02:00:00:00:00:02"]);
    expect(rows("400s")).toEqual([]);
  });

  test("as text", () => {
    const said = lines("trace", "tables", TRACE, "--at", "1.5s", "--host", "client");
    expect(said[0]).toBe("at 1.500000000 s");
    expect(said.some((line) => /^ {2}eth0 +203\.0\.113\.100 +02:00:00:00:00:02 +REACHABLE +no$/.test(line))).toBe(true);
    expect(said.some((line) => line.includes("sysctls"))).toBe(false);
    expect(lines("trace", "tables", TRACE, "--host", "director", "--table", "sysctls").some((line) => /^ {2}net\.ipv4\.ip_forward +1$/.test(line))).toBe(true);
  });
});

describe("bad input: one clear message, exit status 2", () => {
  const bad = (name: string, text: string) => {
    const path = join(DIRECTORY, name);
    writeFileSync(path, text);
    return path;
  };
  const head = '{"format":"lvsim-trace","version":1,"level":"packets","title":"","seed":"1","hosts":[],"links":[],"scenario":null}\n';

  test.each<[string, () => string[], string | RegExp]>([
    ["no file", () => ["cat", "/nonexistent.jsonl"], "lvsim: /nonexistent.jsonl: no such file or directory\n"],
    ["a directory", () => ["stat", DIRECTORY], /^lvsim: .*: is a directory\n$/],
    ["an empty file", () => ["stat", bad("empty", "")], /empty:1: the trace is empty\n$/],
    ["a scenario", () => ["cat", "scenarios/selftest/ipvs-dr.yaml"], /ipvs-dr\.yaml:1: this is no trace: its first line is not the JSON of a header/],
    ["another version", () => ["cat", bad("v9", head.replace('"version":1', '"version":9'))], /v9:1: the trace has version 9, this program reads version 1: write it again, or use the program that wrote it\n$/],
    ["a cut line", () => ["stat", bad("cut", `${head}{"id":1,`)], /cut:2: the line is no JSON: is the end of the trace missing\?\n$/],
    ["the beginning missing", () => ["stat", bad("tail", `${head}{"id":9,"timeNs":0,"kind":"frame-received","host":"a","cause":7,"device":"eth0","frame":7}\n`)], /tail:2: `frame` names record 7, which is not there/],
    ["no tables", () => ["tables", bad("level", head)], /level: a trace of level packets has no tables; write it with --trace-level full\n$/],
    ["an unknown host", () => ["grep", TRACE, "--host", "drector"], "lvsim: unknown host or link drector; did you mean director?\n"],
    ["an unknown kind", () => ["cat", TRACE, "--kind", "frame-send"], "lvsim: unknown kind of record frame-send; did you mean frame-sent?\n"],
    ["an unknown table", () => ["tables", TRACE, "--table", "arp"], /^lvsim: unknown table arp; /],
    ["an unknown protocol", () => ["cat", TRACE, "--protocol", "ipx"], /^lvsim: unknown protocol ipx; /],
    ["no address", () => ["cat", TRACE, "--address", "rs1"], "lvsim: --address rs1: write 10.0.0.1 or 10.0.0.0/24\n"],
    ["no port", () => ["cat", TRACE, "--port", "http"], /--port http: write a number/],
    ["no connection", () => ["cat", TRACE, "--connection", "10.0.0.1"], /write ADDRESS:PORT/],
    ["a record that is not there", () => ["grep", TRACE, "--cause", "99999"], /there is no record 99999, the last is \d+\n$/],
    ["two walks", () => ["grep", TRACE, "--cause", "9", "--life", "9"], "lvsim: choose one of --cause, --life and --effects\n"],
    ["grep for nothing", () => ["grep", TRACE], /say what to look for/],
    ["export to nowhere", () => ["export", TRACE], /say where to/],
    ["a walk through a pipe", () => ["grep", "-", "--cause", "5"], /give a file/],
  ])("%s", (_what, args, message) => {
    const result = lvsim(["trace", ...args()]);
    expect(result.stdout).toBe("");
    expect(result.stderr).toMatch(message);
    expect(result.status).toBe(2);
  });

  test("nothing half-written is left by an export", () => {
    const out = join(DIRECTORY, "half");
    mkdirSync(out);
    const broken = bad("broken.jsonl", `${readFileSync(TRACE, "utf8").split("\n").slice(0, 200).join("\n")}\n{`);
    const result = lvsim(["trace", "export", broken, "--pcapng", join(out, "a.pcapng"), "--csv", out, "--pcap", out, "--text", join(out, "a.txt")]);
    expect(result.status).toBe(2);
    expect(result.stderr).toContain("broken.jsonl:201: the line is no JSON");
    expect(readdirSync(out)).toEqual([]);
  });
});

describe("commands in documents work", () => {
  const folder = join(DIRECTORY, "documents");
  mkdirSync(folder);
  symlinkSync(join(ROOT, "scenarios"), join(folder, "scenarios"));

  test.each(["README.md", "docs/TRACE.md"])("%s", (document) => {
    const commands = [...readFileSync(join(ROOT, document), "utf8").matchAll(/^npx lvsim ((?:trace|run .*--trace) .*)$/gm)].map((match) => (match[1] as string).replace(/ +#.*$/, "").split(" "));
    const typed = commands.filter((words) => words.includes("F") === false);
    expect(typed.length).toBeGreaterThan(5);
    for (const words of typed) {
      const { status, stderr } = lvsimProcess(words, { cwd: folder });
      expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: "" });
    }
  });
});

test("every command has help with examples", () => {
  for (const name of ["cat", "grep", "stat", "export", "tables"]) expect(lvsim(["trace", name, "--help"]).stdout).toMatch(/Examples?:\n {2}lvsim trace/);
});
