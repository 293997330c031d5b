/**
 * What one Linux host offers to the code around it. Each part is an interface here and a class in a file of its own; linux-host.ts puts
 * them together. Parts call each other only through this.
 *
 *   LinkPort ─▶ devices ─▶ arp / ip ─▶ routing, hooks ─▶ icmp, udp, tcp ─▶ sockets of commands and daemons
 *
 * Errors are errno names ("EEXIST"); undefined means success.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { MacAddress } from "../base/mac-address.ts";
import type { EventLoop } from "../kernel/event-loop.ts";
import type { RandomStream } from "../kernel/random.ts";
import type { NetemOptions } from "../link/netem.ts";
import type { FrameReceiver, LinkPort } from "../link/port.ts";
import type { TableSet } from "../trace/table-set.ts";
import type { Tracer } from "../trace/tracer.ts";
import type { EthernetFrame, IcmpMessage, Ipv4Packet } from "../wire/packet.ts";
import type { DeviceDriver, InterfaceAddress, NetDevice, Scope, TunnelParameters } from "./device.ts";
import type { IcmpLimits } from "./icmp-limits.ts";
import type { Ipv4Conf, Ipv4ConfKey } from "./ipv4-conf.ts";
import type { KernelOptions } from "./kernel-options.ts";
import type { Mib } from "./mib.ts";
import type { NeighbourFamily, NeighbourParameterSet } from "./neighbour-parameter-sets.ts";
import type { ArpTable } from "./netfilter/arp-table.ts";
import type { ConntrackEntry } from "./netfilter/conntrack-entry.ts";
import type { NetfilterHooks } from "./netfilter/hooks.ts";
import type { FibEntry, FibFlow, FibResult, FibRule, Route, RouteError, RouteType } from "./route.ts";
import type { ConntrackInfo, Original, SkBuff } from "./skb.ts";

export type Errno = string;

export interface Host {
  readonly name: string;
  readonly loop: EventLoop;
  readonly trace: Tracer;
  /** Everything that can be listed, as rows. Whoever changes a table touches it. */
  readonly tables: TableSet;
  readonly options: KernelOptions;
  /** What /proc/net/snmp and /proc/net/netstat count. */
  readonly mib: Mib;
  readonly sysctl: Sysctl;
  readonly devices: DeviceTable;
  readonly addresses: AddressTable;
  readonly fib: Fib;
  readonly routing: Routing;
  readonly neighbours: NeighbourTable;
  readonly arp: ArpProtocol;
  readonly hooks: NetfilterHooks;
  readonly ip: IpProtocol;
  readonly multicast: MulticastGroups;
  readonly icmp: IcmpProtocol;
  readonly udp: UdpProtocol;
  readonly tcp: TcpProtocol;
  readonly fou: FouPorts;
  readonly conntrack: ConntrackTable;
  /** Lines of the kernel log, oldest first (bounded): LOG targets, martians, IPVS errors. */
  readonly log: KernelLog;
  /** A named random stream of this host. */
  random(name: string): RandomStream;
}

export interface KernelLog {
  readonly lines: readonly { readonly timeNs: number; readonly text: string }[];
  write(text: string): void;
}

/* ---------------------------------------------------------------------------------------------------------------- sysctl */

/** One leaf of /proc/sys: how it reads and what writing does. `write` returns an errno (EINVAL, EPERM) or undefined. */
export interface SysctlLeaf {
  /** Permission bits, 0o644 when absent; root is bound by them here. */
  readonly mode?: number;
  read(): string;
  write(text: string): Errno | undefined;
}

