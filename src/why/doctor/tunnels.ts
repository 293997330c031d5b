/**
 * Faults of tunnels, of the reverse path filter, and of packets that are too big.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { errorIn, type Conversation } from "../conversations.ts";
import type { Evidence, EventOf } from "../evidence.ts";
import { type Check, FindingList } from "../finding.ts";
import { droppedErrors } from "./netfilter.ts";
import { failed, isServerOf, toVirtual } from "./service-view.ts";

/** The server has no tunnel device for what comes: protocol unreachable without one, port unreachable when it is down. net/ipv4/ipip.c:ipip_rcv, tunnel4.c:tunnel4_rcv */
export const noTunnelDevice: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const drop of conversation.drops) {
      const { protocol } = drop.packet;
      const isTunnelled = protocol === 4 || protocol === 47 || drop.packet.payload.kind === "gre" || drop.packet.payload.kind === "ipv4";
      if (!((drop.reason === "IP_NOPROTO" || drop.reason === "TUNNEL_NO_DEVICE") && isTunnelled) && !(drop.reason === "NO_SOCKET" && drop.packet.payload.kind === "udp" && !(drop.packet.payload.payload instanceof Uint8Array))) continue;
      if (evidence.directs(drop.host, conversation.to.address, drop.id)) continue;
      found.add(
        {
          id: "no-tunnel-device",
          host: drop.host,
          title: `${drop.host} has no tunnel device that takes the director's packets`,
          why: `The packet for ${formatIpv4Address(conversation.to.address)} arrived inside another one (protocol ${protocol}) and nobody unpacked it: ${drop.detail}.`,
          fix: protocol === 4 ? `On ${drop.host}: modprobe ipip; ip link set tunl0 up; ip addr add ${formatIpv4Address(conversation.to.address)}/32 dev tunl0; rp_filter=0 for tunl0 and all.` : `On ${drop.host}: make the tunnel device that the director's --tun-type speaks of, and set it up.`,
        },
        drop.id,
      );
    }
  return found.list;
};

/** The reverse path filter drops what came by another interface than the way back: max(all, interface) decides. net/ipv4/fib_frontend.c:__fib_validate_source */
export const rpFilter: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const drop of conversation.drops) {
      if (drop.reason !== "IP_RPFILTER") continue;
      const { host, id } = drop;
      const device = /, (\S+) \d+\) = \d+$/.exec(drop.detail)?.[1] ?? "the interface";
      const vip = conversation.to.address;
      const isServer = evidence.destsFor(vip).some((dest) => isServerOf(evidence, host, dest));
      if (!isServer && !evidence.directs(host, vip, id) && drop.packet.src === vip) {
        found.add(
          {
            id: "foreign-source-filtered",
            host,
            title: `${host} takes answers from the VIP ${formatIpv4Address(vip)} for forged and drops them`,
            why: `The server's answer has the VIP as its source, and the way of ${host} to the VIP is another interface than the one it came by: ${drop.detail}.`,
            fix: `On ${host}: rp_filter=0 (or 2, loose) for all and for ${device}, or use NAT for this server.`,
          },
          id,
        );
        continue;
      }
      const all = evidence.setting(host, "net.ipv4.conf.all.rp_filter", id);
      const own = evidence.setting(host, `net.ipv4.conf.${device}.rp_filter`, id);
      const wasSet = evidence.of("sysctl").some((event) => event.host === host && event.id < id && event.key === `net.ipv4.conf.${device}.rp_filter` && Number(event.after) === own);
      if (own < all && wasSet)
        found.add(
          {
            id: "sysctl-without-effect",
            host,
            title: `rp_filter=${own} of ${device} on ${host} has no effect, because all has ${all}`,
            why: `What counts is the larger of both: ${evidence.inForceText(host, device, "rp_filter", id)}.`,
            fix: `On ${host}: sysctl -w net.ipv4.conf.all.rp_filter=0 (and rp_filter=1 for the interfaces that should have it), or 2 for ${device}.`,
          },
          id,
          device,
        );
      found.add(
        {
          id: "rp-filter-drops",
          host,
          title: `The reverse path filter of ${host} drops packets that come in by ${device}`,
          why: `${drop.detail}. The packet came from ${formatIpv4Address(drop.packet.src)} by ${device}, which the answer would not take.`,
          fix: `On ${host}: sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.${device}.rp_filter=0 (or 2, loose).`,
        },
        id,
        device,
      );
    }
  return found.list;
};

const TOO_BIG = /do(es)? not fit into an MTU of (\d+)/;

/**
 * Packets too big for a link die there, and whoever sent them never hears of it or does not act: the connection stalls at its first full segment.
 * RFC 1191; net/ipv4/ip_forward.c, ip_vs_xmit.c:ensure_mtu_is_adequate
 */
