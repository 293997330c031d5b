/**
 * The master's side of connection synchronisation: which connections are told of, and when the messages leave.
 *
 *   request ▶ isDue ▶ buffer (of one thread) ─ full ▶ queue ─▶ multicast
 *                                            └ two seconds old ──┘
 *
 * Each thread (one a port, net.ipv4.vs.sync_ports) looks at its buffer about once a second, and at its queue 20 ms after something came.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_sync.c (ip_vs_sync_conn_needed, ip_vs_sync_conn, ip_vs_sync_conn_v0, sb_queue_tail, next_sync_buff,
 * sync_thread_master, make_send_sock).
 */

import { NS_PER_SECOND } from "../base/time.ts";
import { type NetDevice, SCOPE_GLOBAL } from "../host/device.ts";
import type { Errno, UdpSocket } from "../host/host.ts";
import type { EventTarget } from "../kernel/event-loop.ts";
import { Timer } from "../kernel/timer.ts";
import { PROTOCOL_SCTP, PROTOCOL_TCP } from "../wire/packet.ts";
import { CONN_BYPASS, CONN_CONNTRACK, CONN_INACTIVE, CONN_NO_OUTPUT, CONN_ONE_PACKET, CONN_SYNC, type Connection } from "./connection.ts";
import type { Director } from "./director.ts";
import type { ForwardingMethod, SyncDaemonSpec } from "./ipvs.ts";
import { SCTP_S_CLOSED, SCTP_S_ESTABLISHED, SCTP_S_SHUTDOWN_ACK_SENT, SCTP_S_SHUTDOWN_RECEIVED, SCTP_S_SHUTDOWN_SENT } from "./sctp-states.ts";
import {
  SYNC_CONNTRACK,
  SYNC_FORWARD_BYPASS,
  SYNC_FORWARD_LOCAL,
  SYNC_FORWARD_MASQ,
  SYNC_FORWARD_ROUTE,
  SYNC_FORWARD_TUNNEL,
  SYNC_INACTIVE,
  SYNC_NO_OUTPUT,
  SYNC_ONE_PACKET,
  SYNC_SYNC,
  SYNC_TEMPLATE,
  SyncBuffer,
  type SyncRecord,
  type SyncVersion,
} from "./sync-message.ts";
import { TCP_S_CLOSE, TCP_S_CLOSE_WAIT, TCP_S_ESTABLISHED, TCP_S_FIN_WAIT, TCP_S_TIME_WAIT } from "./tcp-states.ts";

const CHECK_PERIOD_NS = NS_PER_SECOND;
/** No record waits longer than this and one check. */
const FLUSH_AGE_NS = 2 * NS_PER_SECOND;
const SEND_DELAY_NS = NS_PER_SECOND / 50;
/** So many full messages in the queue wake the thread at once. */
const WAKEUP_RATE = 8;
/** Refreshing an entry earlier than half its timeout is of no use, unless that is below this. */
const REFRESH_LEAST_SECONDS = 10;

const TCP_SYNCED_STATES = (1 << TCP_S_ESTABLISHED) | (1 << TCP_S_FIN_WAIT) | (1 << TCP_S_CLOSE) | (1 << TCP_S_CLOSE_WAIT) | (1 << TCP_S_TIME_WAIT);
const SCTP_SYNCED_STATES =
  (1 << SCTP_S_ESTABLISHED) | (1 << SCTP_S_SHUTDOWN_SENT) | (1 << SCTP_S_SHUTDOWN_RECEIVED) | (1 << SCTP_S_SHUTDOWN_ACK_SENT) | (1 << SCTP_S_CLOSED);

const FORWARD_BITS: Readonly<Record<ForwardingMethod, number>> = {
  masq: SYNC_FORWARD_MASQ,
  local: SYNC_FORWARD_LOCAL,
  tunnel: SYNC_FORWARD_TUNNEL,
  route: SYNC_FORWARD_ROUTE,
};

/** What a failing send is logged with. */
const ERRNO_NUMBERS: Readonly<Record<Errno, number>> = {
  EPERM: 1,
  EACCES: 13,
  EINVAL: 22,
  EMSGSIZE: 90,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  EHOSTUNREACH: 113,
};

export class SyncMaster {
  readonly #director: Director;
  readonly #threads: readonly MasterThread[];

  private constructor(director: Director, threads: readonly MasterThread[]) {
    this.#director = director;
    this.#threads = threads;
  }

  /** `threadCount` is a power of two. */
  static start(director: Director, spec: SyncDaemonSpec, device: NetDevice, threadCount: number): SyncMaster | Errno {
    const threads: MasterThread[] = [];
    for (let id = 0; id < threadCount; id++) {
      const thread = MasterThread.start(director, spec, device, id);
      if (typeof thread === "string") {
        for (const started of threads) started.stop();
        return thread;
      }
      threads.push(thread);
    }
    return new SyncMaster(director, threads);
  }