/** /proc/sys as a tree of dotted keys (`net.ipv4.conf.eth0.arp_ignore`; the dots of an interface name such as eth0.5 stand as `/`). */
export interface Sysctl {
  readonly all: Ipv4Conf;
  readonly default: Ipv4Conf;
  /** Registers a leaf (ip_vs adds net.ipv4.vs.*, conntrack its own). Returns the undo. */
  register(key: string, leaf: SysctlLeaf): () => void;
  /** Registers an integer held in memory, with bounds; returns a cell that owners read without a lookup. */
  registerInteger(key: string, initial: number, bounds?: { readonly min?: number; readonly max?: number }): SysctlCell;
  read(key: string): string | undefined;
  /** ENOENT when there is no such key. Traces the change. */
  write(key: string, text: string): Errno | undefined;
  /** All keys, sorted as `sysctl -a` sorts them; those with outdated units only when asked for. */
  keys(includesDeprecated?: boolean): readonly string[];
  /** In force for a device: conf.all and conf.DEVICE combined by the kernel's rule for that key (max, or, and, own). */
  inForce(device: NetDevice, key: Ipv4ConfKey): number;
  /** True when a key (but those with outdated units) begins with `prefix`, which ends with a dot. */
  isFolder(prefix: string): boolean;
  /** Counts every write: caches of routing decisions compare it. */
  readonly generation: number;
  /** Makes conf/DEVICE and neigh/DEVICE appear and vanish with their device. */
  addDevice(device: NetDevice): void;
  removeDevice(device: NetDevice): void;
  /** From now on writing conf/default leaves the device's settings alone (ipv4_devconf_setall: it got its first address). */
  pinDevice(device: NetDevice): void;
  leaf(key: string): SysctlLeaf | undefined;
}

export interface SysctlCell {
  value: number;
}

/* --------------------------------------------------------------------------------------------------------------- devices */

/** What can be changed of a device without more ado: ARP on or off (IFF_NOARP), promiscuous mode, length of the transmit queue. */
export interface DeviceFlags {
  readonly isNoArp?: boolean | undefined;
  readonly isPromiscuous?: boolean | undefined;
  readonly isAllMulticast?: boolean | undefined;
  readonly isMulticast?: boolean | undefined;
  readonly txQueueLength?: number | undefined;
  readonly alias?: string | undefined;
}

export interface DeviceTable {
  readonly list: readonly NetDevice[];
  readonly loopback: NetDevice;
  byName(name: string): NetDevice | undefined;
  byIndex(index: number): NetDevice | undefined;
  /**
   * The result is what the link hands frames to. `link` names the link and `linkPosition` counts the interfaces that are attached to it
   * already: they decide the ifindex that `ip link` shows (the reference laboratory builds interfaces as veth pairs).
   */
  addEthernet(options: {
    readonly name: string;
    readonly mac: MacAddress;
    readonly mtu: number;
    readonly port: LinkPort;
    readonly link?: string;
    readonly linkPosition?: number;
  }): NetDevice & FrameReceiver;
  addDummy(name: string): NetDevice | Errno;
  /** A macvlan in private mode: another MAC address on the cable of an Ethernet device. EEXIST, EINVAL, ENFILE. */
  addMacvlan(name: string, lower: NetDevice, mac: MacAddress): NetDevice | Errno;
  /** tunl0 comes with modprobe ipip (or the first use of it); others by ip tunnel add. */
  addTunnel(name: string, parameters: TunnelParameters): NetDevice | Errno;
  remove(device: NetDevice): Errno | undefined;
  setUp(device: NetDevice): Errno | undefined;
  /** Flushes routes through it and its neighbours; addresses stay. */
  setDown(device: NetDevice): void;
  setMtu(device: NetDevice, mtu: number): Errno | undefined;
  setMac(device: NetDevice, mac: MacAddress): Errno | undefined;
  rename(device: NetDevice, name: string): Errno | undefined;
  /** The kernel's words about the last failure, empty when there were none. */
  readonly message: string;
  setFlags(device: NetDevice, flags: DeviceFlags): void;
  /** Puts netem between the stack and the wire, or takes it away; what waits in the old queue is gone. `handle` 0: the next free one. EOPNOTSUPP: a tunnel. */
  setNetem(device: NetDevice, netem: NetemOptions | undefined, handle?: number): Errno | undefined;
  /** Gives tunnels of a kind their driver; without one they drop what they are given. */
  registerDriver(kind: "tunnel" | "gre", driver: DeviceDriver): void;
  /** Called when a device went up or down, or its carrier did, or it is gone: what rtnetlink tells daemons. */
  readonly watchers: Set<(device: NetDevice) => void>;
  /** Brings lo up. The host calls it once, when all its parts exist. */
  boot(): void;
  /** The host dies: every device dark, every timer of the host dead. */
  crash(): void;
}

