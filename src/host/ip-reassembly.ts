/**
 * Putting fragments together again. Each user (local delivery, connection tracking, IPVS) has queues of its own, as in the kernel.
 *
 * Linux v6.1 net/ipv4/ip_fragment.c (ip_defrag, ip_frag_queue, ip_frag_reasm, ip_expire), net/ipv4/inet_fragment.c:inet_frag_queue_insert;
 * RFC 815, RFC 5722 (overlaps end the whole datagram).
 */

import { concatBytes } from "../base/bytes.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import type { EventTarget } from "../kernel/event-loop.ts";
import { Timer } from "../kernel/timer.ts";
import { decodeIpv4Payload, encodeIpv4Payload } from "../wire/ipv4.ts";
import { ICMP_TIME_EXCEEDED, RawPayload } from "../wire/packet.ts";
import type { NetDevice } from "./device.ts";
import { isRouteError, type SysctlCell } from "./host.ts";
import type { Ip } from "./ip.ts";
import type { SkBuff } from "./skb.ts";

export type DefragmentUser = "local-deliver" | "conntrack-in" | "conntrack-out" | "ipvs";

const ICMP_FRAGMENT_TIME = 1;
const DATAGRAM_MAX_BYTES = 65535;
/** What one waiting fragment costs beside its bytes (an sk_buff and its slab). */
const FRAGMENT_OVERHEAD_BYTES = 576;

interface Part {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly skb: SkBuff;
}

/** The fragments of one datagram, sorted by offset and without overlaps. */
class Datagram {
  readonly key: string;
  readonly user: DefragmentUser;
  readonly timer: Timer;
  readonly parts: Part[] = [];
  hasFirst = false;
  hasLast = false;
  endOffset = 0;
  receivedBytes = 0;
  memoryBytes = 0;
  maxFragmentBytes = 0;
  maxDontFragmentBytes = 0;

  constructor(key: string, user: DefragmentUser, reassembly: Reassembly, ip: Ip) {
    this.key = key;
    this.user = user;
    this.timer = new Timer(ip.host.loop, reassembly, this);
  }
}

export class Reassembly implements EventTarget {
  readonly #ip: Ip;
  readonly #datagrams = new Map<string, Datagram>();
  readonly #highThreshold: SysctlCell;
  readonly #timeoutSeconds: SysctlCell;
  #memoryBytes = 0;

  constructor(ip: Ip) {
    this.#ip = ip;
    this.#highThreshold = ip.host.sysctl.registerInteger("net.ipv4.ipfrag_high_thresh", 4194304);
    this.#timeoutSeconds = ip.host.sysctl.registerInteger("net.ipv4.ipfrag_time", 30);
  }

