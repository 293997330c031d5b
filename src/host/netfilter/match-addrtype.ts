/**
 * The addrtype match: what kind of address this is to the routing tables.
 *
 * Linux v6.1 net/netfilter/xt_addrtype.c, net/ipv4/fib_frontend.c (inet_addr_type): the answer of table local, unicast when it has none.
 */

import { isInPrefix, isMulticast } from "../../base/ipv4-address.ts";
import type { NetDevice } from "../device.ts";
import type { Host } from "../host.ts";
import { TABLE_LOCAL } from "../route.ts";
import { type MatchContext, type MatchFunction, NO, YES } from "./match-context.ts";
import type { AddressTypeName, MatchSpec } from "./rule.ts";

function addressType(host: Host, address: number, device: NetDevice | undefined): AddressTypeName {
  if (address === 0 || address === 0xffffffff) return "BROADCAST";
  if (isMulticast(address)) return "MULTICAST";
  let best = -1;
  let type: AddressTypeName = "UNICAST";
  for (const entry of host.fib.entries(TABLE_LOCAL)) {
    if (entry.prefixLength <= best || !isInPrefix(address, entry.network, entry.prefixLength)) continue;
    if (device !== undefined && entry.device !== device) continue;
    best = entry.prefixLength;
    type = entry.type === "local" ? "LOCAL" : entry.type === "broadcast" ? "BROADCAST" : "UNICAST";
  }
  return type;
}

export function compileAddrtype(spec: Extract<MatchSpec, { kind: "addrtype" }>, context: MatchContext): MatchFunction {
  const { host } = context;
  return (skb, state) => {
    const device = spec.limitIn ? state.input : spec.limitOut ? state.output : undefined;
    if (spec.source.length > 0 && spec.source.includes(addressType(host, skb.ip.src, device)) === spec.isSourceInverted) return NO;
    if (spec.destination.length > 0 && spec.destination.includes(addressType(host, skb.ip.dst, device)) === spec.isDestinationInverted) return NO;
    return YES;
  };
}
