/**
 * What the two source hashes share: the flags of the service and the port of the client.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_sh.c:ip_vs_sh_get_port, ip_vs_mh.c:ip_vs_mh_get_port; include/uapi/linux/ip_vs.h
 * IP_VS_SVC_F_SCHED1 and 2, which are the bits behind both names of a flag.
 */
import type { SchedulerPacket, SchedulerService } from "./scheduler.ts";

const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const IPPROTO_SCTP = 132;

/** Both spellings of a flag set the same bit. */
const NUMBERED_NAME = {
  "sh-fallback": "flag-1",
  "mh-fallback": "flag-1",
  "sh-port": "flag-2",
  "mh-port": "flag-2",
} as const;

export function hasFlag(service: SchedulerService, flag: keyof typeof NUMBERED_NAME): boolean {
  return service.flags.includes(flag) || service.flags.includes(NUMBERED_NAME[flag]);
}

/** The client's port; 0 for a protocol without ports. */
export function packetPort({ protocol, sourcePort }: SchedulerPacket): number {
  return protocol === IPPROTO_TCP || protocol === IPPROTO_UDP || protocol === IPPROTO_SCTP ? sourcePort : 0;
}