/* ------------------------------------------------------------------------------------------------------------- addresses */

export interface AddressTable {
  /** net/ipv4/devinet.c:inet_insert_ifa and fib_frontend.c:fib_add_ifaddr: orders primaries and secondaries, adds local, broadcast and prefix routes. */
  add(device: NetDevice, address: Omit<InterfaceAddress, "isSecondary">): Errno | undefined;
  /** Removes with its secondaries (or promotes one), and their routes. */
  remove(device: NetDevice, address: InterfaceAddress): Errno | undefined;
  /** True when any device holds it. */
  isOwn(address: Ipv4Address): boolean;
  deviceOf(address: Ipv4Address): NetDevice | undefined;
  /** net/ipv4/devinet.c:inet_select_addr. 0 when there is none. */
  select(device: NetDevice | undefined, destination: Ipv4Address, scope: Scope): Ipv4Address;
  /** The kernel's words about the last failure, empty when there were none. */
  readonly message: string;
  /** Called after an address was added or removed: what rtnetlink tells daemons. */
  readonly watchers: Set<(change: "add" | "remove", device: NetDevice, address: InterfaceAddress) => void>;
  /** Counts every change. */
  readonly generation: number;
  /** The device came up: its addresses' routes come back; lo gets 127.0.0.1/8 when it has none (inetdev_event, fib_netdev_event). */
  deviceUp(device: NetDevice): void;
}

/* ---------------------------------------------------------------------------------------------------------------- routes */

export type { FibFlow, FibResult, FibRule } from "./route.ts";

export interface Fib {
  /** Entries of a table in `ip route` order (table 0: of all tables, as `ip route show table all` orders them). */
  entries(table: number): readonly FibEntry[];
  /** append and prepend follow `ip route`'s flags; EEXIST, ENETUNREACH (gateway not reachable), ENODEV, ENETDOWN, EINVAL as the kernel says. */
  add(entry: FibEntry, how: "add" | "replace" | "append" | "prepend" | "change"): Errno | undefined;
  /** Removes the first entry that matches what is given; ESRCH when none does. */
  remove(filter: Partial<FibEntry> & { readonly network: Ipv4Address; readonly prefixLength: number; readonly table: number }): Errno | undefined;
  readonly rules: readonly FibRule[];
  addRule(rule: FibRule): Errno | undefined;
  removeRule(filter: Partial<FibRule>): Errno | undefined;
  /** Counts every change: caches compare it. */
  readonly generation: number;
  /** The kernel's words about the last failure (NLMSGERR_ATTR_MSG), empty when there were none. */
  readonly message: string;
  /** Rules were changed at some time, or local routes added by hand: then source validation looks closer (fib_validate_source). */
  readonly hasCustomRules: boolean;
  readonly hasCustomLocalRoutes: boolean;
  /** True when the table has ever been used. */
  hasTable(table: number): boolean;
  /** Through the rules; an errno (ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL) when there is no way. */
  lookup(flow: FibFlow): FibResult | Errno;
  /** net/ipv4/fib_frontend.c:inet_addr_type: what table local says about an address. */
  addressType(address: Ipv4Address): RouteType;
  /** The device came up: addresses' routes are there already, next hops live again (fib_sync_up). */
  deviceUp(device: NetDevice): void;
  /** The device went down, lost its last address (`isForced`) or is gone: routes through it die (fib_sync_down_dev). */
  deviceDown(device: NetDevice, why: "down" | "no-address" | "gone"): void;
  carrierChanged(device: NetDevice): void;
  /** A local address is gone: routes that prefer it as source die (fib_sync_down_addr). */
  sourceGone(address: Ipv4Address): void;
  /** Anything else that caches must notice (rt_cache_flush). */
  touch(): void;
}

