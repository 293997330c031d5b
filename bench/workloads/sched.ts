/**
 * Picks a second of one scheduler: `node sched.js --scheduler=wlc --servers=1000`. Prints one JSON line.
 *
 * Servers of weights 1 to 4. Each pick counts a connection on its server, and ends the one that was made 1,000 picks before: so least-connection
 * schedulers find loads that move.
 */

import { schedulerByName, schedulerContext, type SchedulerDest, schedulerDest, schedulerNames } from "../../src/ipvs/schedulers/index.ts";
import { cpuSeconds, options, print } from "./measure.ts";

const OPTIONS = options({ scheduler: "wrr", servers: 4, seconds: 0.5 });
const LIVE = 1000;
const BATCH = 1000;
const CLIENTS = 4096;

const scheduler = schedulerByName(OPTIONS.scheduler);
if (scheduler === undefined) throw new Error(`--scheduler is one of ${schedulerNames().join(", ")}`);
const dests = Array.from({ length: OPTIONS.servers }, (_, i) => schedulerDest({ address: 0x0a020001 + i, port: 80, weight: 1 + (i % 4) }));
const state = scheduler.init({ dests, flags: [] }, schedulerContext());
const packets = Array.from({ length: CLIENTS }, (_, i) => ({
  sourceAddress: 0x0a010000 + Math.imul(i, 2654435761 % 65536) % 65536,
  sourcePort: 1024 + ((i * 7919) % 60_000),
  destinationAddress: 0xc0a80001 + (i % 256),
  destinationPort: 80,
  protocol: 6,
}));
const live = new Array<SchedulerDest | undefined>(LIVE).fill(undefined);
let pick = 0;
let chosen = 0;

function batch(): void {
  for (let i = 0; i < BATCH; i++) {
    const slot = pick % LIVE;
    const ended = live[slot];
    if (ended !== undefined) {
      ended.activeConns--;
      ended.totalConns--;
    }
    const dest = state.schedule(packets[pick % CLIENTS] as (typeof packets)[0]);
    live[slot] = dest;
    if (dest !== undefined) {
      dest.activeConns++;
      dest.totalConns++;
      chosen++;
    }
    pick++;
  }
}

function runFor(seconds: number): { readonly picks: number; readonly seconds: number } {
  const before = pick;
  const start = cpuSeconds();
  let elapsed = 0;
  do {
    batch();
    elapsed = cpuSeconds() - start;
  } while (elapsed < seconds);
  return { picks: pick - before, seconds: elapsed };
}

runFor(OPTIONS.seconds / 4);
const { picks, seconds } = runFor(OPTIONS.seconds);
print({ program: "lvsim", scheduler: OPTIONS.scheduler, servers: OPTIONS.servers, picks, picksPerSecond: Math.round(picks / seconds), nsPerPick: (seconds * 1e9) / picks, chosenShare: chosen / pick });
