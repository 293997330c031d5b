/**
 * One probe of traceroute, and the three ways of sending it: UDP to rising ports, ICMP echo, TCP SYN.
 *
 * traceroute 2.1.2: mod-default.c, mod-icmp.c, mod-tcp.c, traceroute.c (parse_icmp_res).
 */

import { formatIpv4Address, type Ipv4Address } from "../../base/ipv4-address.ts";
import type { NetDevice } from "../../host/device.ts";
import { type Host, isRouteError } from "../../host/host.ts";
import {
  ICMP_DEST_UNREACH,
  ICMP_ECHO_REPLY,
  ICMP_FRAG_NEEDED,
  ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  IcmpMessage,
  Ipv4Packet,
  PROTOCOL_TCP,
  TCP_SYN,
  TcpSegment,
} from "../../wire/packet.ts";

const UDP_PORT_DEFAULT = 33434;
const TCP_PORT_DEFAULT = 80;
const UDP_CONSTANT_PORT_DEFAULT = 53;
const TCP_WINDOW = 5840;
const TCP_OPTION_BYTES = 20;
const TCP_MSS = 1460;

export class Probe {
  readonly index: number;
  sentAtNs = -1;
  receivedAtNs = -1;
  from: Ipv4Address | undefined = undefined;
  receivedTtl = 0;
  isDone = false;
  /** The trace ends with this hop. */
  isFinal = false;
  error = "";

  constructor(index: number) {
    this.index = index;
  }

  get isSent(): boolean {
    return this.sentAtNs >= 0;
  }

  answered(nowNs: number, from: Ipv4Address | undefined, ttl: number): void {
    this.receivedAtNs = nowNs;
    this.from = from;
    this.receivedTtl = ttl;
    this.isDone = true;
  }

  /** An ICMP error about the probe. */
  reported(nowNs: number, packet: Ipv4Packet, icmp: IcmpMessage): void {
    if (this.isDone || icmp.type === ICMP_REDIRECT || icmp.type === ICMP_SOURCE_QUENCH) return;
    this.answered(nowNs, packet.src, packet.ttl);
    if (icmp.type === ICMP_TIME_EXCEEDED && icmp.code === 0) return;
    this.error = errorMark(icmp);
    this.isFinal = true;
  }
}

const UNREACHABLE_MARKS: readonly string[] = ["!N", "!H", "!P", "", "", "!S", "!N", "!H", "!N", "!X", "!X", "!N", "!H", "!X", "!V", "!C"];

function errorMark(icmp: IcmpMessage): string {
  if (icmp.type !== ICMP_DEST_UNREACH) return `!<${icmp.type}-${icmp.code}>`;
  if (icmp.code === ICMP_FRAG_NEEDED) return `!F-${icmp.rest & 0xffff}`;
  return UNREACHABLE_MARKS[icmp.code] ?? `!<${icmp.code}>`;
}

export interface ProbeSettings {
  readonly host: Host;
  readonly destination: Ipv4Address;
  readonly source: Ipv4Address;
  readonly device: NetDevice | undefined;
  readonly dataBytes: number;
  readonly port: number | undefined;
  readonly tos: number;
  readonly mark: number;
  readonly dontFragment: boolean;
  /** Something has come that may end a wait. */
  wake(): void;
}

/**
 * What has come in and was not looked at yet. With a socket for each probe one poll finds them all; with one socket for all it finds one
 * message, an error before a reply, and the program sends another probe before it polls again.
 */
class Arrivals {
  readonly #errors: (() => void)[] = [];
  readonly #replies: (() => void)[] = [];
  readonly #wake: () => void;
  readonly #isOneSocket: boolean;

  constructor(wake: () => void, isOneSocket: boolean) {
    this.#wake = wake;
    this.#isOneSocket = isOneSocket;
  }

  get isEmpty(): boolean {
    return this.#errors.length === 0 && this.#replies.length === 0;
  }

  error(handle: () => void): void {
    this.#errors.push(handle);
    this.#wake();
  }

  reply(handle: () => void): void {
    this.#replies.push(handle);
    this.#wake();
  }

