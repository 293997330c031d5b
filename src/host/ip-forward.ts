/**
 * Packets that pass through: TTL, path MTU, redirects, the FORWARD hook.
 *
 * Linux v6.1 net/ipv4/ip_forward.c:ip_forward, net/ipv4/route.c:ip_rt_send_redirect, include/net/ip.h:ip_dst_mtu_maybe_forward.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_REDIRECT, ICMP_TIME_EXCEEDED } from "../wire/packet.ts";
import type { SysctlCell } from "./host.ts";
import type { Ip } from "./ip.ts";
import { NF_FORWARD } from "./netfilter/hooks.ts";
import type { Route } from "./route.ts";
import type { SkBuff } from "./skb.ts";

const ICMP_REDIRECT_HOST = 1;

export class IpForward {
  readonly #ip: Ip;
  readonly #usesPmtu: SysctlCell;

  constructor(ip: Ip) {
    this.#ip = ip;
    this.#usesPmtu = ip.host.sysctl.registerInteger("net.ipv4.ip_forward_use_pmtu", 0);
  }

  forward(skb: SkBuff, route: Route): void {
    const ip = this.#ip;
    const { host } = ip;
    const packet = skb.ip;
    if (skb.packetType !== "host") {
      ip.drop(skb, "IP_INVALID_DEST", "a packet in a broadcast or multicast frame is not forwarded");
      return;
    }
    if (packet.ttl <= 1) {
      ip.counters.InHdrErrors++;
      ip.drop(skb, "IP_TTL", "TTL ran out");
      host.icmp.sendError(skb, ICMP_TIME_EXCEEDED, 0, 0);
      return;
    }
    skb.isForwarded = true;
    const mtu = this.mtuOf(route);
    if (packet.lengthBytes > mtu && packet.dontFragment && !skb.ignoresDontFragment) {
      ip.counters.FragFails++;
      ip.drop(skb, "PKT_TOO_BIG", `${packet.lengthBytes} bytes with DF do not fit into an MTU of ${mtu}`);
      host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
      return;
    }
    const before = host.trace.isFull ? skb.recorded : packet;
    skb.copyHeader().ttl--;
    if (host.trace.isFull)
      skb.cause = host.trace.emit({ kind: "packet-rewritten", host: host.name, by: "forward", before, after: skb.recorded, cause: skb.cause });
    if (route.doRedirect) this.#redirect(skb, route);
    if (!host.hooks.run(NF_FORWARD, skb, skb.device, route.device)) return;
    ip.counters.ForwDatagrams++;
    // ip_forward_finish counts octets that ip_output counts again.
    ip.extended.OutOctets += skb.ip.lengthBytes;
    ip.output(skb);
  }

  /** What was learnt about a path counts only for packets of this host, unless ip_forward_use_pmtu. */
  mtuOf(route: Route): number {
    if (this.#usesPmtu.value !== 0 || route.mtuLocked) return route.mtu;
    const configured = route.entry?.mtu ?? 0;
    return configured !== 0 ? configured : Math.min(route.device.mtu, 65535);
  }

  #redirect(skb: SkBuff, route: Route): void {
    const { host } = this.#ip;
    if (host.sysctl.inForce(route.device, "send_redirects") === 0) return;
    const gateway = route.gateway !== 0 ? route.gateway : skb.ip.dst;
    if (!host.icmp.limits.mayRedirect(skb.ip.src)) return;
    host.icmp.sendError(skb, ICMP_REDIRECT, ICMP_REDIRECT_HOST, gateway);
    if (host.icmp.limits.isRedirectLimitReached(skb.ip.src) && host.sysctl.inForce(route.device, "log_martians") !== 0) {
      host.log.write(
        `host ${formatIpv4Address(skb.ip.src)}/if${skb.device?.index ?? 0} ignores redirects for ${formatIpv4Address(skb.ip.dst)} to ${formatIpv4Address(gateway)}`,
      );
    }
  }
}
