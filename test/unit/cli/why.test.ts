/**
 * `lvsim doctor`, `explain`, `whatif` and `diff` as a user types them: exit statuses, JSON, and what they say about bad input.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { lvsimProcess } from "../../helpers/lvsim-process.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "lvsim-why-"));
const WORKING = "scenarios/documents/dr-192.168.247.yaml";
const BROKEN = "scenarios/documents/dr-192.168.247-as-printed.yaml";

afterAll(() => {
  rmSync(DIRECTORY, { recursive: true });
});

/** Two hosts and a ping; `address` of the second. */
function pingScenario(name: string, address: string): string {
  const path = join(DIRECTORY, name);
  const hosts = `  a:\n    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }\n  b:\n    interfaces: { eth0: { link: lan, address: ${address}/24 } }\n    run: |\n      echo started\n`;
  writeFileSync(path, `title: a ping\nhosts:\n${hosts}timeline:\n  - { at: 1s, host: a, run: "ping -c 1 -W 1 10.0.0.2", expect: { exit: 0 } }\nduration: 3s\n`);
  return path;
}

describe("doctor", () => {
  test("exit status 1 and the finding, with the cure and the records that show it", () => {
    const { status, stdout } = lvsimProcess(["doctor", BROKEN, "--json"]);
    expect(status).toBe(1);
    const { findings } = JSON.parse(stdout) as { readonly findings: readonly Record<string, unknown>[] };
    expect(findings[0]).toMatchObject({ id: "director-lacks-vip", host: "node01" });
    for (const finding of findings) expect(Object.keys(finding)).toEqual(["id", "host", "title", "why", "fix", "events"]);
    expect((findings[0] as { readonly events: readonly number[] }).events.every(Number.isInteger)).toBe(true);
  });

  test("exit status 0 when nothing is wrong", () => {
    const { status, stdout, stderr } = lvsimProcess(["doctor", WORKING, "--json"]);
    expect({ status, stderr, said: JSON.parse(stdout) as unknown }).toEqual({ status: 0, stderr: "", said: { findings: [] } });
  });
});

describe("diff", () => {
  const same = pingScenario("same.yaml", "10.0.0.2");
  const other = pingScenario("other.yaml", "10.0.0.3");

  test("exit status 0 for two runs that are alike", () => {
    expect(lvsimProcess(["diff", same, same]).status).toBe(0);
  });

  test("exit status 1 and the first packet that differs", () => {
    const { status, stdout, stderr } = lvsimProcess(["diff", same, other]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
    expect(stdout).toContain("10.0.0.2");
  });

  test("a trace stands for the run that wrote it", () => {
    const trace = join(DIRECTORY, "same.jsonl");
    expect(lvsimProcess(["run", same, "--quiet", "--trace", trace]).status).toBe(0);
    expect(lvsimProcess(["diff", trace, same]).status).toBe(0);
    expect(lvsimProcess(["diff", trace, other]).status).toBe(1);
  });
});

test("whatif tells which lines carry weight", () => {
  const { status, stdout } = lvsimProcess(["whatif", pingScenario("whatif.yaml", "10.0.0.2")]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/b.*eth0.*10\.0\.0\.2\/24/);
  expect(stdout).toMatch(/echo started/);
});

test("whatif refuses a trace in one line", () => {
  const trace = join(DIRECTORY, "whatif.jsonl");
  expect(lvsimProcess(["run", pingScenario("traced.yaml", "10.0.0.2"), "--quiet", "--trace", trace]).status).toBe(0);
  const { status, stdout, stderr } = lvsimProcess(["whatif", trace]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toBe(`lvsim: ${trace}: whatif takes a scenario, which it runs without each of its lines; a trace is of one run\n`);
});

test("explain tells of the whole run, and of one instant", () => {
  const file = pingScenario("explain.yaml", "10.0.0.2");
  const whole = lvsimProcess(["explain", file]);
  expect(whole.status).toBe(0);
  expect(whole.stdout).toContain("it was answered");
  // 11.3 us later than 1.01 s, as the page and `trace cat` show it.
  const instant = lvsimProcess(["explain", file, "--at", "1.010011s"]);
  expect(instant.status).toBe(0);
  expect(instant.stdout).toMatch(/^At 1\.010011 s\n/);
  expect(instant.stdout).toContain("arp_ignore = max(all 0, eth0 0) = 0");
});

test.each([
  ["doctor", ["nowhere.yaml"], /nowhere\.yaml/],
  ["explain", [WORKING, "--frame", "x"], /--frame/],
  ["explain", [WORKING, "--at", "soon"], /--at/],
  ["diff", [WORKING, "nowhere.yaml"], /nowhere\.yaml/],
  ["whatif", ["package.json"], /package\.json/],
] as const)("%s %j: exit status 2, one message", (name, args, message) => {
  const { status, stdout, stderr } = lvsimProcess([name, ...args]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(message);
});