/** Keys of an output lookup (struct flowi4). 0 and undefined stand for "not given". */
export interface RouteKey {
  readonly dst: Ipv4Address;
  readonly src?: Ipv4Address;
  readonly device?: NetDevice | undefined;
  readonly mark?: number;
  readonly tos?: number;
  /** The source need not be an address of this host (IPVS, transparent sockets, forwarded reroutes). */
  readonly anySource?: boolean;
}

export interface Routing {
  /** net/ipv4/route.c:ip_route_output_key_hash. For a packet of this host. */
  output(key: RouteKey): Route | RouteError;
  /** net/ipv4/route.c:ip_route_input_slow, with source validation, martians and redirects. For a packet or ARP request that came in. */
  input(key: { readonly dst: Ipv4Address; readonly src: Ipv4Address; readonly device: NetDevice; readonly mark: number; readonly tos: number; readonly isArp?: boolean }): Route | RouteError;
  /** The device's MTU was another one before. */
  mtuChanged(device: NetDevice, before: number): void;
  /** Path MTU learnt by ICMP (kept 10 minutes), for packets that were sent with `flow`'s source and mark. */
  learnMtu(destination: Ipv4Address, mtu: number, flow?: { readonly src?: Ipv4Address; readonly mark?: number }): void;
  /**
   * A redirect that came in by `device` from router `from` (kept 5 minutes). Refused unless accept_redirects and the rest say yes and
   * `from` is the gateway in use; while the new gateway is not resolved yet, resolution is started and nothing else happens.
   */
  learnRedirect(destination: Ipv4Address, gateway: Ipv4Address, device: NetDevice, from?: Ipv4Address, flow?: { readonly src?: Ipv4Address; readonly mark?: number }): void;
  /** What `ip route get` and `ip route show cache` tell. */
  exceptions(): readonly { readonly destination: Ipv4Address; readonly mtu: number; readonly gateway: Ipv4Address; readonly expiresAtNs: number; readonly isUsed: boolean }[];
}

export function isRouteError(result: Route | RouteError): result is RouteError {
  return "errno" in result;
}

/* ------------------------------------------------------------------------------------------------------------ neighbours */

export type NeighbourState = "NONE" | "INCOMPLETE" | "REACHABLE" | "STALE" | "DELAY" | "PROBE" | "FAILED" | "NOARP" | "PERMANENT";

export interface Neighbour {
  readonly address: Ipv4Address;
  readonly device: NetDevice;
  readonly mac: MacAddress;
  readonly state: NeighbourState;
  readonly isProxy: boolean;
  /** When it was last confirmed, used and changed, for `ip -s neigh`. */
  readonly confirmedAtNs: number;
  readonly usedAtNs: number;
  readonly updatedAtNs: number;
  readonly probes: number;
  /** A timer runs for it. */
  readonly isTimed: boolean;
}

/** What an ARP packet tells about its sender. */
export interface NeighbourLearning {
  readonly state: NeighbourState;
  /** A new entry is made when there is none. */
  readonly creates: boolean;
  /** Another MAC replaces that of a valid entry (NEIGH_UPDATE_F_OVERRIDE). */
  readonly overrides: boolean;
  readonly cause: number;
}

