/**
 * The FTP helper: reads the dialogue of a NAT connection to port 21, learns which port the data will come by, makes an entry for it and puts
 * the virtual address in place of the server's.
 *
 *   client ── PASV ──▶ director ── PASV ──▶ server        the helper waits for the server's answer
 *   client ◀─ 227 (VIP,p) ─ director ◀─ 227 (RIP,p) ─ server     entry client:0 -> VIP:p -> RIP:p, state LISTEN
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_ftp.c (ip_vs_ftp_in, ip_vs_ftp_out, ip_vs_ftp_get_addrport), ip_vs_conn.c (ip_vs_conn_fill_cport).
 * Not modelled: IPv6, the expectation that makes the data connection RELATED for iptables.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import type { SkBuff } from "../host/skb.ts";
import { PROTOCOL_TCP, TcpSegment } from "../wire/packet.ts";
import { CONN_CONNTRACK, CONN_NO_CLIENT_PORT, type Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { type Director, FTP_PORT } from "./director.ts";
import { TCP_S_ESTABLISHED, TCP_S_LISTEN } from "./tcp-states.ts";

/** What the helper waits for on a control connection. */
type Awaited = "PASV" | "EPSV";

interface AddressPort {
  readonly address: number;
  readonly port: number;
  /** Where it stands in the text. */
  readonly start: number;
  readonly end: number;
}

/** ip_vs_proto_tcp.c:tcp_app_conn_bind: only NAT, and only the virtual port counts. */
export function isFtpControl(protocol: number, virtualPort: number, method: string): boolean {
  return virtualPort === FTP_PORT && protocol === PROTOCOL_TCP && method === "masq";
}

export class FtpHelper {
  readonly #director: Director;
  readonly #connections: Connections;
  readonly #awaited = new WeakMap<Connection, Awaited>();

  constructor(director: Director, connections: Connections) {
    this.#director = director;
    this.#connections = connections;
  }

  /** A client's segment on a control connection, before it is translated. */
  request(control: Connection, segment: TcpSegment): void {
    if (control.state !== TCP_S_ESTABLISHED || segment.payload.length === 0) return;
    const text = textOf(segment.payload);
    const asked = /PASV\r\n|EPSV(?=\r| 1\r)/i.exec(text)?.[0];
    if (asked !== undefined) {
      this.#awaited.set(control, asked.slice(0, 4).toUpperCase() as Awaited);
      return;
    }
    const told = readPort(text) ?? readExtendedPort(text);
    if (told === undefined) return;
    this.#awaited.delete(control);
    const { table } = this.#director;
    const virtualPort = control.virtualPort - 1;
    const known = table.findIn(PROTOCOL_TCP, told.address, told.port, control.virtualAddress, virtualPort);
    const key = { protocol: PROTOCOL_TCP, clientAddress: told.address, clientPort: told.port, virtualAddress: control.virtualAddress, virtualPort };
    this.#listen(known ?? this.#expect(control, key, { address: control.destAddress, port: control.destPort - 1 }, CONN_CONNTRACK));
  }

  /** A server's segment, before it is translated; false: the packet is lost, since nobody can change its text. */
  reply(control: Connection, skb: SkBuff): boolean {
    const awaited = this.#awaited.get(control);
    const segment = skb.ip.payload;
    if (awaited === undefined || control.state !== TCP_S_ESTABLISHED || !(segment instanceof TcpSegment) || segment.payload.length === 0) return true;
    const text = textOf(segment.payload);
    const told = awaited === "PASV" ? readPassiveReply(text) : readExtendedReply(text, control.destAddress);
    if (told === undefined) return true;
    const { table } = this.#director;
    const key = { protocol: PROTOCOL_TCP, clientAddress: control.clientAddress, clientPort: 0, virtualAddress: control.virtualAddress, virtualPort: told.port };
    const data =
      table.findOut(PROTOCOL_TCP, told.address, told.port, control.clientAddress, 0) ??
      this.#expect(control, key, { address: told.address, port: told.port }, CONN_CONNTRACK | CONN_NO_CLIENT_PORT);
    if (data === undefined) return false;
    const replacement = awaited === "PASV" ? passiveText(data) : String(data.virtualPort);
    this.#awaited.delete(control);
    this.#listen(data);
    return this.#replace(skb, told, replacement);
  }