  /** What waits is never sent. */
  stop(): void {
    for (const thread of this.#threads) thread.stop();
  }

  /** After each request of a connection, whose packet it was. Whoever controls the connection is told of as well. */
  sync(connection: Connection, packets: number): void {
    const { settings } = this.#director;
    if (settings.sync_version.value === 0) {
      this.#syncV0(connection, packets);
      return;
    }
    if ((connection.flags & CONN_ONE_PACKET) === 0 && this.#isDue(connection, packets)) this.#put(1, connection);
    for (let control = connection.control; control !== undefined; control = control.control) {
      if (this.#isDue(control, this.#controlPackets(control))) this.#put(1, control);
    }
  }

  /** The older kind tells of a controller only together with what it controls. */
  #syncV0(connection: Connection, packets: number): void {
    let count = packets;
    for (let entry: Connection | undefined = connection; entry !== undefined; entry = entry.control) {
      if (entry !== connection) count = this.#controlPackets(entry);
      if ((entry.flags & CONN_ONE_PACKET) !== 0 || !this.#isDue(entry, count)) return;
      this.#put(0, entry);
    }
  }

  #controlPackets(control: Connection): number {
    return control.isTemplate ? ++control.inPackets : this.#director.settings.sync_threshold.counter;
  }

  #put(version: SyncVersion, connection: Connection): void {
    // The kernel takes bits of the entry's address in memory; any even choice will do.
    const thread = this.#threads[connection.sequence & (this.#threads.length - 1)] as MasterThread;
    thread.add(version, recordOf(connection));
  }

  /** ip_vs_sync_conn_needed. Remembers what it has decided to tell. */
  #isDue(connection: Connection, packets: number): boolean {
    const { settings, host, nowNs } = this.#director;
    const isTemplate = connection.isTemplate;
    if (!isTemplate) {
      if (settings.sync_persist_mode.value !== 0 && isPersistent(connection)) return false;
      const { protocol, state } = connection;
      if (protocol === PROTOCOL_TCP || protocol === PROTOCOL_SCTP) {
        if ((((protocol === PROTOCOL_TCP ? TCP_SYNCED_STATES : SCTP_SYNCED_STATES) >>> state) & 1) === 0) return false;
        const established = protocol === PROTOCOL_TCP ? TCP_S_ESTABLISHED : SCTP_S_ESTABLISHED;
        if (state !== connection.syncedState && state !== established) {
          connection.syncedState = state;
          connection.syncedUntil = refreshedUntil(nowNs, connection.timeoutNs, host.options.hz, 0);
          return true;
        }
      }
    }
    let retries = 0;
    // Read as unsigned: a negative period is a very long one.
    const refreshTicks = (settings.sync_refresh_period.value * host.options.hz) >>> 0;
    if (refreshTicks > 0) {
      const used = this.#refreshRetries(connection, refreshTicks);
      if (used === undefined) return false;
      retries = used;
    }
    const { counter, period } = settings.sync_threshold;
    if (period > 0) {
      if (!isTemplate && packets % period !== counter) return false;
    } else if (refreshTicks === 0 && packets !== counter) return false;
    connection.syncedState = connection.state;
    connection.syncedUntil = refreshedUntil(nowNs, connection.timeoutNs, host.options.hz, retries);
    return true;
  }

  /** Whether an entry that was told of is due again (undefined: not yet), and as which retry; 0 starts a new round. */
  #refreshRetries(connection: Connection, refreshTicks: number): number | undefined {
    const { settings, host, nowNs } = this.#director;
    const { hz } = host.options;
    const nowTicks = Math.floor((nowNs * hz) / NS_PER_SECOND);
    const timeoutTicks = Math.floor((connection.timeoutNs * hz) / NS_PER_SECOND);
    const until = refreshedUntil(nowNs, connection.timeoutNs, hz, 0);
    const least = Math.min(refreshTicks, Math.max(timeoutTicks >>> 1, REFRESH_LEAST_SECONDS * hz));
    if (Math.abs(until - connection.syncedUntil) >= least) return 0;
    const retries = connection.syncedUntil & 3;
    if (retries >= settings.sync_retries.value) return undefined;
    if (nowTicks < connection.syncedUntil - timeoutTicks + Math.floor(refreshTicks / 8)) return undefined;
    return retries + 1;
  }
}

/** When an entry that is told of now runs out on the backup, in ticks; the low two bits count retries (sync_endtime). */
function refreshedUntil(nowNs: number, timeoutNs: number, hz: number, retries: number): number {
  return (Math.floor(((nowNs + timeoutNs) * hz) / NS_PER_SECOND) & ~3) | retries;
}

function isPersistent(connection: Connection): boolean {
  for (let control = connection.control; control !== undefined; control = control.control) if (control.isTemplate) return true;
  return false;
}

