/**
 * What docs/SCHEDULERS.md shows works as it stands there: its scheduler, its workload file, its keys and figures.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type SchedulerClass, schedulerConformance } from "../../../src/ipvs/schedulers/index.ts";
import { LINUX_PARTS } from "../../../src/scenario/linux-parts.ts";
import { runScenario } from "../../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { compareSchedulers } from "../../../src/sched/compare.ts";
import { comparisonToCsv } from "../../../src/sched/compare-report.ts";
import { runSchedScript } from "../../../src/sched/sched-script.ts";
import { parseWorkload } from "../../../src/sched/workload-file.ts";

const ROOT = new URL("../../../", import.meta.url);
const DOCUMENT = readFileSync(new URL("docs/SCHEDULERS.md", ROOT), "utf8");
const SCENARIOS = readFileSync(new URL("docs/SCENARIOS.md", ROOT), "utf8");
const DIRECTORY = mkdtempSync(join(tmpdir(), "lvsim-docs-"));

afterAll(() => {
  rmSync(DIRECTORY, { recursive: true });
});

function block(document: string, language: string): string {
  const found = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(document)?.[1];
  if (found === undefined) throw new Error(`no ${language} block`);
  return found;
}

async function documented(): Promise<SchedulerClass> {
  const file = join(DIRECTORY, "mine.mjs");
  writeFileSync(file, block(DOCUMENT, "js"));
  const { Mine } = (await import(file)) as { Mine: SchedulerClass };
  return Mine;
}

function tenMillisecondsALook(): () => number {
  let nowNs = 0;
  return () => (nowNs += 10_000_000);
}

test("the scheduler of the documentation conforms", async () => {
  expect(schedulerConformance(await documented()).filter((check) => !check.passed)).toEqual([]);
});

test("it works in scripts, in ipvsadm -s and under a workload", async () => {
  const Mine = await documented();
  const script = "service tcp 10.9.0.1:80 mine\nadd 10.2.0.1:80 weight 2\nadd 10.2.0.2:80\n" + [1, 2, 3, 4, 5, 6].map((n) => `open c${n} from 10.1.0.1:400${n}\n`).join("");
  const picks = runSchedScript(script, { schedulers: [Mine] }).lines.map((line) => line.slice(-4, -3));
  expect(picks.sort().join("")).toBe("111122");
  const scenario = `title: t\nhosts:\n  d:\n    interfaces: { eth0: { link: l, address: 10.0.0.1/24 } }\n    run: ipvsadm -A -t 10.0.0.1:80 -s mine\n`;
  expect(runScenario(parseScenario(scenario, "s.yaml"), { parts: LINUX_PARTS, schedulers: [Mine] }).setup.d?.exit).toBe(0);
  const [mine] = compareSchedulers(parseWorkload(block(DOCUMENT, "yaml"), "w.yaml"), [Mine]).schedulers;
  expect(mine?.figures.served).toBeGreaterThan(10_000);
});

test("the workload of the documentation runs, and every key and figure has a row", () => {
  const workload = parseWorkload(block(DOCUMENT, "yaml"), "w.yaml");
  expect(workload.changes).toHaveLength(4);
  const comparison = compareSchedulers(workload, ["sh"], { clockNs: tenMillisecondsALook() });
  const figures = new Set(comparisonToCsv(comparison).trimEnd().split("\n").slice(1).map((row) => row.split(",")[3] as string));
  expect(figures.size).toBeGreaterThan(25);
  const missing = [...figures].filter((figure) => !DOCUMENT.includes(`\`${figure.split(".")[0]}`));
  expect(missing).toEqual([]);
  let message = "";
  try {
    parseWorkload("titel: t\n", "w.yaml");
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message).toContain("did you mean `title`?");
  for (const key of ["title", "description", "seed", "duration", "arrivals.kind", "sizes.kind", "clients.count", "persistence", "flags", "servers.NAME.weight", "events[].at"]) expect(DOCUMENT).toContain(`\`${key}\``);
});

test("the workload of SCENARIOS.md can stand in a scenario", () => {
  const yaml = SCENARIOS.slice(SCENARIOS.indexOf("**Workload.**"));
  const hosts = "title: t\nhosts:\n  client1: { interfaces: { eth0: { link: l, address: 192.168.1.1/24 } } }\n  client2: { interfaces: { eth0: { link: l, address: 192.168.1.2/24 } } }\n";
  expect(parseScenario(hosts + block(yaml, "yaml"), "s.yaml").workloads).toHaveLength(1);
});
