/**
 * Runs a soak and says what is wrong with it: what its watch saw, and readings that failed though nobody who kept their connection was at fault.
 */

import { LINUX_PARTS } from "../../src/scenario/linux-parts.ts";
import { type RunResult, ScenarioRun } from "../../src/scenario/run-scenario.ts";
import { parseScenario, type Scenario } from "../../src/scenario/scenario-file.ts";
import type { TraceEvent } from "../../src/trace/events.ts";
import { FIRST_PORT, pageOf, SERVERS } from "./random-faults.ts";
import { SAMPLE_NS, type SoakCounts, SoakWatch } from "./soak-watch.ts";

/** A client that was stranded for so long may have had to wait until its patience ended. */
const STRANDED_NS = 2e9;

/** When somebody who held connections lost them: a machine died, a server's process was killed. */
interface Death {
  readonly host: string;
  readonly timeNs: number;
}

interface Reading {
  readonly port: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly stdout: string;
}

export interface SoakVerdict extends SoakCounts {
  /** Complaints in words; empty is good. */
  readonly wrong: readonly string[];
  readonly read: number;
  readonly lost: number;
}

/** Runs the text of a scenario that `renderSoak` wrote. */
export function runSoak(text: string): SoakVerdict {
  const scenario = parseScenario(text, "soak.yaml");
  const events: TraceEvent[] = [];
  const kept = new Set(["fault", "link", "tcp-state"]);
  let watch: SoakWatch | undefined;
  const sink = {
    write: (event: TraceEvent) => {
      if (kept.has(event.kind)) events.push(event);
      watch?.write(event);
    },
  };
  const run = new ScenarioRun(scenario, { parts: LINUX_PARTS, traceLevel: "packets", sinks: [sink] });
  run.runSetup();
  watch = new SoakWatch(run, scenario);
  run.scheduleTimeline();
  while (!run.isOver) {
    run.runUntil(run.world.loop.nowNs + SAMPLE_NS, { isDone: () => run.isOver });
    watch.sample();
  }
  return judge(scenario, run.finish(), watch, events);
}

function judge(scenario: Scenario, result: RunResult, watch: SoakWatch, events: readonly TraceEvent[]): SoakVerdict {
  const wrong = [...watch.wrong];
  const deaths = deathsOf(events);
  const established = establishedOf(events);
  const readings = readingsOf(scenario, result);
  const lastPort = Math.max(...readings.map(({ port }) => port));
  let lost = 0;
  for (const reading of readings) {
    const { port, startNs, endNs, stdout } = reading;
    const by = SERVERS.find((name) => stdout.endsWith(pageOf(name)));
    const dests = watch.dests.get(port) ?? new Set<string>();
    const told = `port ${port}, to ${[...dests].join(" and ") || "nobody"}, from ${(startNs - result.originNs) / 1e9} to ${(endNs - result.originNs) / 1e9} s, ${stdout.length} characters`;
    if (by !== undefined) {
      if (!dests.has(by)) wrong.push(`${told}: the page is ${by}'s`);
      continue;
    }
    lost++;
    if (watch.strandedNs(startNs, endNs) >= STRANDED_NS) continue;
    if (port > lastPort - SERVERS.length) {
      wrong.push(`${told}, when all faults were over`);
      continue;
    }
    // Before both ends have it, nobody keeps a connection: ARP, the handshake or the listener may give it up.
    const ends = established.get(port) ?? new Set<string>();
    const server = SERVERS.find((name) => ends.has(name));
    if (server === undefined || !ends.has("client")) continue;
    const isDead = deaths.some(({ host, timeNs }) => host === server && timeNs >= startNs && timeNs <= endNs);
    // Two directors chose two servers for one SYN and its repetition: the one that comes out on top may have the wrong one.
    if (isDead || watch.resets.has(port) || dests.size > 1) continue;
    wrong.push(`${told}: lost, though ${server} lives and every director that was asked knew of it`);
  }
  return { ...watch.counts, wrong, read: readings.length - lost, lost };
}

function deathsOf(events: readonly TraceEvent[]): Death[] {
  const deaths: Death[] = [];
  const darkSince = new Map<string, number>();
  for (const event of events) {
    if (event.kind === "link" && event.state === "crashed") darkSince.set(event.host, event.timeNs);
    if (event.kind === "link" && event.state === "up") darkSince.delete(event.host);
    if (event.kind !== "fault") continue;
    if (event.fault === "reboot" || event.fault === "poweroff") deaths.push({ host: event.host, timeNs: Math.min(event.timeNs, darkSince.get(event.host) ?? event.timeNs) });
    if (event.fault === "kill" && event.detail.endsWith(" KILL")) deaths.push({ host: event.host, timeNs: event.timeNs });
  }
  return deaths;
}

function readingsOf(scenario: Scenario, result: RunResult): Reading[] {
  return scenario.timeline.flatMap((step, index) => {
    const port = step.verb === "run" ? /(?:--local-port|nc -p) (\d+)/.exec(step.script)?.[1] : undefined;
    const ended = result.timeline[index];
    if (port === undefined || ended === undefined || !("exit" in ended)) return [];
    const startNs = result.originNs + step.atNs;
    return [{ port: Number(port), startNs, endNs: startNs + ended.seconds * 1e9, stdout: ended.stdout }];
  });
}

/** Who has finished a port's handshake. */
function establishedOf(events: readonly TraceEvent[]): ReadonlyMap<number, Set<string>> {
  const hosts = new Map<number, Set<string>>();
  for (const event of events) {
    if (event.kind !== "tcp-state" || event.after !== "ESTABLISHED") continue;
    const ports = [...event.socket.matchAll(/:(\d+)/g)].map((match) => Number(match[1]));
    const port = ports.find((one) => one >= FIRST_PORT && one < FIRST_PORT + 1000);
    if (port !== undefined) hosts.set(port, (hosts.get(port) ?? new Set()).add(event.host));
  }
  return hosts;
}
