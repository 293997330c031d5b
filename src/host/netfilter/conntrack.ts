/**
 * Connection tracking: recognises the packets of a connection, in both directions, and says how they relate to it.
 *
 *   PREROUTING, LOCAL_OUT   defragment (-400), look up or begin a connection (-200)
 *   LOCAL_IN, POSTROUTING   confirm: from here on the connection is in the table (last)
 *
 * The hooks exist only while something needs them: a rule that asks for the state, a NAT target, IPVS for FTP. Entries that are over their
 * time are removed when somebody comes across them, as the kernel's garbage collection makes it look from outside; no timers run.
 * Linux v6.1 net/netfilter/nf_conntrack_core.c, nf_conntrack_proto.c, nf_conntrack_proto_{udp,icmp,generic}.c. Not modelled: expectations
 * and helpers (but the renumbering that IPVS's FTP helper needs), zones, labels, accounting.
 */

import { NS_PER_SECOND } from "../../base/time.ts";
import { IcmpMessage, isIcmpError, PROTOCOL_GRE, PROTOCOL_ICMP, PROTOCOL_UDP, TcpSegment } from "../../wire/packet.ts";
import type { ConntrackRow } from "../../trace/rows.ts";
import type { ConntrackTable, Host } from "../host.ts";
import { formatEnd, touchRow } from "../host-tables.ts";
import type { ConntrackInfo, SkBuff } from "../skb.ts";
import { Connection } from "./connection.ts";
import type { ConntrackEntry, ConntrackTuple } from "./conntrack-entry.ts";
import { type ConntrackSettings, registerConntrackSysctls } from "./conntrack-sysctl.ts";
import { beginTcp, TcpTrack, trackTcp } from "./conntrack-tcp.ts";
import {
  NF_LOCAL_IN,
  NF_LOCAL_OUT,
  NF_POSTROUTING,
  NF_PREROUTING,
  NF_PRIORITY_CONNTRACK,
  NF_PRIORITY_CONNTRACK_CONFIRM,
  NF_PRIORITY_CONNTRACK_DEFRAG,
  type Verdict,
} from "./hooks.ts";
import { SequenceAdjust } from "./sequence-adjust.ts";
import { beginsIcmpConnection, Tuple, TupleNode, TupleTable, tupleOf } from "./tuple.ts";

const SWEEP_EVERY = 1024;
const MAX_ICMP_TYPE = 18;

export function isReplyInfo(info: ConntrackInfo | undefined): boolean {
  return info === "ESTABLISHED_REPLY" || info === "RELATED_REPLY";
}

/** The connection that a packet belongs to, with everything this side of the contract. */
export function connectionOf(skb: SkBuff): Connection | undefined {
  return skb.conntrack as Connection | undefined;
}

export class Conntrack implements ConntrackTable {
  readonly #host: Host;
  readonly #table = new TupleTable();
  readonly #confirmed = new Set<Connection>();
  readonly #settings: ConntrackSettings;
  readonly #scratch = new Tuple();
  #users = 0;
  #isPinned = false;
  #undo: (() => void)[] = [];
  #insertedSinceSweep = 0;
  /** Packets that belonged to nothing (nf_conntrack_stat.invalid, .drop). */
  readonly statistics = { invalid: 0, insertFailed: 0, drop: 0, earlyDrop: 0 };
  /** Called when a connection leaves the table: NAT forgets it too. */
  onRemoved: ((connection: Connection) => void) | undefined;
  /** Called when an entry was made, confirmed with a reply, or removed, for `conntrack -E`. */
  readonly listeners = new Set<(change: "NEW" | "UPDATE" | "DESTROY", connection: Connection) => void>();

