/**
 * The records of a trace: everything that the simulator tells about a run, in one union discriminated by `kind`.
 *
 * Each record has an id (1, 2, 3, ... in order of emission), the time, the host, and the id of the record that caused it (0: nothing did),
 * so that a packet's life can be walked in both directions. Objects from src/wire are referenced, never changed later.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { MacAddress } from "../base/mac-address.ts";
import type { EthernetFrame, Ipv4Packet } from "../wire/packet.ts";
import type { TableName } from "./rows.ts";
import type { KeyframeTable, RowChange } from "./table-set.ts";

/** Why a frame or packet died, named after the kernel's SKB_DROP_REASON_* (include/net/dropreason-core.h) where it has a name. */
export type DropReason =
  | "LINK_DOWN"
  | "LINK_LOSS"
  | "LINK_QUEUE_FULL"
  | "LINK_CORRUPTED"
  | "LINK_PARTITION"
  | "QDISC_DROP"
  | "OTHERHOST"
  | "DEV_DOWN"
  | "PKT_TOO_BIG"
  | "IP_CSUM"
  | "IP_INHDR"
  | "IP_NOPROTO"
  | "IP_RPFILTER"
  | "IP_LOCAL_SOURCE"
  | "IP_INVALID_SOURCE"
  | "IP_LOCALNET"
  | "IP_INVALID_DEST"
  | "IP_INADDRERRORS"
  | "IP_INNOROUTES"
  | "IP_OUTNOROUTES"
  | "IP_TTL"
  | "FRAG_REASM_TIMEOUT"
  | "NEIGH_FAILED"
  | "NEIGH_QUEUEFULL"
  | "NETFILTER_DROP"
  | "NETFILTER_REJECT"
  | "IPVS_NO_DEST"
  | "IPVS_DEST_GONE"
  | "IPVS_DROP_RATE"
  | "IPVS_XMIT_ERROR"
  | "NO_SOCKET"
  | "TCP_RESET"
  | "TCP_INVALID"
  | "SOCKET_BACKLOG"
  | "SOCKET_CLOSED"
  | "TUNNEL_NO_DEVICE"
  | "ARP_IGNORED"
  | "DIVERTED";

interface RecordBase {
  readonly id: number;
  readonly timeNs: number;
  readonly cause: number;
  readonly host: string;
}

export interface FrameSent extends RecordBase {
  readonly kind: "frame-sent";
  readonly device: string;
  readonly frame: EthernetFrame;
}

export interface FrameReceived extends RecordBase {
  readonly kind: "frame-received";
  readonly device: string;
  readonly frame: EthernetFrame;
}

/** A frame died on a link or at an interface (`device` is empty for a switch; then `host` is the link's name). */
export interface FrameDropped extends RecordBase {
  readonly kind: "frame-dropped";
  readonly device: string;
  readonly reason: DropReason;
  readonly frame: EthernetFrame;
}

/** A packet died inside a host. `detail`: the deciding values in words, such as `rp_filter = max(all 1, eth0 0) = 1`. */
export interface PacketDropped extends RecordBase {
  readonly kind: "packet-dropped";
  readonly reason: DropReason;
  readonly packet: Ipv4Packet;
  readonly detail: string;
}

/** A packet went through lo or a tunnel device, where no frame exists. */
export interface PacketPassed extends RecordBase {
  readonly kind: "packet-passed";
  readonly device: string;
  readonly direction: "in" | "out";
  readonly packet: Ipv4Packet;
}

/** Addresses, ports or TTL changed, or the way alone. `by`: ipvs-nat, ipvs-route, ipvs-local, snat, dnat, masquerade, redirect, forward, mark. */
export interface PacketRewritten extends RecordBase {
  readonly kind: "packet-rewritten";
  readonly by: string;
  readonly before: Ipv4Packet;
  readonly after: Ipv4Packet;
}

export interface PacketEncapsulated extends RecordBase {
  readonly kind: "packet-encapsulated";
  readonly by: "ipip" | "gre" | "gue";
  readonly inner: Ipv4Packet;
  readonly outer: Ipv4Packet;
}

export interface PacketDecapsulated extends RecordBase {
  readonly kind: "packet-decapsulated";
  readonly by: "ipip" | "gre" | "gue";
  readonly device: string;
  readonly outer: Ipv4Packet;
  readonly inner: Ipv4Packet;
}

/** A neighbour entry was made, changed or removed. */
export interface NeighbourChanged extends RecordBase {
  readonly kind: "neighbour";
  readonly device: string;
  readonly address: Ipv4Address;
  readonly mac: MacAddress;
  readonly before: string;
  readonly after: string;
}

/** An ARP request was answered or left unanswered, and why. */
export interface ArpDecision extends RecordBase {
  readonly kind: "arp-decision";
  readonly device: string;
  readonly target: Ipv4Address;
  readonly sender: Ipv4Address;
  readonly isAnswered: boolean;
  readonly detail: string;
}

export interface RouteChosen extends RecordBase {
  readonly kind: "route";
  readonly direction: "in" | "out";
  readonly dst: Ipv4Address;
  readonly src: Ipv4Address;
  readonly type: string;
  readonly device: string;
  readonly gateway: Ipv4Address;
  readonly table: number;
  readonly detail: string;
}

