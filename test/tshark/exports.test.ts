/**
 * What other programs make of exports: tshark reads every pcapng without a complaint, names and comments included; tcpdump prints the lines of
 * our text; the jq examples of docs/TRACE.md work. Needs tshark, tcpdump and jq; `npm run test:tshark`.
 */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { PcapngSink } from "../../src/trace/pcapng-sink.ts";
import { TextSink } from "../../src/trace/text-sink.ts";
import { joined, ROOT, SCENARIO_FILES, tracedRun } from "../helpers/traced-run.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "lvsim-exports-"));

afterAll(() => {
  rmSync(DIRECTORY, { recursive: true });
});

/** See captures.test.ts; and a comment that is longer than tshark likes would be a malformed packet. */
const FAULTS = "(_ws.malformed && !icmp && !udp) || ip.checksum.status == 0 || (tcp.checksum.status == 0 && !icmp) || (udp.checksum.status == 0 && !icmp) || icmp.checksum.status == 0";
const OPTIONS = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "--disable-protocol", "dns", "--disable-protocol", "http", "--disable-protocol", "ipvs"];

/** Standard output; what is said on standard error, but for the warning about running as root, fails the test. */
function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env: { ...process.env, ...env }, maxBuffer: 2 ** 28 });
  const complaints = stderr.split("\n").filter((line) => line !== "" && !/Running as user "root"|^reading from file|snapshot length/.test(line));
  expect({ program, status, complaints }).toEqual({ program, status: 0, complaints: [] });
  return stdout;
}

describe("pcapng and text", () => {
  test.each(SCENARIO_FILES)("%s", { timeout: 120_000 }, (file) => {
    const { header, events, result } = tracedRun(file, "packets", { capturesFrames: true });
    const chunks: Uint8Array[] = [];
    let text = "";
    const pcapng = new PcapngSink({ header, write: (bytes) => chunks.push(bytes) });
    const lines = new TextSink({ hidesDrops: true, write: (piece) => (text += piece) });
    for (const event of events) for (const sink of [pcapng, lines]) sink.write(event);
    for (const sink of [pcapng, lines]) sink.flush();
    const path = join(DIRECTORY, "all.pcapng");
    writeFileSync(path, joined(chunks));

    expect(run("tshark", ["-n", "-r", path, ...OPTIONS, "-Y", FAULTS])).toBe("");
    const rows = run("tshark", ["-n", "-r", path, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.interface_description", "-e", "frame.time_epoch", "-e", "frame.packet_id"]).trimEnd().split("\n").filter((row) => row !== "");
    expect(rows.length).toBe(text === "" ? 0 : text.trimEnd().split("\n").length);

    for (const capture of result.captures.captures) {
      const name = `${capture.hostName}.${capture.deviceName}`;
      const one = join(DIRECTORY, "one.pcap");
      writeFileSync(one, capture.toBytes(result.originNs));
      // tcpdump's lines of one capture, several a packet where it has more to say.
      const theirs = run("tcpdump", ["-e", "-n", "-r", one], { TZ: "UTC" });
      const marked = text.split(/\n(?=\d\d:\d\d:\d\d\.\d{6} )/).map((entry) => entry.replace(/\n$/, ""));
      const ours = marked.filter((entry) => entry.split(" ")[1] === name).map((entry) => entry.replace(/^(\S+) \S+ (?:Out|In ) /, "$1 "));
      expect(ours.join("\n")).toBe(theirs.trimEnd());
    }
  });
});

test("tshark shows interfaces, comments and one number a frame", () => {
  const { header, events } = tracedRun("test/conformance/nat-port-mapping.yaml");
  const chunks: Uint8Array[] = [];
  const sink = new PcapngSink({ header, write: (bytes) => chunks.push(bytes) });
  for (const event of events) sink.write(event);
  sink.flush();
  const path = join(DIRECTORY, "nat.pcapng");
  writeFileSync(path, joined(chunks));
  const rewritten = run("tshark", ["-n", "-r", path, "-Y", 'frame.comment contains "rr chose"', "-T", "fields", "-e", "frame.interface_name", "-e", "frame.comment"]).split("\n")[0];
  expect(rewritten).toBe("director.eth1\trr chose 10.1.1.3:8080 of 2 for TCP 203.0.113.100:80,ipvs-nat: dst 203.0.113.100:80 => 10.1.1.3:8080, ttl 64 => 63");
  expect(run("tshark", ["-n", "-r", path, "-Y", "frame.packet_id == 62", "-T", "fields", "-e", "frame.interface_name"])).toBe("client.eth0\ndirector.eth0\n");
});

describe("jq examples of docs/TRACE.md", () => {
  const examples = [...readFileSync(join(ROOT, "docs/TRACE.md"), "utf8").matchAll(/^jq .*$/gm)].map((match) => match[0]);
  writeFileSync(join(DIRECTORY, "t.jsonl"), tracedRun("test/conformance/nat-port-mapping.yaml").text);

  test("there are some", () => {
    expect(examples.length).toBeGreaterThan(5);
  });

  test.each(examples)("%s", (example) => {
    expect(execFileSync("bash", ["-o", "pipefail", "-c", example], { cwd: DIRECTORY, encoding: "utf8" })).not.toBe("");
  });
});
