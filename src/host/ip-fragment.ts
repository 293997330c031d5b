/**
 * Cutting a packet into fragments. RFC 791 section 3.2; Linux v6.1 net/ipv4/ip_output.c (ip_do_fragment, ip_frag_next),
 * net/ipv4/ip_options.c:ip_options_fragment.
 */

import { encodeIpv4Payload } from "../wire/ipv4.ts";
import { Ipv4Packet, RawPayload } from "../wire/packet.ts";

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_COPIED = 0x80;

/** Fragments of at most `mtu` bytes, in order; undefined when the MTU leaves no room for data. A packet that is a fragment is cut further. */
export function fragmentPacket(packet: Ipv4Packet, mtu: number): Ipv4Packet[] | undefined {
  const roomBytes = mtu - packet.headerBytes;
  if (roomBytes < 8) return undefined;
  const bytes = packet.payload instanceof RawPayload ? packet.payload.bytes : encodeIpv4Payload(packet);
  const laterOptions = packet.options.length === 0 ? packet.options : optionsOfLaterFragments(packet.options);
  const fragments: Ipv4Packet[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const left = bytes.length - offset;
    const length = left <= roomBytes ? left : roomBytes & ~7;
    const fragment = new Ipv4Packet(packet.src, packet.dst, packet.protocol, packet.ttl, new RawPayload(bytes.subarray(offset, offset + length)));
    fragment.tos = packet.tos;
    fragment.id = packet.id;
    fragment.dontFragment = packet.dontFragment;
    fragment.fragmentOffset = packet.fragmentOffset + offset;
    fragment.moreFragments = packet.moreFragments || length < left;
    fragment.options = offset === 0 ? packet.options : laterOptions;
    fragments.push(fragment);
    offset += length;
  }
  return fragments;
}

/** Only options with the copied flag go into later fragments; others become padding, so that the header keeps its length. */
function optionsOfLaterFragments(options: Uint8Array): Uint8Array {
  const copy = options.slice();
  for (let at = 0; at < copy.length; ) {
    const kind = copy[at] as number;
    if (kind === OPTION_END) break;
    const length = kind === OPTION_NOP ? 1 : Math.max(copy[at + 1] ?? 1, 1);
    if ((kind & OPTION_COPIED) === 0) copy.fill(OPTION_NOP, at, Math.min(at + length, copy.length));
    at += length;
  }
  return copy;
}
