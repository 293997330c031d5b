/**
 * What one choice of a scheduler costs on this computer. The clock is the caller's: figures of it are no part of a deterministic run.
 */

import { type Scheduler, type SchedulerDest, type SchedulerPacket, schedulerContext, schedulerDest, seededRandom } from "../ipvs/schedulers/scheduler.ts";
import { PROTOCOL_TCP } from "../wire/packet.ts";
import { clientAddress, serverAddress, VIRTUAL_PORT, WORKLOAD_VIRTUAL_ADDRESS } from "./bare-director.ts";
import type { Workload } from "./workload-file.ts";
import { ArrivalStream } from "./workload-run.ts";

const PACKETS_MAX = 4096;
/** Connections that stay open, so that counters differ. */
const OPEN_PER_SERVER = 8;
const ROUNDS = 7;
const ROUND_NS = 15_000_000;

export interface PickCostOptions {
  readonly flags?: readonly string[];
  /** A monotonic clock in nanoseconds. */
  clockNs(): number;
}

/**
 * Nanoseconds a choice, the median of seven rounds of 15 ms: `schedule()` and the counters around it, for clients of the workload and the
 * servers that it starts with. Without a director, whose part is the same for every scheduler.
 */
export function costPerPick(workload: Workload, scheduler: Scheduler, options: PickCostOptions): number {
  const packets = packetsOf(workload);
  const dests = workload.servers
    .flatMap((server, index) => (server.isPresent ? [schedulerDest({ address: serverAddress(index), port: VIRTUAL_PORT, weight: server.weight })] : []))
    .reverse();
  if (packets.length === 0 || dests.length === 0) return 0;
  const random = seededRandom();
  const flags = [...workload.flags, ...(options.flags ?? [])];
  const state = scheduler.init({ dests, flags }, schedulerContext({ randomBelow: random }));
  const open = new Array<SchedulerDest | undefined>(dests.length * OPEN_PER_SERVER).fill(undefined);
  let next = 0;
  const pickSome = () => {
    for (const packet of packets) {
      const dest = state.schedule(packet);
      const slot = next++ % open.length;
      const gone = open[slot];
      if (gone !== undefined) {
        gone.activeConns--;
        gone.totalConns--;
      }
      open[slot] = dest;
      if (dest === undefined) continue;
      dest.activeConns++;
      dest.totalConns++;
    }
  };
  pickSome();
  const rounds = Array.from({ length: ROUNDS }, () => {
    const startNs = options.clockNs();
    let picks = 0;
    let passedNs = 0;
    do {
      pickSome();
      picks += packets.length;
      passedNs = options.clockNs() - startNs;
    } while (passedNs < ROUND_NS);
    return passedNs / picks;
  });
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1] as number;
}

function packetsOf(workload: Workload): SchedulerPacket[] {
  const stream = new ArrivalStream(workload, workload.seed);
  const packets: SchedulerPacket[] = [];
  for (let arrival = stream.next(); arrival !== undefined && packets.length < PACKETS_MAX; arrival = stream.next()) {
    packets.push({
      sourceAddress: clientAddress(arrival.client),
      sourcePort: 1024 + packets.length,
      destinationAddress: WORKLOAD_VIRTUAL_ADDRESS,
      destinationPort: VIRTUAL_PORT,
      protocol: PROTOCOL_TCP,
    });
  }
  return packets;
}
