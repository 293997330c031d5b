/**
 * UDP ports that take tunnelled packets: FOU (a bare packet) and GUE (a packet behind a 4-byte header), as `ip fou add` opens them.
 *
 * Linux v6.1 net/ipv4/fou.c (fou_udp_recv, gue_udp_recv, fou_add_to_port_list). What comes out goes on as if it had come as a packet of the
 * protocol that the port or the header names, so an ipip device takes it.
 */

import { decodeGue } from "../wire/gue.ts";
import { decodeIpv4, IPV4_CODEC } from "../wire/ipv4.ts";
import { GuePacket, Ipv4Packet, type Ipv4Payload, PROTOCOL_IPIP, PROTOCOL_UDP, RawPayload, UdpDatagram } from "../wire/packet.ts";
import type { Errno, FouPort, FouPorts, Host, ProtocolHandler, UdpSocket } from "./host.ts";
import { SkBuff } from "./skb.ts";

const PORTS_MAX = 65536;

interface OpenPort {
  readonly port: FouPort;
  readonly socket: UdpSocket;
}

export class Fou implements FouPorts {
  readonly #host: Host;
  readonly #ports = new Map<number, OpenPort>();
  #udp: ProtocolHandler | undefined = undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  get list(): readonly FouPort[] {
    return [...this.#ports.values()].map((open) => open.port);
  }

  add(port: FouPort): Errno | undefined {
    if (this.#ports.has(port.port)) return "EADDRINUSE";
    if (this.#ports.size >= PORTS_MAX) return "ENOMEM";
    const socket = this.#host.udp.bind({ address: port.local, port: port.port }, { onDatagram: () => {}, onError: () => {} });
    if (typeof socket === "string") return socket;
    this.#ports.set(port.port, { port, socket });
    if (this.#udp === undefined) this.#stepBetween();
    return undefined;
  }

  remove(port: number): Errno | undefined {
    const open = this.#ports.get(port);
    if (open === undefined) return "EINVAL";
    open.socket.close();
    this.#ports.delete(port);
    if (this.#ports.size > 0 || this.#udp === undefined) return undefined;
    this.#host.ip.registerProtocol(PROTOCOL_UDP, this.#udp);
    this.#udp = undefined;
    return undefined;
  }

  /** Takes the place of UDP's handler while there are ports, so that hosts without them pay nothing. */
  #stepBetween(): void {
    const udp = this.#host.ip.protocol(PROTOCOL_UDP);
    if (udp === undefined) return;
    this.#udp = udp;
    const handler: ProtocolHandler = {
      receive: (skb) => {
        if (this.#receive(skb)) this.#host.mib.udp.InDatagrams++;
        else udp.receive(skb);
      },
    };
    if (udp.error !== undefined) handler.error = (skb, icmp, quoted) => udp.error?.(skb, icmp, quoted);
    this.#host.ip.registerProtocol(PROTOCOL_UDP, handler);
  }

  /** False when the datagram is none of ours. */
  #receive(skb: SkBuff): boolean {
    const datagram = skb.ip.payload;
    if (!(datagram instanceof UdpDatagram)) return false;
    const open = this.#ports.get(datagram.dstPort);
    if (open === undefined || !isMeant(open.port, skb, datagram)) return false;
    const content = open.port.isGue ? fromGue(datagram.payload) : fromFou(datagram.payload, open.port.protocol);
    if (content === undefined) {
      this.#drop(skb);
      return true;
    }
    const outer = skb.ip.copy();
    outer.protocol = content.protocol;
    outer.payload = content.payload;
    const inner = new SkBuff(outer, skb.device);
    inner.packetType = skb.packetType;
    inner.sourceMac = skb.sourceMac;
    inner.mark = skb.mark;
    inner.confirmsNeighbour = skb.confirmsNeighbour;
    inner.route = skb.route;
    inner.isIpvsHandled = skb.isIpvsHandled;
    inner.cause = skb.cause;
    inner.container = skb.ip;
    const handler = this.#host.ip.protocol(content.protocol);
    if (handler === undefined) this.#drop(skb);
    else handler.receive(inner);
    return true;
  }

  #drop(skb: SkBuff): void {
    const { trace, name } = this.#host;
    if (trace.isFull)
      trace.emit({
        kind: "packet-dropped",
        host: name,
        reason: "TUNNEL_NO_DEVICE",
        packet: skb.recorded,
        detail: "nothing that a tunnel port can use",
        cause: skb.cause,
      });
  }
}

function isMeant(port: FouPort, skb: SkBuff, datagram: UdpDatagram): boolean {
  if (port.local !== 0 && port.local !== skb.ip.dst) return false;
  if (port.device !== undefined && port.device !== skb.device) return false;
  return (port.peer === 0 || port.peer === skb.ip.src) && (port.peerPort === 0 || port.peerPort === datagram.srcPort);
}

interface Content {
  readonly protocol: number;
  readonly payload: Ipv4Payload;
}

function fromGue(payload: Uint8Array | GuePacket): Content | undefined {
  if (payload instanceof GuePacket) return { protocol: payload.protocol, payload: payload.payload };
  const decoded = decodeGue(payload, {}, IPV4_CODEC);
  return decoded.ok ? { protocol: decoded.value.protocol, payload: decoded.value.payload } : undefined;
}

function fromFou(payload: Uint8Array | GuePacket, protocol: number): Content | undefined {
  if (payload instanceof GuePacket) return undefined;
  if (protocol !== PROTOCOL_IPIP) return { protocol, payload: new RawPayload(payload) };
  const decoded = decodeIpv4(payload);
  return decoded.ok && decoded.value instanceof Ipv4Packet ? { protocol, payload: decoded.value } : undefined;
}
