/**
 * scenarios/README.md: every scenario of the library with its mode, its lesson, whether the kernel agrees and what the doctor finds. `npm run
 * scenario-index` writes it; a test compares it with what the scenarios say and with what the doctor finds today.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { comparedScenarios, loadScenario, ROOT, recordingPath } from "../kernel/places.ts";
import type { Scenario } from "../src/scenario/scenario-file.ts";
import { diagnose } from "../src/why/doctor.ts";
import { recordRun } from "../src/why/record-run.ts";
import { KNOWN_DIFFERENCES, NOT_RECORDED } from "../test/conformance/exceptions.ts";

/** Folders in the order of the index, with what they hold. */
const FAMILIES: Readonly<Record<string, string>> = {
  documents: "Documents, as people print and type them",
  working: "Set-ups that work",
  arp: "Failures: who answers for the VIP",
  "arp-requests": "Failures: what a server's own ARP requests say",
  addresses: "Failures: addresses, masks and routes",
  nat: "Failures: NAT",
  netfilter: "Failures: packet filters, and the cluster's own machines as clients",
  tun: "Failures: tunnels, MTU and ICMP",
  failover: "Failures: failover",
  connections: "Failures: connections, timers and persistence",
  schedulers: "What schedulers do",
  selftest: "The kernel's own self-test",
  "": "Besides",
};

/** What people meet and no recording shows: with the reason. */
const NOT_ACTED_OUT: readonly (readonly [string, string])[] = [
  ["`twos` and how evenly it hands out", "that kernel is built without the scheduler; `lvsim sched compare` and a test of its distribution show it"],
  ["TUN to a server without the ipip module (protocol unreachable)", "every machine of a recording shares one kernel, and so its modules; `t01` has the module with its device down"],
  ["IPv6, in any of the set-ups", "not simulated: `ipvsadm -6` and IPv6 addresses are refused by name"],
];

export interface IndexedScenario {
  /** From the root of the project. */
  readonly path: string;
  readonly scenario: Scenario;
  /** Names of what the doctor finds, root cause first, each once. */
  readonly found: readonly string[];
}

/** Scenarios of the library, as paths from the root of the project. */
export function libraryPaths(): string[] {
  return comparedScenarios().filter((path) => path.startsWith("scenarios/"));
}

/** Runs one scenario and asks the doctor. */
export function indexed(path: string): IndexedScenario {
  const scenario = loadScenario(path);
  return { path, scenario, found: [...new Set(diagnose(recordRun(scenario)).map(({ id }) => id))] };
}

function familyOf(path: string): string {
  const folder = dirname(path).slice("scenarios/".length);
  return folder in FAMILIES ? folder : "";
}

function agreement(path: string): string {
  const file = recordingPath(join(ROOT, path));
  if (file === undefined || !existsSync(file)) return `not recorded: ${NOT_RECORDED.get(path) ?? "no recording yet"}`;
  const difference = KNOWN_DIFFERENCES.get(path);
  return difference === undefined ? "agrees" : `differs: ${difference}`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function rowOf({ path, scenario, found }: IndexedScenario): string {
  const { lesson } = scenario;
  const name = path.slice("scenarios/".length).replace(/\.yaml$/, "");
  const short = name.slice(name.indexOf("/") + 1);
  const findings = found.length === 0 ? "nothing wrong" : found.map((id) => `\`${id}\``).join(", ");
  return `| [${short}](${name}.yaml) | ${lesson?.mode ?? "any"} | ${cell(lesson?.teaches ?? scenario.title)} | ${cell(agreement(path))} | ${findings} |`;
}

/** The whole file. */
export function indexText(scenarios: readonly IndexedScenario[]): string {
  const agreeing = scenarios.filter(({ path }) => agreement(path) === "agrees").length;
  const lines = [
    "# Scenarios",
    "",
    "The library: set-ups that work and failures that people meet, in the commands that they type. `lvsim run FILE` runs one, `lvsim view FILE` opens it in",
    "the page, `lvsim doctor FILE` names what is wrong.",
    "",
    `${scenarios.length} scenarios; in ${agreeing} of them a real Linux kernel said and sent the same, frame by frame and output by output. This file is made by \`npm run scenario-index\`.`,
    "",
  ];
  for (const [family, title] of Object.entries(FAMILIES)) {
    const rows = scenarios.filter(({ path }) => familyOf(path) === family).map(rowOf);
    if (rows.length === 0) continue;
    lines.push(`## ${title}`, "", "| scenario | mode | lesson | the kernel | the doctor finds |", "|---|---|---|---|---|", ...rows, "");
  }
  const alone = scenarios.flatMap(({ path }) => {
    const why = NOT_RECORDED.get(path);
    return why === undefined ? [] : [[`\`${path.slice("scenarios/".length).replace(/\.yaml$/, "")}\``, why] as const];
  });
  lines.push("## What no kernel acted out", "", "| what | why |", "|---|---|", ...[...alone, ...NOT_ACTED_OUT].map(([what, why]) => `| ${what} | ${cell(why)} |`), "");
  return lines.join("\n");
}

export const INDEX_FILE = join(ROOT, "scenarios/README.md");

/** What the file says now. */
export function currentIndex(): string {
  return existsSync(INDEX_FILE) ? readFileSync(INDEX_FILE, "utf8") : "";
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(INDEX_FILE, indexText(libraryPaths().map(indexed)));
