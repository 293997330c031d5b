/**
 * What other programs make of a scenario's exports: tshark reads the pcapng without a complaint; tcpdump prints the lines of our text.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { PcapngSink } from "../../src/trace/pcapng-sink.ts";
import { TextSink } from "../../src/trace/text-sink.ts";
import { joined, ROOT, tracedRun } from "../helpers/traced-run.ts";

const CHECKSUMS = ["ip", "tcp", "udp", "icmp"];
const OPTIONS = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "--disable-protocol", "dns", "--disable-protocol", "http", "--disable-protocol", "ipvs"];
const FIELDS = ["frame.interface_name", "frame.packet_id", "frame.protocols", "_ws.malformed", ...CHECKSUMS.map((name) => `${name}.checksum.status`)];

/** A folder inside the project, so that `npx lvsim` finds the program there. */
export function folderHere(name: string): string {
  mkdirSync(join(ROOT, ".tmp"), { recursive: true });
  return mkdtempSync(join(ROOT, ".tmp", name));
}

/** Standard output; what is said on standard error, but for the warning about running as root, fails the test. */
export function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env: { ...process.env, ...env }, maxBuffer: 2 ** 28 });
  const complaints = stderr.split("\n").filter((line) => line !== "" && !/Running as user "root"|^reading from file|snapshot length/.test(line));
  expect({ program, status, complaints }).toEqual({ program, status: 0, complaints: [] });
  return stdout;
}

/**
 * What tshark finds wrong with a frame. Quotes inside ICMP errors are cut, so that it cannot check theirs (it marks the kernel's just the same), and what
 * scenarios send by UDP is what they say it is, whatever a port or a pattern suggests.
 */
function isFaulty(protocols: string, malformed: string, statuses: readonly string[]): boolean {
  const isIcmp = protocols.includes(":icmp");
  if (malformed !== "" && !isIcmp && !protocols.includes(":udp")) return true;
  const wrong = CHECKSUMS.filter((_, i) => statuses[i]?.split(",").includes("0"));
  return wrong.some((name) => name === "ip" || name === "icmp" || !isIcmp);
}

/** The exports of one scenario, in a folder. */
export function checkExports(file: string, folder: string): void {
  const { header, events, result } = tracedRun(file, "packets", { capturesFrames: true });
  const chunks: Uint8Array[] = [];
  let text = "";
  const pcapng = new PcapngSink({ header, write: (bytes) => chunks.push(bytes) });
  const lines = new TextSink({ hidesDrops: true, write: (piece) => (text += piece) });
  for (const event of events) for (const sink of [pcapng, lines]) sink.write(event);
  for (const sink of [pcapng, lines]) sink.flush();
  const path = join(folder, "all.pcapng");
  writeFileSync(path, joined(chunks));
  const marked = text.split(/\n(?=\d\d:\d\d:\d\d\.\d{6} )/).map((entry) => entry.replace(/\n$/, ""));

  const said = run("tshark", ["-n", "-r", path, ...OPTIONS, "-T", "fields", ...FIELDS.flatMap((field) => ["-e", field])]);
  const rows = said.split("\n").filter((row) => row !== "");
  expect(rows.length).toBe(text === "" ? 0 : marked.length);
  const faulty = rows.filter((row) => {
    const [, , protocols = "", malformed = "", ...statuses] = row.split("\t");
    return isFaulty(protocols, malformed, statuses);
  });
  expect(faulty).toEqual([]);

  for (const capture of result.captures.captures) {
    const name = `${capture.hostName}.${capture.deviceName}`;
    const one = join(folder, "one.pcap");
    writeFileSync(one, capture.toBytes(result.originNs));
    // tcpdump's lines of one capture, several a packet where it has more to say.
    const theirs = run("tcpdump", ["-e", "-n", "-r", one], { TZ: "UTC" });
    const ours = marked.filter((entry) => entry.split(" ")[1] === name).map((entry) => entry.replace(/^(\S+) \S+ (?:Out|In ) /, "$1 "));
    expect(ours.join("\n")).toBe(theirs.trimEnd());
  }
}