  constructor(host: Host) {
    this.#host = host;
    this.#settings = registerConntrackSysctls(host.sysctl, () => this.entries.length);
    host.tables.register<Connection>("conntrack", {
      objects: () => this.#confirmed,
      keyOf: (connection) => `${connection.original.protocol} ${tupleText(connection.original)}`,
      rowOf: (connection) => (this.#confirmed.has(connection) ? conntrackRow(connection) : undefined),
      changing: (connection) => {
        if (connection.isDead) return undefined;
        const { state, hasReply, isAssured, mark, expiresAtNs } = connection;
        return { state, hasReply, isAssured, mark, untilNs: expiresAtNs };
      },
    });
  }

  get isEnabled(): boolean {
    return this.#users > 0;
  }

  /** Masqueraded connections die with their device, or with the address that they borrowed (nf_nat_masquerade.c:masq_device_event, masq_inet_event). */
  forgetMasqueraded(deviceIndex: number, address?: number): void {
    for (const connection of this.#confirmed) {
      if (connection.masqueradeIndex === deviceIndex && (address === undefined || connection.reply.dst === address)) this.#kill(connection);
    }
  }

  get entries(): readonly Connection[] {
    this.#sweep();
    return [...this.#confirmed];
  }

  /** For who needs tracking for good. */
  enable(): void {
    if (!this.#isPinned) this.retain();
    this.#isPinned = true;
  }

  /** nf_ct_netns_get: one user more. */
  retain(): void {
    this.#users++;
    if (this.#users > 1) return;
    for (const connection of this.#confirmed) connection.tcp?.forgetWindows();
    const { hooks } = this.#host;
    for (const hook of [NF_PREROUTING, NF_LOCAL_OUT] as const) {
      const user = hook === NF_PREROUTING ? "conntrack-in" : "conntrack-out";
      this.#undo.push(hooks.register(hook, NF_PRIORITY_CONNTRACK_DEFRAG, (skb) => this.#defragment(skb, user)));
      this.#undo.push(hooks.register(hook, NF_PRIORITY_CONNTRACK, (skb) => this.#track(skb)));
    }
    for (const hook of [NF_LOCAL_IN, NF_POSTROUTING] as const) {
      this.#undo.push(hooks.register(hook, NF_PRIORITY_CONNTRACK_CONFIRM, (skb) => this.#confirm(skb)));
    }
  }

  /** nf_ct_netns_put: one user fewer; without users the hooks go, the entries stay until they expire. */
  release(): void {
    this.#users--;
    if (this.#users > 0) return;
    for (const undo of this.#undo) undo();
    this.#undo = [];
  }

  alterReply(entry: ConntrackEntry, reply: ConntrackTuple): void {
    const connection = entry as Connection;
    if (!connection.isConfirmed) connection.reply = reply instanceof Tuple ? reply : tupleOf(reply, connection.reply.typeCode);
  }

  textChanged(entry: ConntrackEntry, info: ConntrackInfo | undefined, seq: number, bytes: number): void {
    const { tcp } = entry as Connection;
    if (tcp === undefined) return;
    tcp.sequences ??= new SequenceAdjust();
    tcp.sequences.changed(isReplyInfo(info) ? 1 : 0, seq, bytes);
  }

  remove(entry: ConntrackEntry): void {
    this.#kill(entry as Connection);
  }

  /** True when another connection has `tuple` in either direction (nf_conntrack_tuple_taken). */
  isTaken(tuple: Tuple, except: Connection): boolean {
    const node = this.#find(tuple);
    if (node === undefined || node.connection === except) return false;
    return !node.connection.original.equals(except.original);
  }

  /** The connection with this tuple in either direction. */
  find(tuple: Tuple): Connection | undefined {
    return this.#find(tuple)?.connection;
  }

  #defragment(skb: SkBuff, user: "conntrack-in" | "conntrack-out"): Verdict {
    if (!skb.ip.isFragment || skb.conntrack !== undefined || skb.conntrackInfo === "UNTRACKED") return "ACCEPT";
    const whole = this.#host.ip.defragment(skb, user);
    if (whole === undefined) return "STOLEN";
    if (whole !== skb) {
      skb.ip = whole.ip;
      skb.isWritable = whole.isWritable;
      skb.fragmentMaxBytes = whole.fragmentMaxBytes;
      skb.cause = whole.cause;
    }
    return "ACCEPT";
  }

  /** nf_conntrack_in. */
  #track(skb: SkBuff): Verdict {
    if (skb.conntrack !== undefined || skb.conntrackInfo === "UNTRACKED") return "ACCEPT";
    const payload = skb.ip.payload;
    if (payload instanceof IcmpMessage) {
      if (payload.type > MAX_ICMP_TYPE) return this.#invalid();
      if (isIcmpError(payload.type)) return this.#trackIcmpError(skb, payload);
    }
    for (let attempt = 0; attempt < 2; attempt++) {
      const tuple = this.#scratch;
      if (!tuple.readFrom(skb.ip)) return this.#invalid();
      const node = this.#find(tuple);
      const connection = node === undefined ? this.#begin(tuple, skb) : node.connection;
      if (connection === undefined) return this.#invalid();
      if (connection === "full") return "DROP";
      const isReply = node?.isReply === true;
      const result = this.#packet(connection, skb, isReply, node === undefined);
      if (result === "repeat") continue;
      if (result === "invalid") return this.#invalid();
      touchRow(this.#host, "conntrack", connection);
      skb.conntrack = connection;
      skb.conntrackInfo = isReply ? "ESTABLISHED_REPLY" : connection.hasReply ? "ESTABLISHED" : "NEW";
      if (isReply && !connection.hasReply) {
        connection.hasReply = true;
        this.#tell("UPDATE", connection);
      }
      return "ACCEPT";
    }
    return this.#invalid();
  }

  #invalid(): Verdict {
    this.statistics.invalid++;
    return "ACCEPT";
  }

  /** init_conntrack: undefined when the packet begins nothing. */
  #begin(scratch: Tuple, skb: SkBuff): Connection | undefined | "full" {
    if (scratch.protocol === PROTOCOL_ICMP && !beginsIcmpConnection(scratch.typeCode >>> 8)) return undefined;
    const reply = scratch.inverted();
    if (reply === undefined) return undefined;
    if (this.#settings.max.value > 0 && this.#confirmed.size >= this.#settings.max.value && !this.#makeRoom()) {
      this.statistics.drop++;
      this.#host.log.write("nf_conntrack: nf_conntrack: table full, dropping packet");
      this.#traceDrop(skb, "nf_conntrack: table full");
      return "full";
    }
    const connection = new Connection(scratch.copy(), reply);
    const payload = skb.ip.payload;
    if (payload instanceof TcpSegment) {
      connection.tcp = new TcpTrack();
      if (!beginTcp(connection.tcp, payload, this.#settings.tcp)) return undefined;
    } else if (scratch.protocol === PROTOCOL_UDP) {
      connection.streamFromNs = this.#host.loop.nowNs + 2 * NS_PER_SECOND;
    }
    return connection;
  }

  /** nf_conntrack_handle_packet: the protocol's opinion, and a fresh timeout. */
  #packet(connection: Connection, skb: SkBuff, isReply: boolean, isNew: boolean): "accept" | "invalid" | "repeat" {
    const settings = this.#settings;
    const payload = skb.ip.payload;
    if (connection.tcp !== undefined) {
      if (!(payload instanceof TcpSegment)) return "invalid";
      const context = { isNew, hasReply: connection.hasReply, isAssured: connection.isAssured };
      const verdict = trackTcp(connection.tcp, payload, isReply ? 1 : 0, context, settings.tcp);
      if (verdict.kind === "invalid") return "invalid";
      if (verdict.kind === "repeat" || verdict.kind === "kill") this.#kill(connection);
      if (verdict.kind === "repeat") return "repeat";
      if (verdict.isAssured) connection.isAssured = true;
      if (verdict.timeoutSeconds > 0) this.#refresh(connection, verdict.timeoutSeconds);
      return "accept";
    }
    switch (connection.original.protocol) {
      case PROTOCOL_UDP:
        this.#refreshUdp(connection);
        break;
      case PROTOCOL_ICMP:
        this.#refresh(connection, settings.icmp.value);
        break;
      case PROTOCOL_GRE:
        this.#refresh(connection, settings.gre.value);
        break;
      default:
        this.#refresh(connection, settings.generic.value);
    }
    return "accept";
  }

  /** A flow that has answers and is still alive after two seconds is a stream. */
  #refreshUdp(connection: Connection): void {
    if (!connection.hasReply || this.#host.loop.nowNs <= connection.streamFromNs) {
      this.#refresh(connection, this.#settings.udp.value);
      return;
    }
    this.#refresh(connection, this.#settings.udpStream.value);
    connection.isAssured = true;
  }

  #refresh(connection: Connection, seconds: number): void {
    connection.timeoutNs = seconds * NS_PER_SECOND;
    if (connection.isConfirmed) connection.expiresAtNs = this.#host.loop.nowNs + connection.timeoutNs;
  }

  /** nf_conntrack_inet_error: an ICMP error belongs to the connection of the packet that it quotes. */
  #trackIcmpError(skb: SkBuff, message: IcmpMessage): Verdict {
    const inner = message.quoted;
    if (inner === undefined || !this.#scratch.readFrom(inner)) return this.#invalid();
    const inverse = this.#scratch.inverted();
    const node = inverse === undefined ? undefined : this.#find(inverse);
    if (node === undefined || node.tuple.dst !== skb.ip.dst) return this.#invalid();
    skb.conntrack = node.connection;
    skb.conntrackInfo = node.isReply ? "RELATED_REPLY" : "RELATED";
    return "ACCEPT";
  }

  /** __nf_conntrack_confirm. A clash with an entry that came in meanwhile costs the packet. */
  #confirm(skb: SkBuff): Verdict {
    const connection = connectionOf(skb);
    if (connection === undefined) return "ACCEPT";
    if (connection.tcp?.sequences !== undefined && skb.device?.kind !== "loopback") adjustSequences(connection.tcp.sequences, skb);
    if (connection.isConfirmed) return "ACCEPT";
    if (isReplyInfo(skb.conntrackInfo) || connection.isDead) return "ACCEPT";
    if (this.#find(connection.original) !== undefined || this.#find(connection.reply) !== undefined) {
      this.statistics.insertFailed++;
      this.#traceDrop(skb, "conntrack: tuple is taken");
      return "DROP";
    }
    connection.isConfirmed = true;
    connection.expiresAtNs = this.#host.loop.nowNs + connection.timeoutNs;
    this.#table.insert(new TupleNode(connection.original, connection, false));
    this.#table.insert(new TupleNode(connection.reply, connection, true));
    this.#confirmed.add(connection);
    touchRow(this.#host, "conntrack", connection);
    this.#tell("NEW", connection);
    if (++this.#insertedSinceSweep >= SWEEP_EVERY) this.#sweep();
    return "ACCEPT";
  }

  #find(tuple: Tuple): TupleNode | undefined {
    const node = this.#table.find(tuple);
    if (node === undefined || node.connection.expiresAtNs > this.#host.loop.nowNs) return node;
    this.#kill(node.connection);
    return undefined;
  }

  #kill(connection: Connection): void {
    if (connection.isDead) return;
    connection.isDead = true;
    this.onRemoved?.(connection);
    if (!this.#confirmed.delete(connection)) return;
    touchRow(this.#host, "conntrack", connection);
    this.#table.remove(connection.original, connection);
    this.#table.remove(connection.reply, connection);
    this.#tell("DESTROY", connection);
  }

  #sweep(): void {
    this.#insertedSinceSweep = 0;
    const { nowNs } = this.#host.loop;
    for (const connection of this.#confirmed) if (connection.expiresAtNs <= nowNs) this.#kill(connection);
  }

  /** early_drop: the oldest connection that is not assured gives way. */
  #makeRoom(): boolean {
    this.#sweep();
    if (this.#confirmed.size < this.#settings.max.value) return true;
    for (const connection of this.#confirmed) {
      if (connection.isAssured) continue;
      this.statistics.earlyDrop++;
      this.#kill(connection);
      return true;
    }
    return false;
  }

  #tell(change: "NEW" | "UPDATE" | "DESTROY", connection: Connection): void {
    for (const listener of this.listeners) listener(change, connection);
  }

  #traceDrop(skb: SkBuff, detail: string): void {
    const { trace } = this.#host;
    if (trace.isFull)
      skb.cause = trace.emit({ kind: "packet-dropped", host: this.#host.name, cause: skb.cause, reason: "NETFILTER_DROP", packet: skb.recorded, detail });
  }
}

/** nf_conntrack_proto.c:nf_confirm, its part for helpers. */
function adjustSequences(sequences: SequenceAdjust, skb: SkBuff): void {
  const direction = isReplyInfo(skb.conntrackInfo) ? 1 : 0;
  if (skb.ip.payload instanceof TcpSegment && sequences.concerns(direction, skb.ip.payload)) sequences.apply(direction, skb.makeWritable().payload as TcpSegment);
}

/** `10.0.0.9:4001 > 10.0.0.100:80`. */
function tupleText(tuple: ConntrackTuple): string {
  return `${formatEnd(tuple.src, tuple.srcPort)} > ${formatEnd(tuple.dst, tuple.dstPort)}`;
}

function conntrackRow(connection: Connection): ConntrackRow {
  return {
    protocol: connection.original.protocol,
    state: connection.state,
    original: tupleText(connection.original),
    reply: tupleText(connection.reply),
    hasReply: connection.hasReply,
    isAssured: connection.isAssured,
    mark: connection.mark,
    untilNs: connection.expiresAtNs,
  };
}
