/**
 * What iptables' `-m ipvs` asks: the IPVS connection of a packet whose addresses were rewritten already.
 *
 * Linux v6.1 net/netfilter/xt_ipvs.c:ipvs_mt. The lookup reads the packet backwards (ip_vs_fill_iph_skb with inverse), so it finds the connection
 * of a client's packet on its way to the real server, and no other.
 */

import { isReplyInfo } from "../host/netfilter/conntrack.ts";
import type { IpvsTest } from "../host/netfilter/rule.ts";
import type { SkBuff } from "../host/skb.ts";
import { type Director, PacketKey } from "./director.ts";
import type { ForwardingMethod } from "./ipvs.ts";

const METHODS: Readonly<Record<NonNullable<IpvsTest["method"]>["name"], ForwardingMethod>> = { GATE: "route", IPIP: "tunnel", MASQ: "masq" };

/** A function that tells whether the IPVS connection of a packet passes a test. */
export function ipvsMatcher(director: Director): (skb: SkBuff, test: IpvsTest) => boolean {
  const key = new PacketKey();
  return (skb, test) => {
    const { protocol, address, port, direction, method, controlPort } = test;
    const asksConnection = (protocol ?? address ?? port ?? direction ?? method ?? controlPort) !== undefined;
    if (!asksConnection) return skb.isIpvsHandled === test.isIpvs;
    if (!skb.isIpvsHandled || !key.read(skb.ip)) return false;
    if (protocol !== undefined && (key.protocol === protocol.number) === protocol.isInverted) return false;
    const connection = director.table.findOut(key.protocol, key.destinationAddress, key.destinationPort, key.sourceAddress, key.sourcePort);
    if (connection === undefined) return false;
    if (port !== undefined && (connection.virtualPort === port.number) === port.isInverted) return false;
    if (controlPort !== undefined && (connection.control === undefined || (connection.control.clientPort === controlPort.number) === controlPort.isInverted)) return false;
    if (direction !== undefined && (skb.conntrackInfo === undefined || isReplyInfo(skb.conntrackInfo) !== (direction === "REPLY"))) return false;
    if (method !== undefined && (connection.method === METHODS[method.name]) === method.isInverted) return false;
    return address === undefined || (connection.virtualAddress & address.mask) >>> 0 === (address.address & address.mask) >>> 0 !== address.isInverted;
  };
}
