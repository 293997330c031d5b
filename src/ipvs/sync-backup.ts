/**
 * The backup's side of connection synchronisation: what it hears becomes entries, so that connections go on when this director takes over.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_sync.c (ip_vs_process_message, ip_vs_proc_conn, make_receive_sock), ip_vs_ctl.c:ip_vs_find_dest,
 * ip_vs_conn.c:ip_vs_try_bind_dest.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { NetDevice } from "../host/device.ts";
import type { Errno, UdpSocket } from "../host/host.ts";
import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/packet.ts";
import { CONN_BYPASS, CONN_INACTIVE, CONN_NO_OUTPUT, CONN_SYNC, CONN_TEMPLATE, type Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Dest } from "./dest.ts";
import type { Director } from "./director.ts";
import type { ForwardingMethod, SyncDaemonSpec } from "./ipvs.ts";
import { findService } from "./scheduling.ts";
import { SCTP_TIMEOUTS_NS } from "./sctp-states.ts";
import { findDest } from "./service.ts";
import {
  decodeSyncMessage,
  SYNC_BACKUP_MASK,
  SYNC_FORWARD_BYPASS,
  SYNC_FORWARD_LOCAL,
  SYNC_FORWARD_MASK,
  SYNC_FORWARD_MASQ,
  SYNC_FORWARD_TUNNEL,
  SYNC_INACTIVE,
  SYNC_NO_OUTPUT,
  SYNC_TEMPLATE,
  type SyncRecord,
} from "./sync-message.ts";
import { TCP_STATE_NAMES } from "./tcp-states.ts";

/** For templates whose message does not say. */
const TEMPLATE_TIMEOUT_NS = 180 * NS_PER_SECOND;
/** Half of what times in nanoseconds can express. */
const TIMEOUT_MAX_SECONDS = 4_500_000;

export class SyncBackup {
  readonly #director: Director;
  readonly #connections: Connections;
  readonly #spec: SyncDaemonSpec;
  readonly #sockets: UdpSocket[] = [];

  private constructor(director: Director, connections: Connections, spec: SyncDaemonSpec) {
    this.#director = director;
    this.#connections = connections;
    this.#spec = spec;
  }

  static start(director: Director, connections: Connections, spec: SyncDaemonSpec, device: NetDevice, threadCount: number): SyncBackup | Errno {
    const backup = new SyncBackup(director, connections, spec);
    for (let id = 0; id < threadCount; id++) {
      const errno = backup.#listen(device, id);
      if (errno === undefined) continue;
      backup.stop();
      return errno;
    }
    return backup;
  }

  stop(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #listen(device: NetDevice, id: number): Errno | undefined {
    const { host } = this.#director;
    const { group, port, syncId } = this.#spec;
    const socket = host.udp.bind(
      { address: group, port: port + id, device, reuseAddress: true },
      { onDatagram: (payload) => this.receive(payload), onError: () => {} },
    );
    if (typeof socket === "string") {
      host.log.write("IPVS: Error binding to the multicast addr");
      return socket;
    }
    this.#sockets.push(socket);
    const errno = socket.join(group, device);
    host.log.write(
      errno !== undefined
        ? "IPVS: Error joining to the multicast group"
        : `IPVS: sync thread started: state = BACKUP, mcast_ifn = ${this.#spec.device}, syncid = ${syncId}, id = ${id}`,
    );
    return errno;
  }

