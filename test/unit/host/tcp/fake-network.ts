/**
 * Two hosts that consist of nothing but TCP, UDP and a wire with a delay: what their protocols send is kept, and lost or doubled on request.
 */

import { ANY_ADDRESS, type Ipv4Address } from "../../../../src/base/ipv4-address.ts";
import type { Host, ProtocolHandler, SendOptions, Sysctl } from "../../../../src/host/host.ts";
import { Ipv4Conf } from "../../../../src/host/ipv4-conf.ts";
import { KERNEL_6_1_176 } from "../../../../src/host/kernel-options.ts";
import { Mib } from "../../../../src/host/mib.ts";
import { SkBuff } from "../../../../src/host/skb.ts";
import { Tcp } from "../../../../src/host/tcp/tcp.ts";
import { Udp } from "../../../../src/host/udp.ts";
import { SimulationLoop } from "../../../../src/kernel/loop.ts";
import { RandomStreams } from "../../../../src/kernel/random.ts";
import { Tracer } from "../../../../src/trace/tracer.ts";
import { type IcmpMessage, type Ipv4Packet, TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, type TcpSegment } from "../../../../src/wire/packet.ts";

export const A = 0x0a000001;
export const B = 0x0a000002;
export const SECOND = 1_000_000_000;
export const MS = 1_000_000;

export interface Sent {
  readonly timeNs: number;
  readonly packet: Ipv4Packet;
}

/** What becomes of a packet: the delays after which copies of it arrive; none loses it. */
export type Fate = (packet: Ipv4Packet, index: number) => readonly number[];

export class FakeNetwork {
  readonly loop = new SimulationLoop();
  readonly sent: Sent[] = [];
  fate: Fate = () => [50_000];
  mtu = 1500;
  readonly #handlers = new Map<Ipv4Address, Map<number, ProtocolHandler>>();
  readonly confirmed: Ipv4Address[] = [];
  readonly errors: { readonly to: Ipv4Address; readonly type: number; readonly code: number }[] = [];
  readonly trace = new Tracer(this.loop);

  host(address: Ipv4Address, name: string): { readonly host: Host; readonly tcp: Tcp; readonly udp: Udp } {
    const handlers = new Map<number, ProtocolHandler>();
    this.#handlers.set(address, handlers);
    const random = new RandomStreams(name);
    const device = { name: "eth0", driver: { needsNeighbour: true } };
    const fake = {
      name,
      mib: new Mib(),
      loop: this.loop,
      trace: this.trace,
      options: KERNEL_6_1_176,
      sysctl: fakeSysctl(),
      fib: { generation: 1 },
      addresses: { isOwn: (a: Ipv4Address) => a === address },
      routing: {
        output: ({ dst }: { readonly dst: Ipv4Address }) =>
          dst >>> 24 === 10
            ? {
                type: "unicast",
                device,
                gateway: ANY_ADDRESS,
                source: address,
                mtu: this.mtu,
                mtuLocked: false,
                table: 254,
                entry: undefined,
                doRedirect: false,
              }
            : { errno: "ENETUNREACH", detail: "no route" },
        learnMtu: (_: Ipv4Address, mtu: number) => {
          this.mtu = mtu;
        },
      },
      icmp: { sendError: (skb: SkBuff, type: number, code: number) => this.errors.push({ to: skb.ip.src, type, code }) },
      ip: {
        registerProtocol: (protocol: number, handler: ProtocolHandler) => handlers.set(protocol, handler),
        send: (packet: Ipv4Packet, options?: SendOptions) => {
          if (options?.confirmsNeighbour === true) this.confirmed.push(packet.dst);
          return this.#transmit(packet);
        },
      },
      random: (stream: string) => random.stream(stream),
    };
    const host = fake as unknown as Host & { tcp: Tcp; udp: Udp };
    const tcp = new Tcp(host);
    const udp = new Udp(host);
    return { host, tcp, udp };
  }

  /** Delivers a packet as if it had come over the wire. */
  inject(packet: Ipv4Packet): void {
    const handler = this.#handlers.get(packet.dst)?.get(packet.protocol);
    handler?.receive(new SkBuff(packet, undefined));
  }

  icmp(to: Ipv4Address, message: IcmpMessage, quoted: Ipv4Packet): void {
    this.#handlers.get(to)?.get(quoted.protocol)?.error?.(new SkBuff(quoted, undefined), message, quoted);
  }

  runFor(durationNs: number): void {
    this.loop.runUntil(this.loop.nowNs + durationNs);
  }

  /** One line a TCP packet from `since` on: `A>B S 60`, with the IP length. */
  story(since = 0): string[] {
    return this.sent.slice(since).map(({ packet }) => {
      const segment = packet.payload as TcpSegment;
      return `${packet.src === A ? "A>B" : "B>A"} ${flagText(segment.flags)} ${packet.lengthBytes}`;
    });
  }

  #transmit(packet: Ipv4Packet): undefined {
    const index = this.sent.length;
    this.sent.push({ timeNs: this.loop.nowNs, packet });
    for (const delayNs of this.fate(packet, index)) this.loop.after(delayNs, { onEvent: () => this.inject(packet) });
    return undefined;
  }
}

export function flagText(flags: number): string {
  const names: readonly (readonly [number, string])[] = [
    [TCP_SYN, "S"],
    [TCP_FIN, "F"],
    [TCP_RST, "R"],
    [TCP_PSH, "P"],
    [TCP_ACK, "."],
  ];
  return names
    .filter(([bit]) => (flags & bit) !== 0)
    .map(([, text]) => text)
    .join("");
}

function fakeSysctl(): Sysctl {
  const cells = new Map<string, { value: number }>();
  const fake = {
    all: new Ipv4Conf(),
    default: new Ipv4Conf(),
    register: () => () => undefined,
    registerInteger: (key: string, initial: number) => {
      const known = cells.get(key);
      if (known !== undefined) return known;
      const cell = { value: initial };
      cells.set(key, cell);
      return cell;
    },
    read: (key: string) => {
      const cell = cells.get(key);
      return cell === undefined ? undefined : String(cell.value);
    },
    write: (key: string, text: string) => {
      const cell = cells.get(key);
      if (cell === undefined) return "ENOENT";
      cell.value = Number(text);
      return undefined;
    },
    keys: () => [...cells.keys()],
    inForce: () => 0,
  } satisfies Partial<Sysctl>;
  return fake as unknown as Sysctl;
}