/** A netfilter rule or policy decided. `rule` is the rule as iptables -S prints it, or the policy. */
export interface NetfilterVerdict extends RecordBase {
  readonly kind: "netfilter";
  readonly table: string;
  readonly chain: string;
  readonly rule: string;
  readonly verdict: string;
  readonly packet: Ipv4Packet;
}

/** One real server as the scheduler saw it. */
export interface ScheduleCandidate {
  readonly address: Ipv4Address;
  readonly port: number;
  readonly weight: number;
  readonly activeConns: number;
  readonly inactConns: number;
  /** The figure that this scheduler compares, undefined when it compares none. */
  readonly overhead: number | undefined;
  readonly isEligible: boolean;
}

/** What a scheduler remembers or computes, by names of its own (`SchedulerFigures` of lvsim/ipvs). */
export type ScheduleFigures = Readonly<Record<string, number | string>>;

export interface Scheduled extends RecordBase {
  readonly kind: "scheduled";
  readonly service: string;
  readonly scheduler: string;
  readonly client: Ipv4Address;
  readonly clientPort: number;
  readonly candidates: readonly ScheduleCandidate[];
  /** `address:port`, or undefined when nobody was available. */
  readonly chosen: string | undefined;
  /** The scheduler's own figures before the choice, such as `{ cw: 1, mw: 4, di: 1 }` of wrr; null when it has none or was not asked. */
  readonly figures: ScheduleFigures | null;
  /** Why not the scheduler: `template`, `bypass`; or `scheduler`. */
  readonly by: string;
}

/** An IPVS connection was made, changed state, or ended. */
export interface IpvsConnectionChanged extends RecordBase {
  readonly kind: "ipvs-connection";
  readonly connection: string;
  /** Names the entry on its director for as long as it lives: its key in the table `ipvsConnections`. */
  readonly number: number;
  /** The virtual service, `null` when the entry has no server here (a bypass, or learnt by sync). */
  readonly service: string | null;
  readonly dest: string;
  /** masq, route, tunnel or local; a bypass is a route. */
  readonly method: string;
  readonly before: string;
  readonly after: string;
}

export interface TcpStateChanged extends RecordBase {
  readonly kind: "tcp-state";
  readonly socket: string;
  readonly before: string;
  readonly after: string;
}

export interface SysctlChanged extends RecordBase {
  readonly kind: "sysctl";
  readonly key: string;
  readonly before: string;
  readonly after: string;
}

/** An address, route, rule, link, service, dest or netfilter rule was added, changed or removed. */
export interface TableChanged extends RecordBase {
  readonly kind: "table";
  readonly table: "address" | "route" | "rule" | "link" | "ipvs-service" | "ipvs-dest" | "netfilter" | "conntrack";
  readonly change: "add" | "change" | "remove";
  readonly entry: string;
}

/** `pid` is 0 for a command that does not exist; its end follows with 127. */
export interface CommandStarted extends RecordBase {
  readonly kind: "command-start";
  readonly pid: number;
  readonly command: string;
}

export interface CommandEnded extends RecordBase {
  readonly kind: "command-end";
  readonly pid: number;
  readonly command: string;
  readonly exit: number;
}

/** A cable, switch port or host went up or down (`host` names it). */
export interface LinkChanged extends RecordBase {
  readonly kind: "link";
  readonly device: string;
  readonly state: "up" | "down" | "crashed";
}

/**
 * Somebody made a fault or mended one: `fault` is the verb of the timeline or prompt (`impair`, `partition`, `reboot`, ...; `boot` when a
 * machine comes up), `detail` its object and figures in words. `host` is the host, or the link.
 */
export interface FaultMade extends RecordBase {
  readonly kind: "fault";
  readonly fault: string;
  readonly detail: string;
}

/** A line for the kernel log (dmesg, /var/log/messages). */
export interface LogLine extends RecordBase {
  readonly kind: "log";
  readonly text: string;
}

/** The setup scripts are over: times of the timeline, of captures and of `--until` count from here. */
export interface Origin extends RecordBase {
  readonly kind: "origin";
}

/** Rows of tables that came, changed or went, at the end of the event that changed them. */
export interface RowsChanged extends RecordBase {
  readonly kind: "rows";
  readonly changes: readonly RowChange[];
}

/** All tables, to start from: what holds at this point of the trace. `previous` is the keyframe before, 0: this is the first. */
export interface Keyframe extends RecordBase {
  readonly kind: "keyframe";
  readonly previous: number;
  /** By host or link. */
  readonly tables: Readonly<Record<string, { readonly [name in TableName]?: KeyframeTable }>>;
}

/** Any record; `kind` says which. */
export type TraceEvent =
  | FrameSent
  | FrameReceived
  | FrameDropped
  | PacketDropped
  | PacketPassed
  | PacketRewritten
  | PacketEncapsulated
  | PacketDecapsulated
  | NeighbourChanged
  | ArpDecision
  | RouteChosen
  | NetfilterVerdict
  | Scheduled
  | IpvsConnectionChanged
  | TcpStateChanged
  | SysctlChanged
  | TableChanged
  | CommandStarted
  | CommandEnded
  | LinkChanged
  | FaultMade
  | LogLine
  | Origin
  | RowsChanged
  | Keyframe;

/** What `kind` of a record may be. */
export type TraceKind = TraceEvent["kind"];

type WithoutStamp<E> = E extends TraceEvent ? Omit<E, "id" | "timeNs"> : never;

/** A record before the tracer gives it its id and time. */
export type TraceEventInit = WithoutStamp<TraceEvent>;
