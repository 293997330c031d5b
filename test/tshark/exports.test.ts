/**
 * Names and comments of a pcapng in tshark; the jq examples of docs/TRACE.md work. Needs tshark and jq; `npm run test:tshark`.
 */

import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { PcapngSink } from "../../src/trace/pcapng-sink.ts";
import { joined, ROOT, tracedRun } from "../helpers/traced-run.ts";
import { folderHere, run } from "./exports.ts";

const DIRECTORY = folderHere("pcapng-");

afterAll(() => {
  rmSync(DIRECTORY, { recursive: true });
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
