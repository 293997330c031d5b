/**
 * The defences against floods: drop_entry, drop_packet and secure_tcp, judged once a second while any of them is on.
 *
 * Modes: 0 off, 1 on when memory is low, 2 is what 1 becomes then, 3 always. A simulated host is never low on memory.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_ctl.c (update_defense_level, defense_work_handler), ip_vs_conn.c (ip_vs_random_dropentry, todrop_entry).
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { EventTarget } from "../kernel/event-loop.ts";
import type { RandomStream } from "../kernel/random.ts";
import { Timer } from "../kernel/timer.ts";
import { PROTOCOL_SCTP, PROTOCOL_TCP } from "../wire/packet.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Director } from "./director.ts";
import { TCP_S_ESTABLISHED, TCP_S_SYN_RECV, TCP_S_SYNACK } from "./tcp-states.ts";

const PERIOD_NS = NS_PER_SECOND;
const ALWAYS = 3;
/** A part of the table is looked at each second. */
const SLICES = 32;
const IDLE_NS = 60 * NS_PER_SECOND;
/** An entry with that many packets is dropped with probability 1/packets; with more, never. */
const PACKETS_MAX = 8;

export class Defence implements EventTarget {
  readonly #director: Director;
  readonly #connections: Connections;
  readonly #timer: Timer;
  readonly #random: RandomStream;
  readonly #counters = new Int32Array(PACKETS_MAX + 1);

  constructor(director: Director, connections: Connections) {
    this.#director = director;
    this.#connections = connections;
    this.#timer = new Timer(director.host.loop, this);
    this.#random = director.host.random("ipvs drop_entry");
  }

  /** After one of the sysctls was written. */
  settingsChanged(): void {
    const { settings } = this.#director;
    const isOn = settings.drop_entry.value === ALWAYS || settings.drop_packet.value === ALWAYS || settings.secure_tcp.value === ALWAYS;
    this.#apply();
    if (isOn && !this.#timer.isArmed) this.#timer.arm(PERIOD_NS);
    if (!isOn) this.#timer.disarm();
  }

  onEvent(): void {
    this.#apply();
    if (this.#director.settings.drop_entry.value === ALWAYS) this.#dropEntries();
    this.#timer.arm(PERIOD_NS);
  }

  #apply(): void {
    const director = this.#director;
    director.isSecure = director.settings.secure_tcp.value === ALWAYS;
    director.dropRate = director.settings.drop_packet.value === ALWAYS ? director.settings.am_droprate.value : 0;
    if (director.dropCounter === 0 || director.dropCounter > director.dropRate) director.dropCounter = director.dropRate;
  }

  #dropEntries(): void {
    for (const connection of this.#director.table.slice(this.#random.below(SLICES), SLICES)) {
      if (connection.controlledCount > 0 || !this.#shouldDrop(connection)) continue;
      const { control } = connection;
      this.#connections.delete(connection);
      if (control !== undefined && !control.isTemplate && control.controlledCount === 0) this.#connections.delete(control);
    }
  }

  #shouldDrop(connection: Connection): boolean {
    if (connection.isTemplate) return !connection.isAssured;
    if (connection.protocol === PROTOCOL_TCP) {
      if (connection.state === TCP_S_SYN_RECV || connection.state === TCP_S_SYNACK) return true;
      return connection.state === TCP_S_ESTABLISHED && this.#isIdleAndUnlucky(connection);
    }
    return connection.protocol === PROTOCOL_SCTP ? false : this.#isIdleAndUnlucky(connection);
  }

  #isIdleAndUnlucky(connection: Connection): boolean {
    // The kernel knows the idle time from what the timer has left.
    if (connection.timer.remainingNs + IDLE_NS > connection.timeoutNs) return false;
    const packets = connection.inPackets;
    if (packets > PACKETS_MAX || packets < 1) return false;
    const counters = this.#counters;
    counters[packets] = (counters[packets] as number) - 1;
    if ((counters[packets] as number) > 0) return false;
    counters[packets] = packets;
    return true;
  }
}