export const mtuBlackHole: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of evidence.conversations) {
    const big = conversation.drops.filter(({ detail }) => TOO_BIG.test(detail));
    const [first] = big;
    if (first === undefined || !isStuck(conversation, big)) continue;
    const mtu = TOO_BIG.exec(first.detail)?.[2];
    const lost = droppedErrors(evidence, conversation.drops);
    const [filtered] = lost;
    const sender = senderOf(evidence, conversation, first);
    const heard = errorsHeard(evidence, conversation, sender);
    found.add(
      {
        id: "mtu-black-hole",
        host: filtered?.drop.host ?? first.host,
        title: `Packets of ${first.packet.lengthBytes} bytes die at ${first.host} (MTU ${mtu}), and ${sender} ${heard === 0 ? "never hears of it" : "does not act on it"}`,
        why: `${first.host}: ${first.detail}. ${filtered === undefined ? (heard === 0 ? `The message "fragmentation needed" did not reach ${sender}.` : `${sender} got ${heard} such messages.`) : `The message "fragmentation needed" was dropped on ${filtered.drop.host}: ${filtered.rule}.`} So ${sender} sends the same segment again and again; small answers pass, big ones never.`,
        fix: `${filtered === undefined ? "Let" : `On ${filtered.drop.host}: let`} ICMP type 3 code 4 pass (iptables -I ${filtered?.chain ?? "INPUT"} -p icmp --icmp-type fragmentation-needed -j ACCEPT${filtered === undefined ? ", and in FORWARD of routers" : ""}), or clamp the MSS in both directions (-j TCPMSS --set-mss ${Number(mtu) - 40}).`,
      },
      [first.id, ...(filtered === undefined ? [] : [filtered.drop.id])],
      sender,
    );
  }
  return found.list;
};

/** The same segment died again and again, and the conversation did not get over it for long. */
function isStuck(conversation: Conversation, big: readonly EventOf<"packet-dropped">[]): boolean {
  if (conversation.outcome === "stalled") return true;
  const first = big[0];
  const last = big.at(-1);
  return first !== undefined && last !== undefined && last.timeNs - first.timeNs > 2e9;
}

function senderOf(evidence: Evidence, conversation: Conversation, drop: EventOf<"packet-dropped">): string {
  if (drop.packet.src === conversation.from.address) return conversation.client;
  const first = evidence.chain(drop.id).findLast((one) => one.kind === "frame-sent" && one.frame.payload.kind === "ipv4" && one.frame.payload.lengthBytes === drop.packet.lengthBytes);
  return first?.host ?? drop.host;
}

function errorsHeard(evidence: Evidence, conversation: Conversation, host: string): number {
  return evidence.recordsOf(conversation, "frame-received").filter((event) => {
    if (event.host !== host || event.frame.payload.kind !== "ipv4") return false;
    const error = errorIn(event.frame.payload);
    const isDropped = conversation.drops.some((drop) => drop.host === host && evidence.chain(drop.id).some(({ id }) => id === event.id));
    return error?.type === 3 && error.code === 4 && !isDropped;
  }).length;
}

/** With pmtu_disc=0 the director fragments the outer packets: twice the packets, and the server must put them together. ip_vs_xmit.c:ip_vs_tunnel_xmit */
export const outerFragments: Check = (evidence) => {
  const found = new FindingList();
  for (const event of evidence.of("frame-sent")) {
    const { payload } = event.frame;
    if (payload.kind !== "ipv4" || !payload.isFragment || payload.protocol !== 4 || !evidence.isDirector(event.host)) continue;
    if (evidence.setting(event.host, "net.ipv4.vs.pmtu_disc", event.id) !== 0) continue;
    found.add(
      {
        id: "outer-fragments",
        host: event.host,
        title: `${event.host} sends its tunnel's packets in fragments`,
        why: `net.ipv4.vs.pmtu_disc = 0: instead of telling the client that its segments are 20 bytes too big for the tunnel, ${event.host} cuts the outer packets. Every full segment costs two packets, and a lost half loses both.`,
        fix: `On ${event.host}: sysctl -w net.ipv4.vs.pmtu_disc=1 and let ICMP pass, or clamp the MSS to 1440.`,
      },
      event.id,
    );
  }
  return found.list;
};

/** A packet came back to a host so often that its TTL was used up. */
export const loops: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const drop of conversation.drops) {
      if (drop.reason !== "IP_TTL" && !drop.detail.includes("TTL ran out")) continue;
      const hosts = evidence.chain(drop.id).filter((one) => one.kind === "frame-received").map(({ host }) => host);
      const around = [...new Set(hosts)].filter((host) => hosts.filter((one) => one === host).length > 2);
      if (around.length < 2) continue;
      found.add(
        {
          id: "loop",
          host: around[0] as string,
          title: `Packets for ${formatIpv4Address(conversation.to.address)} go round between ${around.reverse().join(" and ")} until their TTL is used up`,
          why: `${drop.host} dropped one at ${evidence.timeOf(drop.id)} after ${hosts.length} hops: ${drop.detail}. Each of them sends the packet to the other, because it is local to the one and goes on to the other.`,
          fix: `Give the VIP to the server that should serve it (/32 on lo or tunl0), or ip_forward=0 there.`,
        },
        drop.id,
        around.join(" "),
      );
    }
  return found.list;
};
