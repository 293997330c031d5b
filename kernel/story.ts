/**
 * The story that a capture tells: for each conversation (a TCP connection, a UDP or ICMP exchange, the ARP traffic about one address) the
 * ordered list of its frames, without what two runs of one kernel never share: times, ids, sequence numbers, windows, ephemeral ports
 * (their order of appearance stays), how a byte stream is cut into segments, bare ACKs after the first of a direction, unicast ARP probes.
 */

import { formatIpv4Address } from "../src/base/ipv4-address.ts";
import { formatMacAddress } from "../src/base/mac-address.ts";
import type { Scenario } from "../src/scenario/scenario-file.ts";
import { decodeEthernet } from "../src/wire/ethernet.ts";
import {
  type ArpPacket,
  type EthernetFrame,
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  ICMP_FRAG_NEEDED,
  ICMP_REDIRECT,
  IcmpMessage,
  Ipv4Packet,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
  TcpSegment,
  UdpDatagram,
  VrrpAdvert,
} from "../src/wire/packet.ts";
import { decodePcap } from "../src/wire/pcap.ts";

/** What was said in one conversation, in order. `times`: seconds since the origin, one for each row (of a run of bytes: its first). */
export interface Conversation {
  readonly rows: string[];
  readonly times: number[];
}

/** Name of a conversation -> what was said. */
export type Story = Map<string, Conversation>;

const EPHEMERAL_FROM = 32768;
/**
 * Conversations of servers that take their time on a busy machine: TLS computes, a mail server that is a script starts programs. There segments that
 * were sent again are left out, and loose comparisons look at how much is said, not at whose turn it is.
 */
export const SLOW_PORTS: readonly number[] = [25, 443];

/** Names ephemeral ports by the order in which each address first used them. */
class PortNames {
  readonly #names = new Map<string, string>();
  readonly #counts = new Map<number, number>();

