/**
 * The rows of every table that a trace follows and that `tables` of a run shows: plain values only, the same in memory and in a file.
 *
 * Addresses are dotted quads, MACs six hex pairs, times nanoseconds of simulated time. `null` stands for "none". A row with `untilNs` is
 * there only before that time: its owner forgets it when somebody looks, not by an event.
 */

/** One value of a row. */
export type Cell = string | number | boolean | null;

export type Row = Readonly<Record<string, Cell>>;

/** A network device: `ip link`. Counters are not here: they follow from the frame records. */
export type LinkRow = {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  readonly mac: string | null;
  readonly mtu: number;
  readonly isUp: boolean;
  readonly hasCarrier: boolean;
  readonly isNoArp: boolean;
  readonly isPromiscuous: boolean;
  readonly txQueueLength: number;
  /** `ipip remote any local any ttl inherit`, null for devices that are no tunnels. */
  readonly tunnel: string | null;
};

/** `ip address`, in the kernel's order. */
export type AddressRow = {
  readonly device: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly peer: string | null;
  readonly broadcast: string | null;
  readonly scope: string;
  readonly label: string;
  readonly isSecondary: boolean;
};

/** `ip route show table all`, in that order. `via` and `device` are those of the first next hop; `nextHops` lists all when there are several. */
export type RouteRow = {
  readonly table: number;
  readonly type: string;
  readonly destination: string;
  readonly via: string | null;
  readonly device: string | null;
  readonly source: string | null;
  readonly metric: number;
  readonly scope: string;
  readonly protocol: string;
  readonly tos: number;
  readonly mtu: number;
  readonly isDead: boolean;
  readonly isLinkDown: boolean;
  readonly isOnlink: boolean;
  readonly nextHops: string | null;
};

/** `ip rule`. */
export type RuleRow = { readonly priority: number; readonly selector: string; readonly action: string; readonly table: number };

/** `ip neigh`. */
export type NeighbourRow = { readonly device: string; readonly address: string; readonly mac: string | null; readonly state: string; readonly isProxy: boolean };

/** A setting below /proc/sys/net that can be written, IPv6 left out. */
export type SysctlRow = { readonly value: string };

/** A rule of iptables, or the policy of a built-in chain (`number` 0, `rule` as `iptables -S` prints it). */
export type NetfilterRow = {
  readonly table: string;
  readonly chain: string;
  /** From 1. */
  readonly number: number;
  readonly rule: string;
  readonly packets: number;
  readonly bytes: number;
};

/** `conntrack -L`. */
export type ConntrackRow = {
  readonly protocol: number;
  readonly state: string;
  /** `10.0.0.9:4001 > 10.0.0.100:80`; for ICMP echo the ports are the identifier. */
  readonly original: string;
  readonly reply: string;
  readonly hasReply: boolean;
  readonly isAssured: boolean;
  readonly mark: number;
  readonly untilNs: number;
};

/** A virtual service: `ipvsadm -L --stats`. */
export type IpvsServiceRow = {
  /** `TCP 10.0.0.100:80`, `FWM 1`. */
  readonly service: string;
  readonly scheduler: string;
  /** Words of `-b`, comma between them. */
  readonly flags: string;
  readonly persistenceSeconds: number | null;
  readonly netmask: string | null;
  readonly isOnePacket: boolean;
  readonly conns: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
};

/** A real server of a virtual service. */
export type IpvsDestinationRow = {
  readonly service: string;
  readonly address: string;
  readonly port: number;
  /** masq, route, tunnel or local; a bypass is a route. */
  readonly method: string;
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly isOverloaded: boolean;
  readonly activeConns: number;
  readonly inactConns: number;
  readonly persistConns: number;
  readonly conns: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
};

/** An entry of the connection table: `ipvsadm -L -c`. */
export type IpvsConnectionRow = {
  readonly protocol: string;
  readonly client: string;
  readonly virtual: string;
  readonly destination: string;
  readonly state: string;
  readonly method: string;
  readonly isTemplate: boolean;
  readonly isInactive: boolean;
  readonly isFromSync: boolean;
  /** When its timer fires; later packets move it. */
  readonly expiresNs: number;
};

/** `ss -tua`. */
export type SocketRow = {
  readonly protocol: string;
  readonly state: string;
  readonly local: string;
  readonly remote: string;
  /** For a listener: connections that wait for accept. */
  readonly receiveQueue: number;
  /** For a listener: the backlog. */
  readonly sendQueue: number;
  /** `curl[1012]`, null when no process holds it. */
  readonly process: string | null;
};

/** What a switch has learnt: `bridge fdb`. */
export type MacRow = {
  readonly mac: string;
  /** `HOST.INTERFACE` behind the port. */
  readonly port: string;
  /** 300 s after the second in which it was seen last. */
  readonly untilNs: number;
};

/** The row type of each table. `macs` belongs to links, the others to hosts. */
export interface RowTypes {
  readonly links: LinkRow;
  readonly addresses: AddressRow;
  readonly routes: RouteRow;
  readonly rules: RuleRow;
  readonly neighbours: NeighbourRow;
  readonly sysctls: SysctlRow;
  readonly netfilter: NetfilterRow;
  readonly conntrack: ConntrackRow;
  readonly ipvsServices: IpvsServiceRow;
  readonly ipvsDestinations: IpvsDestinationRow;
  readonly ipvsConnections: IpvsConnectionRow;
  readonly sockets: SocketRow;
  readonly macs: MacRow;
}

export type TableName = keyof RowTypes;

export const TABLE_NAMES: readonly TableName[] = [
  "links",
  "addresses",
  "routes",
  "rules",
  "neighbours",
  "sysctls",
  "netfilter",
  "conntrack",
  "ipvsServices",
  "ipvsDestinations",
  "ipvsConnections",
  "sockets",
  "macs",
];

/** The tables of one host or link: rows by key. */
export type TableRows = { readonly [name in TableName]?: Readonly<Record<string, RowTypes[name]>> };

/** The tables of every host and link, by name. */
export type WorldTables = Readonly<Record<string, TableRows>>;

/** Takes rows out whose time is over at `nowNs`. */
export function withoutAged(tables: WorldTables, nowNs: number): WorldTables {
  const kept: Record<string, TableRows> = {};
  for (const [owner, of] of Object.entries(tables)) {
    const rows: Record<string, Readonly<Record<string, Row>>> = {};
    for (const [name, table] of Object.entries(of)) {
      const isAging = Object.values(table).some((row) => isAged(row, nowNs));
      rows[name] = isAging ? Object.fromEntries(Object.entries<Row>(table).filter(([, row]) => !isAged(row, nowNs))) : table;
    }
    kept[owner] = rows as TableRows;
  }
  return kept;
}

function isAged(row: Row, nowNs: number): boolean {
  return typeof row.untilNs === "number" && row.untilNs <= nowNs;
}