export interface NeighbourTable {
  /** In the kernel's listing order as far as it can be known, else order of creation; proxy entries last. */
  readonly list: readonly Neighbour[];
  lookup(device: NetDevice, address: Ipv4Address): Neighbour | undefined;
  /** What `ip ntable` shows: the table's own parameters first, then those of the devices, the youngest first. */
  parameterSets(family: NeighbourFamily): readonly NeighbourParameterSet[];
  hasProxy(device: NetDevice, address: Ipv4Address): boolean;
  /** neigh_update for an ARP packet; false when there is no entry and none was made. */
  learn(device: NetDevice, address: Ipv4Address, mac: MacAddress, learning: NeighbourLearning): boolean;
  /** Starts to resolve without a packet (neigh_event_send with none); true when the MAC is known already. */
  solicit(device: NetDevice, address: Ipv4Address): boolean;
  /** The device went down or changed its address, or lost its carrier (then permanent entries stay). */
  deviceDown(device: NetDevice, isOnlyCarrier: boolean): void;
  /** Sends to a next hop: resolves first when it must, queueing the packet (net/core/neighbour.c:neigh_resolve_output). */
  output(device: NetDevice, nextHop: Ipv4Address, skb: SkBuff): void;
  /** arp -s, ip neigh add/replace/change. EEXIST, ENOENT as the kernel says. */
  set(device: NetDevice, address: Ipv4Address, mac: MacAddress | undefined, state: NeighbourState, how: "add" | "replace" | "change"): Errno | undefined;
  remove(device: NetDevice, address: Ipv4Address): Errno | undefined;
  setProxy(device: NetDevice, address: Ipv4Address): void;
  removeProxy(device: NetDevice, address: Ipv4Address): Errno | undefined;
  flush(filter: (neighbour: Neighbour) => boolean): number;}

export interface ArpProtocol {
  /** The ARP packet filter (NF_ARP_IN, NF_ARP_OUT), once somebody has used it. */
  table: ArpTable | undefined;
  receive(device: NetDevice, frame: EthernetFrame): void;
  /** Sends one request; `destinationMac` is broadcast or the unicast address that is probed. */
  sendRequest(device: NetDevice, options: { readonly senderIp: Ipv4Address; readonly targetIp: Ipv4Address; readonly destinationMac: MacAddress; readonly cause: number }): void;
  /** A gratuitous request as arp_notify sends it; keepalived fills in a broadcast target MAC. */
  sendGratuitous(device: NetDevice, address: Ipv4Address, targetMac?: MacAddress): void;
  /** Asks for a neighbour on behalf of a packet that waits for it: the sender address follows arp_announce (arp_solicit). */
  solicit(device: NetDevice, target: Ipv4Address, destinationMac: MacAddress, skb: SkBuff | undefined): void;
}

/* -------------------------------------------------------------------------------------------------------------------- IP */

/** Handles one IP protocol (struct net_protocol). */
export interface ProtocolHandler {
  /** A packet for this host, reassembled. */
  receive(skb: SkBuff): void;
  /** An ICMP error about a packet that this host sent; `quoted` is that packet (its payload may be cut). */
  error?(skb: SkBuff, icmp: IcmpMessage, quoted: Ipv4Packet): void;
}

/** A raw socket (net/ipv4/raw.c). The packets are shared: nobody changes them. */
export interface RawListener {
  onPacket(skb: SkBuff): void;
  onError?(skb: SkBuff, icmp: IcmpMessage, quoted: Ipv4Packet): void;
}

export interface SendOptions {
  /** The route, when the sender has one already (a connected socket). */
  readonly route?: Route;
  readonly device?: NetDevice | undefined;
  readonly mark?: number;
  readonly cause?: number;
  /** Keep the packet's id as it is instead of choosing one. */
  readonly keepId?: boolean;
  /** False: members of the group on this host get no copy (IP_MULTICAST_LOOP off). */
  readonly multicastLoop?: boolean;
  readonly original?: Original | undefined;
  /** TCP made progress: the next hop is there (dst_confirm). */
  readonly confirmsNeighbour?: boolean;
}

