/**
 * The IPv4 layer of a host: what enters from devices and protocols, and what leaves.
 *
 *   receive ▶ PREROUTING ▶ route ─┬▶ localDeliver ▶ LOCAL_IN ▶ protocol          send ▶ route ▶ localOut ▶ LOCAL_OUT ▶ output
 *                                 └▶ forward ▶ FORWARD ▶ output ▶ POSTROUTING ▶ fragments ▶ neighbour ▶ device
 *
 * Linux v6.1 net/ipv4/ip_input.c, ip_forward.c, ip_output.c, ip_fragment.c. Not modelled: source routes and other IP options, multicast
 * routing, router alert.
 */

import { assert } from "../base/assert.ts";
import type { DropReason } from "../trace/events.ts";
import type { Ipv4Packet } from "../wire/packet.ts";
import type { Errno, Host, IpProtocol, ProtocolHandler, RawListener, SendOptions } from "./host.ts";
import { IpForward } from "./ip-forward.ts";
import { IpInput } from "./ip-input.ts";
import { IpOutput } from "./ip-output.ts";
import { type DefragmentUser, Reassembly } from "./ip-reassembly.ts";
import type { IpCounters, IpExtCounters } from "./mib.ts";
import type { SkBuff } from "./skb.ts";

const PROTOCOLS = 256;
const RAW_SOCKETS_MAX = 1024;

export class Ip implements IpProtocol {
  readonly host: Host;
  readonly counters: IpCounters;
  readonly extended: IpExtCounters;
  readonly forwarder: IpForward;
  readonly #input: IpInput;
  readonly #output: IpOutput;
  readonly #reassembly: Reassembly;
  readonly #raw: (readonly RawListener[] | undefined)[] = new Array<readonly RawListener[] | undefined>(PROTOCOLS).fill(undefined);
  readonly #protocols: (ProtocolHandler | undefined)[] = new Array<ProtocolHandler | undefined>(PROTOCOLS).fill(undefined);

  constructor(host: Host) {
    this.host = host;
    this.counters = host.mib.ip;
    this.extended = host.mib.ipExt;
    this.forwarder = new IpForward(this);
    this.#input = new IpInput(this);
    this.#output = new IpOutput(this);
    this.#reassembly = new Reassembly(this);
  }

  registerProtocol(protocol: number, handler: ProtocolHandler | undefined): void {
    assert(protocol >= 0 && protocol < PROTOCOLS, `a protocol number is 0 to 255, got ${protocol}`);
    this.#protocols[protocol] = handler;
  }

  protocol(protocol: number): ProtocolHandler | undefined {
    return this.#protocols[protocol];
  }

  openRaw(protocol: number, listener: RawListener): () => void {
    const others = this.#raw[protocol] ?? [];
    assert(others.length < RAW_SOCKETS_MAX, `${others.length} raw sockets for protocol ${protocol}`);
    this.#raw[protocol] = [...others, listener];
    return () => {
      const left = (this.#raw[protocol] ?? []).filter((one) => one !== listener);
      this.#raw[protocol] = left.length === 0 ? undefined : left;
    };
  }

  rawListeners(protocol: number): readonly RawListener[] | undefined {
    return this.#raw[protocol];
  }

  receive(skb: SkBuff): void {
    this.#input.receive(skb);
  }

  localDeliver(skb: SkBuff): void {
    this.#input.localDeliver(skb);
  }

  send(packet: Ipv4Packet, options: SendOptions = {}): Errno | undefined {
    return this.#output.send(packet, options);
  }

  localOut(skb: SkBuff): Errno | undefined {
    return this.#output.localOut(skb);
  }

  output(skb: SkBuff): void {
    this.#output.output(skb);
  }

  routeMeHarder(skb: SkBuff): Errno | undefined {
    return this.#output.routeMeHarder(skb);
  }

  defragment(skb: SkBuff, user: DefragmentUser): SkBuff | undefined {
    return this.#reassembly.defragment(skb, user);
  }

  nextId(packet: Ipv4Packet): number {
    return this.#output.nextId(packet);
  }

  drop(skb: SkBuff, reason: DropReason, detail: string): void {
    const { trace, name } = this.host;
    if (trace.isFull) skb.cause = trace.emit({ kind: "packet-dropped", host: name, reason, packet: skb.recorded, detail, cause: skb.cause });
  }
}
