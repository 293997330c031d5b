/**
 * What must hold of the connections of a soak: one is lost only when somebody who kept it has died. Told from the outputs of the readers and
 * the trace alone.
 */

import { formatIpv4Address } from "../../src/base/ipv4-address.ts";
import type { RunResult } from "../../src/scenario/run-scenario.ts";
import type { Scenario } from "../../src/scenario/scenario-file.ts";
import type { TraceEvent } from "../../src/trace/events.ts";
import { FIRST_PORT, pageOf, SERVERS, VIP } from "./random-faults.ts";

const HTTP_PORT = 80;

/** When somebody who held connections lost them: a machine died, a server's process was killed. */
interface Death {
  readonly host: string;
  readonly timeNs: number;
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

interface Reading {
  readonly port: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly exit: number;
  readonly stdout: string;
}

function readingsOf(scenario: Scenario, result: RunResult): Reading[] {
  return scenario.timeline.flatMap((step, index) => {
    const port = step.verb === "run" ? /--local-port (\d+)/.exec(step.script)?.[1] : undefined;
    const ended = result.timeline[index];
    if (port === undefined || ended === undefined || !("exit" in ended)) return [];
    const startNs = result.originNs + step.atNs;
    return [{ port: Number(port), startNs, endNs: startNs + ended.seconds * 1e9, exit: ended.exit ?? -1, stdout: ended.stdout }];
  });
}

/** Whom the director sent a client's port to, and who has finished its handshake. */
interface Fate {
  director: string | undefined;
  server: string | undefined;
  isKeptByClient: boolean;
  isKeptByServer: boolean;
}

function fatesOf(events: readonly TraceEvent[]): Map<number, Fate> {
  const fates = new Map<number, Fate>();
  const fateOf = (port: number): Fate => {
    let fate = fates.get(port);
    if (fate === undefined) {
      fate = { director: undefined, server: undefined, isKeptByClient: false, isKeptByServer: false };
      fates.set(port, fate);
    }
    return fate;
  };
  const names = new Map(SERVERS.map((name, i) => [`10.0.0.${11 + i}:${HTTP_PORT}`, name as string]));
  for (const event of events) {
    if (event.kind === "scheduled" && event.chosen !== undefined) {
      const fate = fateOf(event.clientPort);
      // A director that has forgotten a connection schedules its next SYN anew.
      fate.director = event.host;
      fate.server = names.get(event.chosen);
    }
    if (event.kind !== "tcp-state" || event.after !== "ESTABLISHED") continue;
    const ports = [...event.socket.matchAll(/:(\d+)/g)].map((match) => Number(match[1]));
    const port = ports.find((one) => one >= FIRST_PORT && one < FIRST_PORT + 1000);
    if (port === undefined) continue;
    if (event.host === "client") fateOf(port).isKeptByClient = true;
    else fateOf(port).isKeptByServer = true;
  }
  return fates;
}

/** Complaints in words; empty is good. `checked` counts the readings that nothing excused. */
export function checkSoak(scenario: Scenario, result: RunResult, events: readonly TraceEvent[]): { readonly wrong: readonly string[]; readonly checked: number; readonly lost: number } {
  const deaths = deathsOf(events);
  const fates = fatesOf(events);
  const readings = readingsOf(scenario, result);
  const pages = new Map(SERVERS.map((name) => [pageOf(name), name as string]));
  const lastFaultNs = Math.max(0, ...events.flatMap((event) => (event.kind === "fault" || event.kind === "link" ? [event.timeNs] : [])));
  const wrong: string[] = [];
  let checked = 0;
  let lost = 0;
  for (const reading of readings) {
    const fate = fates.get(reading.port);
    const isDead = (host: string | undefined) => host !== undefined && deaths.some((death) => death.host === host && death.timeNs >= reading.startNs && death.timeNs <= reading.endNs);
    const told = `port ${reading.port}, ${fate?.director ?? "no director"} to ${fate?.server ?? "nobody"}, from ${(reading.startNs - result.originNs) / 1e9} s: exit ${reading.exit}, ${reading.stdout.length} characters`;
    if (reading.exit === 0) {
      const by = pages.get(reading.stdout);
      if (by === undefined) wrong.push(`${told}: no server's page`);
      else if (by !== fate?.server) wrong.push(`${told}: the page is ${by}'s`);
      checked++;
      continue;
    }
    lost++;
    const isAfterAll = reading.startNs > lastFaultNs + 5e9;
    if (isAfterAll) wrong.push(`${told}, when all faults were over`);
    // Before both ends have it, nobody keeps a connection: ARP, the handshake or the listener may give it up.
    else if (fate !== undefined && fate.isKeptByClient && fate.isKeptByServer && !isDead(fate.director) && !isDead(fate.server)) wrong.push(`${told}: lost, though nobody died`);
  }
  return { wrong, checked, lost };
}

/** Addresses of the VIP that answer at a moment, for pairs that move it. */
export function holdersOfVip(result: RunResult): string[] {
  const holders: string[] = [];
  for (const name of ["d1", "d2"]) {
    const { host } = result.world.machine(name);
    if (host.devices.list.some((device) => device.kind === "ether" && device.addresses.some(({ address }) => formatIpv4Address(address) === VIP))) holders.push(name);
  }
  return holders;
}