  /** A longer datagram than the buffer is cut, and then its size is not what it says. */
  receive(bytes: Uint8Array): void {
    if (bytes.length > this.#spec.maxLength) return;
    const message = decodeSyncMessage(bytes);
    if (message === undefined || (this.#spec.syncId !== 0 && message.syncId !== this.#spec.syncId)) return;
    for (const record of message.records) this.#learn(record, message.version === 1 ? record.flags & SYNC_BACKUP_MASK : record.flags);
    if (message.error !== undefined) this.#director.host.log.write(`IPVS: ${message.error}`);
  }

  /** ip_vs_proc_conn */
  #learn(record: SyncRecord, flags: number): void {
    const isTemplate = (flags & SYNC_TEMPLATE) !== 0;
    if (!isTemplate && !isKnownState(record)) return;
    const isInactive = (flags & SYNC_INACTIVE) !== 0;
    let connection = this.#find(record, isTemplate);
    if (connection !== undefined && !isTemplate && (connection.destAddress !== record.destAddress || connection.destPort !== record.destPort)) {
      // It went to another server since. Its end may be told of late: then the newer one stays.
      if (isInactive) return;
      this.#connections.expireNow(connection);
      connection = undefined;
    }
    if (connection === undefined) {
      connection = this.#create(record, flags);
      if (connection === undefined) return;
    } else {
      this.#connections.applySyncedActivity(connection, isInactive);
      const dest = connection.dest === undefined ? this.#destOf(record, isMasq(connection)) : undefined;
      if (dest !== undefined) this.#connections.bindSynced(connection, dest);
    }
    connection.inPackets = this.#director.settings.sync_threshold.counter;
    this.#connections.applySyncedState(connection, record.state, this.#timeoutOf(record, isTemplate));
  }

  #find(record: SyncRecord, isTemplate: boolean): Connection | undefined {
    const { table } = this.#director;
    const { protocol, clientAddress, clientPort, virtualAddress, virtualPort } = record;
    return isTemplate
      ? table.findTemplate(protocol, clientAddress, virtualAddress, virtualPort)
      : table.findIn(protocol, clientAddress, clientPort, virtualAddress, virtualPort);
  }

  /** Without a server of that address here the entry forwards as the other director did. */
  #create(record: SyncRecord, flags: number): Connection | undefined {
    const forward = flags & SYNC_FORWARD_MASK;
    const dest = this.#destOf(record, forward === SYNC_FORWARD_MASQ);
    let own = CONN_SYNC;
    if ((flags & SYNC_TEMPLATE) !== 0) own |= CONN_TEMPLATE;
    if ((flags & SYNC_INACTIVE) !== 0) own |= CONN_INACTIVE;
    if ((flags & SYNC_NO_OUTPUT) !== 0) own |= CONN_NO_OUTPUT;
    if (forward === SYNC_FORWARD_BYPASS) own |= CONN_BYPASS;
    return this.#connections.createSynced(record, { address: record.destAddress, port: record.destPort, method: methodOf(forward) }, own, dest, record.mark);
  }

  /** ip_vs_ctl.c:ip_vs_find_dest: servers of a marked service have no port of their own unless they are reached by NAT. */
  #destOf(record: SyncRecord, byNat: boolean): Dest | undefined {
    const { protocol, virtualAddress, virtualPort, destAddress, destPort, mark } = record;
    const service = findService(this.#director, mark, { protocol, destinationAddress: virtualAddress, destinationPort: virtualPort });
    if (service === undefined) return undefined;
    const port = mark !== 0 && !byNat ? 0 : destPort;
    return findDest(service, destAddress, port) ?? findDest(service, destAddress, port ^ destPort);
  }

  #timeoutOf(record: SyncRecord, isTemplate: boolean): number {
    if (record.timeoutSeconds !== 0) return Math.min(record.timeoutSeconds, TIMEOUT_MAX_SECONDS) * NS_PER_SECOND;
    if (isTemplate) return TEMPLATE_TIMEOUT_NS;
    if (record.protocol === PROTOCOL_UDP) return this.#director.udpTimeoutNs;
    return (record.protocol === PROTOCOL_TCP ? this.#director.tcpTimeouts.ns[record.state] : SCTP_TIMEOUTS_NS[record.state]) as number;
  }
}

function isKnownState({ protocol, state }: SyncRecord): boolean {
  if (protocol === PROTOCOL_TCP) return state < TCP_STATE_NAMES.length;
  if (protocol === PROTOCOL_SCTP) return state < SCTP_TIMEOUTS_NS.length;
  return protocol === PROTOCOL_UDP && state === 0;
}

function isMasq(connection: Connection): boolean {
  return connection.method === "masq";
}

function methodOf(forward: number): ForwardingMethod {
  if (forward === SYNC_FORWARD_MASQ) return "masq";
  if (forward === SYNC_FORWARD_LOCAL) return "local";
  return forward === SYNC_FORWARD_TUNNEL ? "tunnel" : "route";
}
