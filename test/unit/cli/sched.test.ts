/**
 * `lvsim sched` with schedulers of one's own, `sched compare`, `sched check`, `run --scheduler`: as a user types them.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { lvsimProcess, type LvsimResult } from "../../helpers/lvsim-process.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "lvsim-sched-"));

afterAll(() => {
  rmSync(DIRECTORY, { recursive: true });
});

function lvsim(...args: string[]): LvsimResult {
  return lvsimProcess(args);
}

function file(name: string, text: string): string {
  const path = join(DIRECTORY, name);
  writeFileSync(path, text);
  return path;
}

const MINE = file(
  "mine.mjs",
  `export class Oldest {
  static schedulerName = "oldest";
  schedule(service) {
    return service.dests.findLast((dest) => dest.weight > 0 && !dest.overloaded);
  }
}
`,
);
const SCRIPT = file("s.sched", "service tcp 10.9.0.1:80 rr\nadd 10.2.0.1:80\nadd 10.2.0.2:80\nopen c1 from 10.1.0.1:4001\nopen c2 from 10.1.0.1:4002\n");
const WORKLOAD = file("w.yaml", "title: small\nduration: 5s\narrivals: { kind: poisson, rate: 50 }\nsizes: { kind: exponential, mean: 10ms }\nservers: { s1: { weight: 2 }, s2: }\n");

test("a script with a scheduler of one's own, or another of the kernel's", () => {
  expect(lvsim("sched", SCRIPT)).toEqual({ status: 0, stdout: "c1 10.2.0.2:80\nc2 10.2.0.1:80\n", stderr: "" });
  expect(lvsim("sched", SCRIPT, "--scheduler", MINE)).toEqual({ status: 0, stdout: "c1 10.2.0.1:80\nc2 10.2.0.1:80\n", stderr: "" });
  expect(lvsim("sched", SCRIPT, "--scheduler", "dh").stdout).toMatch(/^c1 (\S+)\nc2 \1\n$/);
});

describe("modules that are no schedulers", () => {
  test.each([
    ["not there", join(DIRECTORY, "nothing.js"), /nothing\.js: no such file or directory\n$/],
    ["no name", "wrrr", /^lvsim: unknown scheduler `wrrr`; did you mean `wrr`\?\n$/],
    ["no module", SCRIPT, /s\.sched: a scheduler is a JavaScript module, with a name that ends with \.js, \.mjs, \.cjs\n$/],
    ["no export", file("none.mjs", "export const answer = 42;\n"), /none\.mjs: exports no scheduler; export a class with `static schedulerName` and `schedule\(service, packet\)`, see docs\/SCHEDULERS\.md\n$/],
    ["half a scheduler", file("half.mjs", "export default class { static schedulerName = 'half'; }\n"), /half\.mjs: a scheduler class needs `static schedulerName` and a method `schedule\(service, packet\)`; see docs/],
    ["no JavaScript", file("broken.mjs", "export class {\n"), /broken\.mjs: cannot be loaded: SyntaxError: /],
    ["throws when loaded", file("throws.mjs", "throw new Error('not today');\n"), /throws\.mjs: cannot be loaded: Error: not today\n$/],
    ["two at once", file("two.mjs", "export class A { static schedulerName = 'a'; schedule() {} }\nexport class B { static schedulerName = 'b'; schedule() {} }\n"), /two\.mjs: exports 2 schedulers \(a, b\), which is one too many here; export one\n$/],
    ["throws when it schedules", file("fails.mjs", "export class A { static schedulerName = 'a'; schedule() { throw new TypeError('oh'); } }\n"), /^lvsim: scheduler a: schedule\(\) threw TypeError: oh\n$/],
    ["returns a foreign server", file("foreign.mjs", "export class A { static schedulerName = 'a'; schedule() { return { address: 1, port: 2 }; } }\n"), /scheduler a: schedule\(\) at \d+ ns returned the server 0\.0\.0\.1:2, which is not in the service\n$/],
  ])("%s", (_what, scheduler, message) => {
    const { status, stdout, stderr } = lvsim("sched", SCRIPT, "--scheduler", scheduler);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("    at ");
  });
});

test("compare: tables with the cost, files without it unless asked, the same in every run", () => {
  const [csv, json] = [join(DIRECTORY, "out.csv"), join(DIRECTORY, "out.json")];
  const compare = (...args: string[]) => lvsim("sched", "compare", `wrr,sh+sh-port,${MINE}`, "--workload", WORKLOAD, ...args);
  const { status, stdout, stderr } = compare("--csv", csv, "--json", json);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^small\n\d+ connections in 5 s from 1000 clients to 2 servers, seed 1\n[\s\S]*ns\/pick\nwrr [\s\S]*\nsh\+sh-port [\s\S]*\noldest /);
  const written = readFileSync(csv, "utf8");
  expect(written).toMatch(/^scheduler,server,change,figure,value\nwrr,,,arrived,\d+\n/);
  expect(written).not.toContain("pickNs");
  expect(compare("--csv", "-").stdout).toBe(written);
  expect(compare("--json", "-").stdout).toBe(readFileSync(json, "utf8"));
  expect(compare("--no-cost").stdout).not.toContain("ns/pick");
  const measured = JSON.parse(compare("--json", "-", "--cost").stdout) as { schedulers: { pickNs: number }[] };
  for (const { pickNs } of measured.schedulers) expect(pickNs).toBeGreaterThan(0);
});

test.each([
  [["compare", "wrr,wlx", "--workload", WORKLOAD], /unknown scheduler `wlx`; did you mean `wlc`\?/],
  [["compare", "wrr+sh-port", "--workload", WORKLOAD], /scheduler wrr has no flag `sh-port`; it has none/],
  [["compare", ",", "--workload", WORKLOAD], /no scheduler to compare; name some/],
  [["check", "wlc", "--allow", "everything"], /`everything` cannot be allowed; refuse, overloaded, deleted can/],
  [["compare", "wrr"], /required option '--workload <file>' not specified/],
  [["compare", "wrr", "--workload", file("bad.yaml", "title: t\n")], /bad\.yaml:1:1: a workload needs /],
])("mistake %# is told", (args, message) => {
  const { status, stderr } = lvsim("sched", ...args);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
});

test("check: a list of checks, exit status 1 when one fails", () => {
  const good = lvsim("sched", "check", MINE);
  expect(good.status).toBe(0);
  expect(good.stdout).toMatch(/^scheduler oldest\npass {2}has a name[\s\S]*\n17 of 17 checks passed\n$/);
  const bad = lvsim("sched", "check", file("bad.mjs", "export class Bad { static schedulerName = 'bad'; schedule(service) { return service.dests.find((dest) => !dest.overloaded); } }\n"));
  expect(bad.status).toBe(1);
  expect(bad.stdout).toContain("FAIL  never chooses a server of weight 0\n      chose A, which is quiescent\n");
  const refuses = file("picky.mjs", "export class Picky { static schedulerName = 'picky'; schedule({ dests: [dest] }) { return dest?.weight > 0 && !dest.overloaded ? dest : undefined; } }\n");
  expect([lvsim("sched", "check", refuses).status, lvsim("sched", "check", refuses, "--allow", "refuse", "--json").status]).toEqual([1, 0]);
  expect(lvsim("sched", "check", "lblc").stdout).toContain("17 of 17 checks passed");
});

const SCENARIO = file(
  "own.yaml",
  `title: own
hosts:
  director:
    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }
timeline:
  - { at: 0s, host: director, run: "ipvsadm -A -t 10.0.0.1:80 -s oldest && ipvsadm -Ln | grep TCP" }
`,
);

test("run --scheduler: ipvsadm finds it by name; without it, it is unknown; a file cannot name a module", () => {
  expect(lvsim("run", SCENARIO, "--no-ladder", "--scheduler", MINE).stdout).toContain("TCP  10.0.0.1:80 oldest\n");
  expect(lvsim("run", SCENARIO, "--no-ladder").stdout).toContain("Scheduler or persistence engine not found");
  const naming = file("naming.yaml", readFileSync(SCENARIO, "utf8").replace("-s oldest", `-s ${MINE}`));
  expect(lvsim("run", naming, "--no-ladder", "--scheduler", MINE).stdout).toContain("Scheduler or persistence engine not found");
  const keyed = file("keyed.yaml", `scheduler: ${MINE}\n${readFileSync(SCENARIO, "utf8")}`);
  expect(lvsim("run", keyed)).toMatchObject({ status: 2, stderr: expect.stringContaining("unknown key `scheduler`") });
  expect(lvsim("run", SCENARIO, "--scheduler", join(DIRECTORY, "none.mjs")).status).toBe(2);
});
