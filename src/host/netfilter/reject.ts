/**
 * REJECT: answers the packet before it is dropped.
 *
 * Linux v6.1 net/ipv4/netfilter/ipt_REJECT.c, nf_reject_ipv4.c.
 */

import { isMulticast } from "../../base/ipv4-address.ts";
import { ICMP_DEST_UNREACH, Ipv4Packet, PROTOCOL_TCP, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, TcpSegment } from "../../wire/packet.ts";
import type { Host } from "../host.ts";
import { SkBuff } from "../skb.ts";
import { isReplyInfo } from "./conntrack.ts";
import type { RejectWith } from "./rule.ts";

const CODES: Readonly<Record<Exclude<RejectWith, "tcp-reset">, number>> = {
  "icmp-net-unreachable": 0,
  "icmp-host-unreachable": 1,
  "icmp-proto-unreachable": 2,
  "icmp-port-unreachable": 3,
  "icmp-net-prohibited": 9,
  "icmp-host-prohibited": 10,
  "icmp-admin-prohibited": 13,
};

export function sendReject(host: Host, skb: SkBuff, how: RejectWith): void {
  if (how === "tcp-reset") {
    sendReset(host, skb);
    return;
  }
  if (skb.ip.fragmentOffset !== 0) return;
  host.icmp.sendError(skb, ICMP_DEST_UNREACH, CODES[how], 0);
}

/** nf_send_reset: no RST for an RST, for a fragment, for a broadcast. */
function sendReset(host: Host, skb: SkBuff): void {
  const { ip } = skb;
  const old = ip.payload;
  if (!(old instanceof TcpSegment) || ip.fragmentOffset !== 0 || (old.flags & TCP_RST) !== 0) return;
  if (skb.route?.type === "broadcast" || skb.route?.type === "multicast" || isMulticast(ip.dst)) return;
  const hasAck = (old.flags & TCP_ACK) !== 0;
  const length = old.payload.length + ((old.flags & TCP_SYN) !== 0 ? 1 : 0) + ((old.flags & TCP_FIN) !== 0 ? 1 : 0);
  const segment = new TcpSegment(
    old.dstPort,
    old.srcPort,
    hasAck ? old.ack : 0,
    hasAck ? 0 : (old.seq + length) >>> 0,
    hasAck ? TCP_RST : TCP_RST | TCP_ACK,
    0,
  );
  const packet = new Ipv4Packet(ip.dst, ip.src, PROTOCOL_TCP, Number(host.sysctl.read("net.ipv4.ip_default_ttl") ?? 64), segment);
  packet.dontFragment = true;
  const reset = new SkBuff(packet, undefined, true);
  reset.packetType = "outgoing";
  reset.route = skb.route;
  reset.cause = skb.cause;
  if (host.sysctl.read("net.ipv4.fwmark_reflect") === "1") reset.mark = skb.mark;
  if (host.ip.routeMeHarder(reset) !== undefined) return;
  if (skb.conntrack !== undefined) {
    reset.conntrack = skb.conntrack;
    reset.conntrackInfo = isReplyInfo(skb.conntrackInfo) ? "RELATED" : "RELATED_REPLY";
  }
  host.ip.localOut(reset);
}