export interface IpProtocol {
  /** undefined takes the handler away. */
  registerProtocol(protocol: number, handler: ProtocolHandler | undefined): void;
  protocol(protocol: number): ProtocolHandler | undefined;
  /**
   * Opens a raw socket: it hears every packet of a protocol that is delivered here, beside the protocol itself, and errors about what this
   * host sent with it. Returns how to close it.
   */
  openRaw(protocol: number, listener: RawListener): () => void;
  rawListeners(protocol: number): readonly RawListener[] | undefined;
  /** From a device: net/ipv4/ip_input.c:ip_rcv. The skb's ip is shared with the frame. */
  receive(skb: SkBuff): void;
  /**
   * From a local protocol: routes (source 0 is filled in), numbers, LOCAL_OUT, output. Returns ENETUNREACH, EHOSTUNREACH, EMSGSIZE, EPERM
   * (dropped by LOCAL_OUT) and the like at once; what happens later comes back as ICMP. `packet` is the sender's to give away.
   */
  send(packet: Ipv4Packet, options?: SendOptions): Errno | undefined;
  /** Continues a packet whose `route` is set through LOCAL_OUT and `output` (net/ipv4/ip_output.c:ip_local_out). For IPVS and tunnels. */
  localOut(skb: SkBuff): Errno | undefined;
  /** POSTROUTING, fragmentation, neighbour, device (ip_output). */
  output(skb: SkBuff): void;
  /** Delivery to this host: reassembly, LOCAL_IN, protocol handler (ip_local_deliver). */
  localDeliver(skb: SkBuff): void;
  /** Routes again after a mangle or NAT change in LOCAL_OUT (net/ipv4/netfilter.c:ip_route_me_harder). EHOSTUNREACH etc. or undefined. */
  routeMeHarder(skb: SkBuff): Errno | undefined;
  /** Reassembles; the whole packet, or undefined while parts are missing (the skb is then held or dropped). Users separate queues as the kernel does. */
  defragment(skb: SkBuff, user: "local-deliver" | "conntrack-in" | "conntrack-out" | "ipvs"): SkBuff | undefined;
  /** An id for a packet without DF (__ip_select_ident). */
  nextId(packet: Ipv4Packet): number;
}

/* ------------------------------------------------------------------------------------------------------------- multicast */

/** The multicast groups that this host hears: packets to others die at the door. Sockets join through this, and raw protocols such as VRRP. */
export interface MulticastGroups {
  /** One more user of a group on a device; the first makes the host a member and reports it by IGMP. EINVAL when it is no group. */
  join(group: Ipv4Address, device: NetDevice): Errno | undefined;
  /** One user less. EADDRNOTAVAIL when there was none. */
  leave(group: Ipv4Address, device: NetDevice): Errno | undefined;
  isMember(group: Ipv4Address, device: NetDevice): boolean;
  /** What /proc/net/igmp lists: the latest first. */
  groups(device: NetDevice): readonly { readonly group: Ipv4Address; readonly users: number }[];
  /** The device came up, went down, is gone. */
  deviceUp(device: NetDevice): void;
  deviceDown(device: NetDevice): void;
  deviceRemoved(device: NetDevice): void;
}

/* ------------------------------------------------------------------------------------------------------------------ ICMP */

export interface EchoSocket {
  /** Sends one echo request; errno when it could not leave. */
  send(options: { readonly destination: Ipv4Address; readonly sequence: number; readonly payload: Uint8Array; readonly ttl?: number; readonly source?: Ipv4Address; readonly device?: NetDevice; readonly dontFragment?: boolean; readonly mark?: number; readonly tos?: number }): Errno | undefined;
  close(): void;
}

export interface IcmpProtocol {
  /** net/ipv4/icmp.c:__icmp_send: an error about `skb`, unless the rules of RFC 1122 or the rate limit forbid it. `source` overrides the choice of address. */
  sendError(skb: SkBuff, type: number, code: number, rest: number, options?: { readonly source?: Ipv4Address; readonly bytesMax?: number }): void;
  /** Opens a ping or raw ICMP socket with an identifier of its own. Replies to its requests come as they are, errors about them with the quoted packet. */
  openEcho(onPacket: (packet: Ipv4Packet, icmp: IcmpMessage) => void): EchoSocket & { readonly identifier: number };
  readonly limits: IcmpLimits;
}

/* --------------------------------------------------------------------------------------------------------------- tunnels */

/** A UDP port that takes tunnelled packets (net/ipv4/fou_core.c). `protocol` is 0 for GUE, whose header names it. */
export interface FouPort {
  readonly port: number;
  readonly protocol: number;
  readonly isGue: boolean;
  /** Restrictions as given to `ip fou add`, for `ip fou show`; 0 and undefined: none. */
  readonly local: Ipv4Address;
  readonly peer: Ipv4Address;
  readonly peerPort: number;
  readonly device: NetDevice | undefined;
}