  defragment(skb: SkBuff, user: DefragmentUser): SkBuff | undefined {
    if (!skb.ip.isFragment) return skb;
    const { counters } = this.#ip;
    counters.ReasmReqds++;
    const datagram = this.#find(skb, user);
    if (datagram === undefined) {
      counters.ReasmFails++;
      this.#ip.drop(skb, "FRAG_REASM_TIMEOUT", "memory for fragments is used up");
      return undefined;
    }
    if (!this.#queue(datagram, skb)) return undefined;
    if (!datagram.hasFirst || !datagram.hasLast || datagram.receivedBytes !== datagram.endOffset) return undefined;
    return this.#assemble(datagram, skb);
  }

  #find(skb: SkBuff, user: DefragmentUser): Datagram | undefined {
    const { ip } = skb;
    const key = `${user} ${ip.src} ${ip.dst} ${ip.protocol} ${ip.id}`;
    const known = this.#datagrams.get(key);
    if (known !== undefined) return known;
    if (this.#memoryBytes > this.#highThreshold.value) return undefined;
    const datagram = new Datagram(key, user, this, this.#ip);
    this.#datagrams.set(key, datagram);
    datagram.timer.arm(Math.max(this.#timeoutSeconds.value, 0) * NS_PER_SECOND);
    return datagram;
  }

  /** ip_frag_queue. False when the fragment, or with it the whole datagram, was thrown away. */
  #queue(datagram: Datagram, skb: SkBuff): boolean {
    const { ip } = skb;
    const all = ip.payload instanceof RawPayload ? ip.payload.bytes : encodeIpv4Payload(ip);
    const offset = ip.fragmentOffset;
    let end = offset + all.length;
    if (!ip.moreFragments) {
      if (end < datagram.endOffset || (datagram.hasLast && end !== datagram.endOffset)) return this.#discard(datagram, skb, "contradictory last fragments");
      datagram.hasLast = true;
      datagram.endOffset = end;
    } else {
      end -= all.length & 7;
      if (end > datagram.endOffset) {
        if (datagram.hasLast) return this.#discard(datagram, skb, "data beyond the last fragment");
        datagram.endOffset = end;
      }
    }
    if (end <= offset) return this.#discard(datagram, skb, "an empty fragment");
    const index = datagram.parts.findLastIndex((part) => part.offset <= offset);
    const before = datagram.parts[index];
    const after = datagram.parts[index + 1];
    const length = end - offset;
    if (before !== undefined && before.offset === offset && before.bytes.length === length) {
      this.#ip.drop(skb, "FRAG_REASM_TIMEOUT", "a fragment that is there already");
      return false;
    }
    const overlaps = (before !== undefined && before.offset + before.bytes.length > offset) || (after !== undefined && after.offset < end);
    if (overlaps) {
      this.#ip.extended.ReasmOverlaps++;
      return this.#discard(datagram, skb, "overlapping fragments");
    }
    datagram.parts.splice(index + 1, 0, { offset, bytes: all.length === length ? all : all.subarray(0, length), skb });
    if (offset === 0) datagram.hasFirst = true;
    datagram.receivedBytes += length;
    const memoryBytes = length + FRAGMENT_OVERHEAD_BYTES;
    datagram.memoryBytes += memoryBytes;
    this.#memoryBytes += memoryBytes;
    datagram.maxFragmentBytes = Math.max(datagram.maxFragmentBytes, ip.lengthBytes);
    if (ip.dontFragment) datagram.maxDontFragmentBytes = Math.max(datagram.maxDontFragmentBytes, ip.lengthBytes);
    return true;
  }

  #discard(datagram: Datagram, skb: SkBuff, detail: string): false {
    this.#ip.counters.ReasmFails++;
    this.#ip.drop(skb, "FRAG_REASM_TIMEOUT", detail);
    this.#forget(datagram);
    return false;
  }

  #forget(datagram: Datagram): void {
    datagram.timer.disarm();
    this.#datagrams.delete(datagram.key);
    this.#memoryBytes -= datagram.memoryBytes;
    datagram.memoryBytes = 0;
  }

  /** ip_frag_reasm. The fragment that completed the datagram becomes the whole. */
  #assemble(datagram: Datagram, skb: SkBuff): SkBuff | undefined {
    const { counters } = this.#ip;
    this.#forget(datagram);
    const first = (datagram.parts[0] as Part).skb.ip;
    const bytes = concatBytes(datagram.parts.map((part) => part.bytes));
    const whole = first.copy();
    whole.moreFragments = false;
    whole.fragmentOffset = 0;
    whole.dontFragment = datagram.maxDontFragmentBytes === datagram.maxFragmentBytes;
    whole.payload = new RawPayload(bytes);
    if (whole.lengthBytes > DATAGRAM_MAX_BYTES) {
      counters.ReasmFails++;
      this.#ip.drop(skb, "PKT_TOO_BIG", `a datagram of ${whole.lengthBytes} bytes`);
      return undefined;
    }
    const payload = decodeIpv4Payload(whole, bytes);
    if (payload.ok) whole.payload = payload.value;
    counters.ReasmOKs++;
    skb.ip = whole;
    skb.isWritable = true;
    skb.fragmentMaxBytes = datagram.maxFragmentBytes;
    // nf_defrag_ipv4.c:nf_ct_ipv4_gather_frags: what came in fragments may leave in fragments.
    skb.ignoresDontFragment = true;
    return skb;
  }

  /** ip_expire: some part never came. */
  onEvent(argument: unknown): void {
    const datagram = argument as Datagram;
    const { host, counters } = this.#ip;
    this.#forget(datagram);
    counters.ReasmFails++;
    counters.ReasmTimeout++;
    const head = datagram.parts[0];
    if (head === undefined) return;
    const { skb } = head;
    this.#ip.drop(skb, "FRAG_REASM_TIMEOUT", `${datagram.receivedBytes} bytes came in ${this.#timeoutSeconds.value} s`);
    if (!datagram.hasFirst || skb.device === undefined) return;
    const route = host.routing.input({ dst: skb.ip.dst, src: skb.ip.src, device: skb.device as NetDevice, mark: skb.mark, tos: skb.ip.tos });
    if (isRouteError(route) || (datagram.user === "conntrack-in" && route.type !== "local")) return;
    skb.route = route;
    host.icmp.sendError(skb, ICMP_TIME_EXCEEDED, ICMP_FRAGMENT_TIME, 0);
  }
}