function recordOf(connection: Connection): SyncRecord {
  const { flags } = connection;
  let bits = (flags & CONN_BYPASS) !== 0 ? SYNC_FORWARD_BYPASS : FORWARD_BITS[connection.method];
  if ((flags & CONN_SYNC) !== 0) bits |= SYNC_SYNC;
  if ((flags & CONN_NO_OUTPUT) !== 0) bits |= SYNC_NO_OUTPUT;
  if ((flags & CONN_INACTIVE) !== 0) bits |= SYNC_INACTIVE;
  if (connection.isTemplate) bits |= SYNC_TEMPLATE;
  if ((flags & CONN_ONE_PACKET) !== 0) bits |= SYNC_ONE_PACKET;
  if ((flags & CONN_CONNTRACK) !== 0) bits |= SYNC_CONNTRACK;
  return {
    protocol: connection.protocol,
    flags: bits,
    state: connection.isTemplate ? Number(connection.isAssured) : connection.state,
    clientAddress: connection.clientAddress,
    clientPort: connection.clientPort,
    virtualAddress: connection.virtualAddress,
    virtualPort: connection.virtualPort,
    destAddress: connection.destAddress,
    destPort: connection.destPort,
    mark: connection.mark,
    timeoutSeconds: Math.floor(connection.timeoutNs / NS_PER_SECOND),
  };
}

/** One sending thread with its socket, the buffer in use and the full ones. */
class MasterThread implements EventTarget {
  readonly #director: Director;
  readonly #spec: SyncDaemonSpec;
  readonly #socket: UdpSocket;
  readonly #timer: Timer;
  readonly #queue: Uint8Array[] = [];
  #buffer: SyncBuffer | undefined = undefined;
  /** Messages queued since the queue was empty. */
  #queued = 0;

  private constructor(director: Director, spec: SyncDaemonSpec, socket: UdpSocket) {
    this.#director = director;
    this.#spec = spec;
    this.#socket = socket;
    this.#timer = new Timer(director.host.loop, this);
    this.#timer.arm(CHECK_PERIOD_NS);
  }

  /** Sends from the interface's first address, to the group, by that interface; nothing of it comes back here. */
  static start(director: Director, spec: SyncDaemonSpec, device: NetDevice, id: number): MasterThread | Errno {
    const { host } = director;
    const address = host.addresses.select(device, 0, SCOPE_GLOBAL);
    if (address === 0) host.log.write("IPVS: You probably need to specify IP address on multicast interface.");
    const socket = host.udp.bind({ address, port: 0 }, { onDatagram: () => {}, onError: () => {} });
    if (typeof socket === "string") return socket;
    socket.multicast.device = device;
    socket.multicast.ttl = spec.ttl;
    socket.multicast.loops = false;
    const errno = socket.connect(spec.group, spec.port + id);
    if (errno !== undefined) {
      host.log.write("IPVS: Error connecting to the multicast addr");
      socket.close();
      return errno;
    }
    host.log.write(`IPVS: sync thread started: state = MASTER, mcast_ifn = ${spec.device}, syncid = ${spec.syncId}, id = ${id}`);
    return new MasterThread(director, spec, socket);
  }

  stop(): void {
    this.#timer.disarm();
    this.#socket.close();
    this.#buffer = undefined;
    this.#queue.length = 0;
  }

  add(version: SyncVersion, record: SyncRecord): void {
    if (this.#buffer !== undefined && (this.#buffer.version !== version || !this.#buffer.hasRoom)) this.#enqueue(this.#buffer);
    this.#buffer ??= new SyncBuffer(version, this.#spec.syncId, this.#spec.maxLength, this.#director.nowNs);
    this.#buffer.add(record);
  }

  /** sb_queue_tail: a message too many is lost. */
  #enqueue(buffer: SyncBuffer): void {
    this.#buffer = undefined;
    if (this.#queue.length >= this.#director.settings.sync_qlen_max.value) return;
    if (this.#queue.length === 0 && this.#timer.remainingNs > SEND_DELAY_NS) this.#timer.arm(SEND_DELAY_NS);
    this.#queue.push(buffer.finish());
    if (++this.#queued === WAKEUP_RATE) this.#timer.arm(0);
  }

  /** sync_thread_master: what is in the queue, then the buffer if it is old enough. */
  onEvent(): void {
    for (const bytes of this.#queue.splice(0)) this.#send(bytes);
    this.#queued = 0;
    const buffer = this.#buffer;
    if (buffer !== undefined && this.#director.nowNs - buffer.firstUseNs >= FLUSH_AGE_NS) {
      this.#buffer = undefined;
      this.#send(buffer.finish());
    }
    this.#timer.arm(CHECK_PERIOD_NS);
  }

  /** A message that cannot be sent is lost. */
  #send(bytes: Uint8Array): void {
    const errno = this.#socket.send(bytes, undefined, { mayFragment: true });
    if (errno !== undefined) this.#director.host.log.write(`IPVS: ip_vs_send_async error -${ERRNO_NUMBERS[errno] ?? errno}`);
  }
}
