/**
 * tshark reads every capture without a complaint, checksums included. Needs tshark; `npm run test:tshark`.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LINUX_PARTS } from "../../src/scenario/linux-parts.ts";
import { runScenario } from "../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../src/scenario/scenario-file.ts";

const ROOT = join(import.meta.dirname, "..", "..");
/** One way of writing for all: the frames of the others are read from their pcapng (scenarios-1, scenarios-2). */
const FOLDERS = ["scenarios/documents", "scenarios/selftest"];

const files = FOLDERS.flatMap((folder) => readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".yaml")).map((name) => join(folder, name)));

/**
 * Frames that are malformed or have a wrong checksum. Quotes inside ICMP errors are cut, so that tshark cannot check theirs (it marks the kernel's
 * just the same), and what scenarios send by UDP is what they say it is, whatever a port or a pattern suggests.
 */
const FAULTS = "(_ws.malformed && !icmp && !udp) || ip.checksum.status == 0 || (tcp.checksum.status == 0 && !icmp) || (udp.checksum.status == 0 && !icmp) || icmp.checksum.status == 0";
const OPTIONS = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "--disable-protocol", "dns", "--disable-protocol", "http", "--disable-protocol", "ipvs"];

test("there is something to read", () => {
  expect(files.length).toBeGreaterThan(15);
});

test.each(files)("%s", { timeout: 120_000 }, (file) => {
  const result = runScenario(parseScenario(readFileSync(join(ROOT, file), "utf8"), file), { parts: LINUX_PARTS, capturesFrames: true });
  const folder = mkdtempSync(join(tmpdir(), "lvsim-"));
  for (const capture of result.captures.captures) {
    const path = join(folder, `${capture.hostName}.${capture.deviceName}.pcap`);
    writeFileSync(path, capture.toBytes(result.originNs));
    const said = execFileSync("tshark", ["-n", "-r", path, ...OPTIONS, "-Y", FAULTS], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    expect(`${path}: ${said}`).toBe(`${path}: `);
  }
});