export interface FouPorts {
  readonly list: readonly FouPort[];
  /** EADDRINUSE, EALREADY ... */
  add(port: FouPort): Errno | undefined;
  /** EINVAL when there is no such port. */
  remove(port: number): Errno | undefined;
}

/* --------------------------------------------------------------------------------------------------------------- sockets */

/** Who owns a socket, for netstat -p and ss -p. */
export interface SocketOwner {
  readonly pid: number;
  readonly name: string;
  readonly fd: number;
}

export interface UdpSocketEvents {
  onDatagram(payload: Uint8Array, from: { readonly address: Ipv4Address; readonly port: number }, packet: Ipv4Packet): void;
  /** ECONNREFUSED and the like, for a connected socket; `icmp` and its quoted packet for receivers of errors (traceroute). */
  onError(errno: Errno, icmp?: { readonly from: Ipv4Address; readonly message: IcmpMessage; readonly packet: Ipv4Packet }): void;
}

export interface UdpSocket {
  /** False once it is closed. */
  readonly isListed: boolean;
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly remoteAddress: Ipv4Address;
  readonly remotePort: number;
  readonly owner: SocketOwner | undefined;
  connect(address: Ipv4Address, port: number): Errno | undefined;
  /** What SO_BINDTODEVICE says. */
  readonly device: NetDevice | undefined;
  /** IP_MULTICAST_IF (undefined: the route decides), IP_MULTICAST_TTL, IP_MULTICAST_LOOP. */
  readonly multicast: { device: NetDevice | undefined; ttl: number; loops: boolean };
  /**
   * IP_ADD_MEMBERSHIP; without a device the one that the route to the group names. EADDRINUSE when this socket has joined already, ENOBUFS
   * beyond igmp_max_memberships, ENODEV, EINVAL. Closing the socket leaves. Whoever joined, every socket on the port hears the group.
   */
  join(group: Ipv4Address, device?: NetDevice): Errno | undefined;
  leave(group: Ipv4Address, device?: NetDevice): Errno | undefined;
  /** `mayFragment`: never DF (IP_PMTUDISC_DONT). */
  send(payload: Uint8Array, to?: { readonly address: Ipv4Address; readonly port: number }, options?: { readonly ttl?: number; readonly dontFragment?: boolean; readonly mayFragment?: boolean }): Errno | undefined;
  close(): void;
}

export interface UdpProtocol {
  readonly sockets: readonly UdpSocket[];
  /** port 0: an ephemeral one. EADDRINUSE, EADDRNOTAVAIL. */
  bind(options: { readonly address: Ipv4Address; readonly port: number; readonly owner?: SocketOwner; readonly receiveErrors?: boolean; readonly reuseAddress?: boolean; readonly device?: NetDevice }, events: UdpSocketEvents): UdpSocket | Errno;
}

export type TcpStateName = "ESTABLISHED" | "SYN_SENT" | "SYN_RECV" | "FIN_WAIT1" | "FIN_WAIT2" | "TIME_WAIT" | "CLOSE" | "CLOSE_WAIT" | "LAST_ACK" | "LISTEN" | "CLOSING";

/** What a connected socket tells its owner. Every callback runs inside an event of the loop. */
export interface TcpEvents {
  onConnected?(): void;
  onData?(bytes: Uint8Array): void;
  /** The peer has sent FIN: read() returns 0. */
  onEnd?(): void;
  /** The send queue has drained below its bound. */
  onWritable?(): void;
  /** The connection is over by an error: ECONNREFUSED, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EPIPE ... Nothing follows. */
  onError?(errno: Errno): void;
}