  handle(): void {
    do (this.#errors.shift() ?? this.#replies.shift())?.();
    while (!this.#isOneSocket && !this.isEmpty);
  }
}

export interface ProbeMethod {
  readonly arrivals: { readonly isEmpty: boolean; handle(): void };
  /** Returns the errno that a system call gave, with the call's name. */
  send(probe: Probe, ttl: number): { readonly call: string; readonly errno: string } | undefined;
  close(): void;
}

function payloadOf(lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = 0x40 + (i & 0x3f);
  return bytes;
}

/** `isConstant`: the port stays (traceroute -U). */
export function udpMethod(settings: ProbeSettings, isConstant: boolean): ProbeMethod {
  const { host, destination } = settings;
  const payload = payloadOf(settings.dataBytes);
  const first = settings.port ?? (isConstant ? UDP_CONSTANT_PORT_DEFAULT : UDP_PORT_DEFAULT);
  const open = new Set<{ close(): void }>();
  const arrivals = new Arrivals(settings.wake, false);
  return {
    arrivals,
    send(probe, ttl) {
      const finish = (): void => {
        open.delete(socket);
        socket.close();
      };
      const bound = host.udp.bind(
        { address: settings.source, port: 0, receiveErrors: true },
        {
          onDatagram: (_payload, from, packet) => {
            const { nowNs } = host.loop;
            arrivals.reply(() => {
              probe.answered(nowNs, from.address, packet.ttl);
              probe.isFinal = true;
              finish();
            });
          },
          onError: (_errno, icmp) => {
            if (icmp === undefined) return;
            const { nowNs } = host.loop;
            arrivals.error(() => {
              probe.reported(nowNs, icmp.packet, icmp.message);
              finish();
            });
          },
        },
      );
      if (typeof bound === "string") return { call: "bind", errno: bound };
      const socket = bound;
      open.add(socket);
      const port = isConstant ? first : (first + probe.index) & 0xffff;
      const refused = socket.connect(destination, port);
      if (refused !== undefined) return { call: "connect", errno: refused };
      const errno = socket.send(payload, undefined, { ttl, dontFragment: settings.dontFragment, mayFragment: !settings.dontFragment });
      return errno === undefined ? undefined : { call: "send", errno };
    },
    close() {
      for (const socket of open) socket.close();
      open.clear();
    },
  };
}

export function icmpMethod(settings: ProbeSettings): ProbeMethod {
  const { host, destination } = settings;
  const payload = payloadOf(settings.dataBytes);
  const waiting = new Map<number, Probe>();
  const first = settings.port ?? 1;
  const arrivals = new Arrivals(settings.wake, true);
  const socket = host.icmp.openEcho((packet, icmp) => {
    const isReply = icmp.type === ICMP_ECHO_REPLY;
    const echo = isReply ? icmp : icmp.quoted?.payload;
    const probe = echo instanceof IcmpMessage ? waiting.get(echo.rest & 0xffff) : undefined;
    if (probe === undefined || probe.isDone) return;
    const { nowNs } = host.loop;
    if (!isReply) {
      arrivals.error(() => probe.reported(nowNs, packet, icmp));
      return;
    }
    arrivals.reply(() => {
      probe.answered(nowNs, packet.src, packet.ttl);
      probe.isFinal = true;
    });
  });
  return {
    arrivals,
    send(probe, ttl) {
      const sequence = (first + probe.index) & 0xffff;
      waiting.set(sequence, probe);
      const { source, device, tos, mark, dontFragment } = settings;
      const errno = socket.send({ destination, sequence, payload, ttl, source, device, tos, mark, dontFragment });
      return errno === undefined ? undefined : { call: errno === "ENETUNREACH" || errno === "EHOSTUNREACH" ? "connect" : "send", errno };
    },
    close() {
      socket.close();
    },
  };
}

/** SYNs from raw sockets; the host's TCP, which knows nothing of them, answers a SYN+ACK with RST. */
export function tcpMethod(settings: ProbeSettings): ProbeMethod {
  const { host, destination } = settings;
  const port = settings.port ?? TCP_PORT_DEFAULT;
  const random = host.random("traceroute");
  const waiting = new Map<number, Probe>();
  const arrivals = new Arrivals(settings.wake, true);
  const close = host.ip.openRaw(PROTOCOL_TCP, {
    onPacket: (skb) => {
      const segment = skb.ip.payload;
      if (!(segment instanceof TcpSegment) || skb.ip.src !== destination || segment.srcPort !== port) return;
      const probe = waiting.get(segment.dstPort);
      if (probe === undefined || probe.isDone) return;
      const { nowNs } = host.loop;
      const { src, ttl } = skb.ip;
      arrivals.reply(() => {
        probe.answered(nowNs, src, ttl);
        probe.isFinal = true;
      });
    },
    onError: (skb, icmp, quoted) => {
      const probe = quoted.payload instanceof TcpSegment && quoted.dst === destination ? waiting.get(quoted.payload.srcPort) : undefined;
      if (probe === undefined) return;
      const { nowNs } = host.loop;
      const packet = skb.ip;
      arrivals.error(() => probe.reported(nowNs, packet, icmp));
    },
  });
  return {
    arrivals,
    send(probe, ttl) {
      const route = host.routing.output({ dst: destination, src: settings.source, device: settings.device, mark: settings.mark, tos: settings.tos });
      if (isRouteError(route)) return { call: "connect", errno: route.errno };
      let localPort = 32768 + random.below(28232);
      while (waiting.has(localPort)) localPort = localPort === 60999 ? 32768 : localPort + 1;
      waiting.set(localPort, probe);
      const segment = new TcpSegment(localPort, port, random.next32(), 0, TCP_SYN, TCP_WINDOW);
      segment.options = { mss: TCP_MSS, sackPermitted: true, timestamps: { value: Math.trunc(host.loop.nowNs / 1_000_000) >>> 0, echo: 0 }, windowScale: 2 };
      segment.optionBytes = TCP_OPTION_BYTES;
      const packet = new Ipv4Packet(settings.source !== 0 ? settings.source : route.source, destination, PROTOCOL_TCP, ttl, segment);
      packet.tos = settings.tos;
      packet.dontFragment = settings.dontFragment;
      const errno = host.ip.send(packet, { route, mark: settings.mark });
      return errno === undefined ? undefined : { call: "send", errno };
    },
    close,
  };
}

export function describeAddress(address: Ipv4Address, name: string | undefined, isNumeric: boolean): string {
  const text = formatIpv4Address(address);
  return isNumeric ? text : `${name ?? text} (${text})`;
}