  /** The client has opened its data connection: now its port is known. */
  fillClientPort(data: Connection, clientPort: number): void {
    const { table } = this.#director;
    table.remove(data);
    data.flags &= ~CONN_NO_CLIENT_PORT;
    data.clientPort = clientPort;
    table.add(data);
    this.#director.noClientPortCount--;
    this.#connections.renamed(data);
  }

  #expect(control: Connection, key: Parameters<Connections["create"]>[0], to: { address: number; port: number }, flags: number): Connection | undefined {
    const data = this.#connections.create(key, { ...to, method: "masq" }, flags, control.dest, control.mark);
    if (data === undefined) return undefined;
    if ((flags & CONN_NO_CLIENT_PORT) !== 0) this.#director.noClientPortCount++;
    this.#connections.control(data, control);
    return data;
  }

  #listen(data: Connection | undefined): void {
    if (data !== undefined) this.#connections.listen(data, TCP_S_LISTEN);
  }

  /** nf_nat_helper.c:nf_nat_mangle_tcp_packet. */
  #replace(skb: SkBuff, at: AddressPort, replacement: string): boolean {
    const { host } = this.#director;
    const entry = skb.conntrack;
    if (entry === undefined) return false;
    const segment = skb.makeWritable().payload as TcpSegment;
    const old = segment.payload;
    const bytes = new Uint8Array(old.length + replacement.length - (at.end - at.start));
    bytes.set(old.subarray(0, at.start));
    for (let i = 0; i < replacement.length; i++) bytes[at.start + i] = replacement.charCodeAt(i);
    bytes.set(old.subarray(at.end), at.start + replacement.length);
    segment.payload = bytes;
    if (bytes.length !== old.length) host.conntrack.textChanged(entry, skb.conntrackInfo, segment.seq, bytes.length - old.length);
    return true;
  }
}

/* ------------------------------------------------------------------------------------------------------------ dialogue */

/** Bytes as characters, one each, so that positions agree. */
function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** `227 Entering Passive Mode (10,1,1,2,39,17)`; the bracket may be missing. */
function readPassiveReply(text: string): AddressPort | undefined {
  return readSix(text, /^227 [^\d(]*(?:\(+)?/i);
}

/** `PORT 192,168,1,50,200,3`. */
function readPort(text: string): AddressPort | undefined {
  return readSix(text, /^PORT +/i);
}

function readSix(text: string, before: RegExp): AddressPort | undefined {
  const head = before.exec(text);
  if (head === null) return undefined;
  const start = head[0].length;
  const numbers = /^\d+,\d+,\d+,\d+,\d+,\d+(?=[^\d])/.exec(text.slice(start))?.[0];
  if (numbers === undefined) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, high = 0, low = 0] = numbers.split(",").map((part) => Number(part) & 255);
  return { address: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0, port: (high << 8) | low, start, end: start + numbers.length };
}

/** `229 Entering Extended Passive Mode (|||10001|)`. */
function readExtendedReply(text: string, server: number): AddressPort | undefined {
  const match = /^229 [^(]*\(+(.)\1\1(\d{1,5})\1/i.exec(text);
  if (match === null) return undefined;
  const digits = match[2] as string;
  const start = match[0].length - 1 - digits.length;
  const port = Number(digits);
  return port > 65535 ? undefined : { address: server, port, start, end: start + digits.length };
}

/** `EPRT |1|192.168.1.50|51203|`. */
function readExtendedPort(text: string): AddressPort | undefined {
  const match = /^EPRT +(.)1\1(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\1(\d{1,5})\1/i.exec(text);
  if (match === null) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, port = 0] = match.slice(2).map(Number);
  return { address: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0, port, start: 0, end: 0 };
}

function passiveText(data: Connection): string {
  return `${formatIpv4Address(data.virtualAddress).replaceAll(".", ",")},${data.virtualPort >> 8},${data.virtualPort & 255}`;
}