  end(address: number, port: number): string {
    const host = formatIpv4Address(address);
    if (port < EPHEMERAL_FROM) return `${host}:${port}`;
    const key = `${address} ${port}`;
    let name = this.#names.get(key);
    if (name === undefined) {
      const count = (this.#counts.get(address) ?? 0) + 1;
      this.#counts.set(address, count);
      name = `e${count}`;
      this.#names.set(key, name);
    }
    return `${host}:${name}`;
  }
}

type RowKind = "syn" | "rst" | "fin" | "data" | "ack" | "one";

interface Row {
  readonly conversation: string;
  readonly text: string;
  readonly kind: RowKind;
  readonly bytes: number;
  /** Of a slow server's connection: where the data begins. */
  readonly sequence?: number;
}

function pair(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

function describeIpv4(ip: Ipv4Packet, ports: PortNames): Row {
  const ends = `${formatIpv4Address(ip.src)}>${formatIpv4Address(ip.dst)}`;
  const fragment = ip.fragmentOffset > 0 ? ` frag@${ip.fragmentOffset}` : ip.moreFragments ? " MF" : "";
  const base = `${ends} ttl ${ip.ttl}${ip.dontFragment ? " DF" : ""}${fragment}`;
  const addresses = pair(formatIpv4Address(ip.src), formatIpv4Address(ip.dst));
  const { payload } = ip;
  if (payload instanceof TcpSegment) return describeTcp(ip, payload, base, ports);
  if (payload instanceof UdpDatagram) {
    const from = ports.end(ip.src, payload.srcPort);
    const to = ports.end(ip.dst, payload.dstPort);
    return { conversation: `udp ${pair(from, to)}`, text: `${base} udp ${from}>${to} len ${payload.lengthBytes - 8}`, kind: "one", bytes: 0 };
  }
  if (payload instanceof IcmpMessage) return { conversation: `icmp ${addresses}`, text: `${base} ${describeIcmp(payload, ports)}`, kind: "one", bytes: 0 };
  if (payload instanceof VrrpAdvert) return { conversation: `vrrp ${payload.vrid}`, text: `${base} vrrp v${payload.version} vrid ${payload.vrid} prio ${payload.priority}`, kind: "one", bytes: 0 };
  if (payload instanceof Ipv4Packet) {
    const inner = describeIpv4(payload, ports);
    return { conversation: `ipip ${inner.conversation}`, text: `${base} ipip (${inner.text})`, kind: inner.kind, bytes: inner.bytes };
  }
  return { conversation: `ip ${ip.protocol} ${addresses}`, text: `${base} proto ${ip.protocol} len ${payload.lengthBytes}`, kind: "one", bytes: 0 };
}

function describeTcp(ip: Ipv4Packet, tcp: TcpSegment, base: string, ports: PortNames): Row {
  const from = ports.end(ip.src, tcp.srcPort);
  const to = ports.end(ip.dst, tcp.dstPort);
  const { flags } = tcp;
  const isSlow = SLOW_PORTS.includes(tcp.srcPort) || SLOW_PORTS.includes(tcp.dstPort);
  const letters = `${flags & TCP_SYN ? "S" : ""}${flags & TCP_FIN ? "F" : ""}${flags & TCP_RST ? "R" : ""}`;
  const kind = flags & TCP_SYN ? "syn" : flags & TCP_RST ? "rst" : flags & TCP_FIN ? "fin" : tcp.payload.length > 0 ? "data" : "ack";
  return { conversation: `tcp ${pair(from, to)}`, text: `${base} tcp ${from}>${to} [${letters === "" ? "-" : letters}${flags & TCP_ACK ? "." : ""}]`, kind, bytes: tcp.payload.length, ...(isSlow ? { sequence: tcp.seq } : {}) };
}

function describeIcmp(icmp: IcmpMessage, ports: PortNames): string {
  let text = `icmp ${icmp.type}/${icmp.code}`;
  if (icmp.type === ICMP_ECHO || icmp.type === ICMP_ECHO_REPLY) text += ` seq ${icmp.rest & 0xffff}`;
  if (icmp.type === ICMP_REDIRECT) text += ` gw ${formatIpv4Address(icmp.rest)}`;
  if (icmp.type === ICMP_DEST_UNREACH && icmp.code === ICMP_FRAG_NEEDED) text += ` mtu ${icmp.rest & 0xffff}`;
  return icmp.quoted === undefined ? text : `${text} (${describeIpv4(icmp.quoted, ports).text})`;
}

/** Collects rows of one capture point. */
class StoryBuilder {
  readonly story: Story = new Map();
  readonly #names: ReadonlyMap<string, string>;
  readonly #ports = new PortNames();
  readonly #probed = new Set<string>();
  readonly #acked = new Set<string>();
  #time = 0;
  readonly #sent = new Set<string>();

  constructor(names: ReadonlyMap<string, string>) {
    this.#names = names;
  }

  add(frame: EthernetFrame, time: number): void {
    this.#time = time;
    const name = (mac: number) => this.#names.get(formatMacAddress(mac)) ?? formatMacAddress(mac);
    const hop = `${name(frame.src)}->${name(frame.dst)} `;
    const { payload } = frame;
    if (payload.kind === "arp") this.#addArp(payload, hop, name(frame.dst), name);
    else if (payload.kind === "ipv4") this.#addIpv4(payload, hop);
  }

  /** A frame that makes no sense is told of too: it would be missed otherwise. */
  addUnreadable(reason: string, time: number): void {
    this.#time = time;
    this.#push(this.#conversation("unreadable"), reason);
  }

  #addArp(arp: ArpPacket, hop: string, to: string, name: (mac: number) => string): void {
    const sender = formatIpv4Address(arp.senderIp);
    const target = formatIpv4Address(arp.targetIp);
    if (arp.operation === 1 && to !== "broadcast") {
      this.#probed.add(`${target} ${sender}`);
      return;
    }
    if (arp.operation === 2 && this.#probed.delete(`${sender} ${target}`)) return;
    const mac = name(arp.senderMac);
    this.#push(this.#conversation(`arp ${pair(sender, target)}`), hop + (arp.operation === 1 ? `who-has ${target} tell ${sender} from ${mac}` : `${sender} is-at ${mac}`));
  }

  #addIpv4(ip: Ipv4Packet, hop: string): void {
    const row = describeIpv4(ip, this.#ports);
    const conversation = this.#conversation(row.conversation);
    const { rows } = conversation;
    const text = hop + row.text;
    const way = `${row.conversation} ${hop}${row.text.split(" ttl ")[0]}`;
    if (row.kind === "ack") {
      if (this.#acked.has(way)) return;
      this.#acked.add(way);
    } else if ((row.kind === "data" || row.kind === "fin") && row.bytes > 0) {
      this.#acked.add(way);
      if (row.sequence !== undefined) {
        const segment = `${way} ${row.sequence}`;
        if (this.#sent.has(segment)) return;
        this.#sent.add(segment);
      }
      const run = `${text.replace(/\[F(\.?)\]/, "[-$1]")} data `;
      const last = rows.at(-1);
      if (last?.startsWith(run)) rows[rows.length - 1] = run + (Number(last.slice(run.length)) + row.bytes);
      else this.#push(conversation, run + row.bytes);
      if (row.kind === "data") return;
    }
    this.#push(conversation, text);
  }

  #push({ rows, times }: Conversation, text: string): void {
    rows.push(text);
    times.push(this.#time);
  }

  #conversation(name: string): Conversation {
    let conversation = this.story.get(name);
    if (conversation === undefined) {
      conversation = { rows: [], times: [] };
      this.story.set(name, conversation);
    }
    return conversation;
  }
}

/** MAC address -> host.interface. */
export function macNames(scenario: Scenario): Map<string, string> {
  return new Map(scenario.hosts.flatMap((host) => host.interfaces.map((one) => [formatMacAddress(one.mac), `${host.name}.${one.name}`] as const)));
}

/** Reads one capture file. `names`: MAC -> host.interface. Frames later than `untilSeconds` after `originSeconds` (since 1970) are left out. */
export function storyOf(pcap: Uint8Array, names: ReadonlyMap<string, string>, originSeconds: number, untilSeconds: number): Story {
  const file = decodePcap(pcap);
  if (!file.ok) throw new Error(`unreadable capture: ${file.reason}`);
  const builder = new StoryBuilder(new Map([...names, ["ff:ff:ff:ff:ff:ff", "broadcast"], ["00:00:00:00:00:00", "zero"]]));
  for (const record of file.value.records) {
    const time = record.seconds - originSeconds + record.nanoseconds / 1e9;
    if (time > untilSeconds) continue;
    const frame = decodeEthernet(record.bytes);
    if (frame.ok) builder.add(frame.value, time);
    else builder.addUnreadable(frame.reason, time);
  }
  return builder.story;
}

/**
 * The story with repetition taken out, for daemons that do the same again and again and whose number of times depends on when they began:
 * TCP connections of the same ends become the set of their courses without bare ACKs, of other frames each kind counts once.
 */
export function withoutRepetition(story: Story): Story {
  const out = new Map<string, string[]>();
  for (const [conversation, { rows }] of story) {
    const plain = (text: string): string => text.replace(/:e\d+/g, ":e");
    const key = plain(conversation);
    const known = out.get(key) ?? [];
    // How busy a machine is decides whether it acknowledges before it has something to say.
    if (SLOW_PORTS.some((port) => key.split(" ").some((end) => end.endsWith(`:${port}`)))) known.push(...amountsOf(rows).map(plain));
    else if (key.includes("tcp ")) known.push(plain(rows.filter((row) => !row.endsWith("[-.]")).join(" | ")));
    else known.push(...rows.map((row) => plain(row).replace(/ seq \d+/g, "")));
    out.set(key, [...new Set(known)]);
  }
  // What groups a report of IGMP (protocol 2) has together is chance.
  return new Map([...out].map(([key, rows]) => [key, { rows: key.includes("tcp ") || key.startsWith("ip 2 ") ? rows.sort() : rows, times: [] }]));
}

/**
 * How much each side of a slow server's connection says. With TLS session tickets cross the request, and both sides close upon close_notify; a mail
 * server's script ends when its client does: whose frame is first, and whether the last words find the socket open, is chance. So is whether a
 * check meets the moment in which one script has gone and the next does not listen yet: a connection without a word is not told of.
 */
function amountsOf(rows: readonly string[]): readonly string[] {
  const amounts = new Map<string, number>();
  for (const row of rows) {
    const match = /^(.*) data (\d+)$/.exec(row);
    if (match !== null) amounts.set(match[1] as string, (amounts.get(match[1] as string) ?? 0) + Number(match[2]));
    else if (row.includes("[S")) amounts.set(row, 0);
  }
  if (rows.some((row) => row.includes("[S.]")) && [...amounts.values()].every((bytes) => bytes === 0)) return [];
  return [[...amounts].map(([way, bytes]) => `${way} ${bytes}`).join(" | ")];
}
