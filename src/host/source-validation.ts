/**
 * May a packet with this source come in here? The reverse path filter and the refusal of our own addresses.
 *
 * Linux v6.1 net/ipv4/fib_frontend.c (fib_validate_source, __fib_validate_source).
 */

import { formatIpv4Address, type Ipv4Address } from "../base/ipv4-address.ts";
import { type NetDevice, SCOPE_GLOBAL, SCOPE_HOST } from "./device.ts";
import type { FibFlow, FibResult, Host } from "./host.ts";
import type { RouteError } from "./route.ts";

export interface SourceQuestion {
  readonly src: Ipv4Address;
  /** 0 for broadcasts. */
  readonly dst: Ipv4Address;
  readonly tos: number;
  readonly mark: number;
  readonly device: NetDevice;
  /** Where a forwarded packet would leave; undefined for local delivery. */
  readonly output: NetDevice | undefined;
}

/** True: the source is directly on the device's link (which redirects need to know). False: it is fine. Else why not. */
export function validateSource(host: Host, question: SourceQuestion): boolean | RouteError {
  const { device, src } = question;
  const sysctl = host.sysctl;
  const filter = sysctl.inForce(device, "rp_filter");
  const mayRedirect = question.output === device && sysctl.inForce(device, "send_redirects") !== 0;
  if (filter === 0 && !mayRedirect) {
    if (sysctl.inForce(device, "accept_local") !== 0) return false;
    if (!host.fib.hasCustomRules && !host.fib.hasCustomLocalRoutes) return host.addresses.isOwn(src) ? ownSource(question) : false;
  }
  return fullCheck(host, question, filter);
}

function ownSource(question: SourceQuestion): RouteError {
  return { errno: "EINVAL", reason: "IP_LOCAL_SOURCE", detail: `source ${formatIpv4Address(question.src)} is local here` };
}

function filtered(host: Host, question: SourceQuestion, filter: number, why: string): RouteError {
  const { all } = host.sysctl;
  const device = question.device;
  const detail = `${why}; rp_filter = max(all ${all.rp_filter}, ${device.name} ${device.conf.rp_filter}) = ${filter}`;
  return { errno: "EXDEV", reason: "IP_RPFILTER", detail };
}

function fullCheck(host: Host, question: SourceQuestion, filter: number): boolean | RouteError {
  const { device, src } = question;
  const sysctl = host.sysctl;
  const flow: FibFlow = {
    dst: src,
    src: question.dst,
    mark: sysctl.inForce(device, "src_valid_mark") !== 0 ? question.mark : 0,
    tos: question.tos,
    scope: SCOPE_GLOBAL,
    output: undefined,
    input: question.output,
  };
  const source = formatIpv4Address(src);
  const back = host.fib.lookup(flow);
  if (typeof back === "string") return filter === 0 ? false : filtered(host, question, filter, `no route back to ${source}`);
  const type = back.route.type;
  if (type !== "unicast" && (type !== "local" || sysctl.inForce(device, "accept_local") === 0)) {
    return type === "local" ? ownSource(question) : { errno: "EINVAL", reason: "IP_INVALID_SOURCE", detail: `source ${source} is a ${type} address` };
  }
  if (usesDevice(back, device) || (type === "local" && device.kind === "loopback")) return back.hopScope >= SCOPE_HOST;
  if (device.addresses.length === 0) return filter === 0 ? false : filtered(host, question, filter, `${device.name} has no address`);
  if (filter === 1) return filtered(host, question, filter, `the way back to ${source} is ${back.device?.name ?? "none"}`);
  const direct = host.fib.lookup({ ...flow, output: device, ignoresLinkState: true });
  return typeof direct !== "string" && direct.route.type === "unicast" && direct.hopScope >= SCOPE_HOST;
}

/** Any of the route's next hops counts (fib_info_nh_uses_dev). */
function usesDevice(result: FibResult, device: NetDevice): boolean {
  return result.device === device || result.route.nextHops.some((hop) => hop.device === device);
}