export interface TcpSocket {
  /** False when ss and netstat do not list it: not yet, or no longer. */
  readonly isListed: boolean;
  readonly state: TcpStateName;
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly remoteAddress: Ipv4Address;
  readonly remotePort: number;
  readonly owner: SocketOwner | undefined;
  /** Bytes received and not yet read, bytes sent and not yet acknowledged: netstat's Recv-Q and Send-Q. */
  readonly receiveQueueBytes: number;
  readonly sendQueueBytes: number;
  /** connect or write sent the last segment: the socket is locked when an answer to that comes back at once. */
  readonly wasSentInCall?: boolean;
  /** The running timer for ss -o and netstat -o: on (retransmit), keepalive, timewait, probe, or undefined. */
  readonly timer: { readonly name: string; readonly expiresAtNs: number; readonly retries: number } | undefined;
  /** TCP_NODELAY: small segments do not wait for acknowledgments. */
  noDelay: boolean;
  /** SO_KEEPALIVE with its times; undefined turns it off, which is the default. */
  setKeepAlive(keepAlive: { readonly idleNs: number; readonly intervalNs: number; readonly probes: number } | undefined): void;
  setEvents(events: TcpEvents): void;
  /** Queues bytes; false when nothing more can be sent. Takes all of them: the queue is bounded by the writers' manners (onWritable). */
  send(bytes: Uint8Array): boolean;
  /** Stops reading: data stays in the receive queue and the window closes; resume delivers it. */
  pause(): void;
  resume(): void;
  /** FIN after what is queued; reading goes on. */
  shutdownWrite(): void;
  /** close(2): FIN, or RST when unread data is there; later callbacks are not called. */
  close(): void;
  /** RST at once (SO_LINGER 0, or the process was killed with data unread). */
  abort(): void;
}

export interface TcpListener {
  /** False once it is closed. */
  readonly isListed: boolean;
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly backlog: number;
  readonly owner: SocketOwner | undefined;
  /** Connections that wait for accept. */
  readonly acceptQueueLength: number;
  /** False keeps finished connections in the accept queue (a process that does not call accept). Default true. */
  isAccepting: boolean;
  /** True: the accept queue counts as full, whatever is in it. A fault; default false. */
  isJammed: boolean;
  close(): void;
}

export interface TcpProtocol {
  /** Every socket but listeners, TIME_WAIT and SYN_RECV included, in the order in which netstat lists them as far as it can be known. */
  readonly sockets: readonly TcpSocket[];
  readonly listeners: readonly TcpListener[];
  /** EADDRINUSE, EADDRNOTAVAIL. `onAccept` gives the events of the new connection. `deferAcceptSeconds`: TCP_DEFER_ACCEPT, wait for data. */
  listen(options: { readonly address: Ipv4Address; readonly port: number; readonly backlog?: number; readonly owner?: SocketOwner; readonly deferAcceptSeconds?: number; readonly noReuseAddress?: boolean }, onAccept: (socket: TcpSocket) => TcpEvents): TcpListener | Errno;
  /** Starts a connection; errno when it cannot even start (ENETUNREACH, EADDRNOTAVAIL). */
  connect(options: { readonly address: Ipv4Address; readonly port: number; readonly localAddress?: Ipv4Address; readonly localPort?: number; readonly reuseAddress?: boolean; readonly owner?: SocketOwner; readonly device?: NetDevice; readonly mark?: number }, events: TcpEvents): TcpSocket | Errno;
}

/* ------------------------------------------------------------------------------------------------------------- conntrack */

export interface ConntrackTable {
  /** True once a rule, NAT or IPVS needs tracking and its hooks are registered. */
  readonly isEnabled: boolean;
  enable(): void;
  readonly entries: readonly ConntrackEntry[];
  /** Changes the reply tuple of an unconfirmed entry (IPVS with vs.conntrack=1). */
  alterReply(entry: ConntrackEntry, reply: ConntrackEntry["reply"]): void;
  /** A helper changed the text of a segment with sequence number `seq` by so many bytes: what follows is renumbered on its way out. */
  textChanged(entry: ConntrackEntry, info: ConntrackInfo | undefined, seq: number, bytes: number): void;
  /** One user of tracking more, one fewer (nf_ct_netns_get, nf_ct_netns_put). */
  retain(): void;
  release(): void;
  remove(entry: ConntrackEntry): void;
  /** A device went down, or one of its addresses was removed: connections masqueraded by it are forgotten. */
  forgetMasqueraded(deviceIndex: number, address?: number): void;
}
