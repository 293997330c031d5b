/**
 * Where does a packet go? Output lookups choose a source address as well, input lookups validate it. Results are kept until anything that
 * they depend on changes, so that the way of most packets is one look into a map.
 *
 * Linux v6.1 net/ipv4/route.c (ip_route_output_key_hash_rcu, __mkroute_output, ip_route_input_slow, __mkroute_input).
 */

import { formatIpv4Address, type Ipv4Address, isLoopback, isMulticast, isZeroNet, LIMITED_BROADCAST } from "../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import { type NetDevice, SCOPE_GLOBAL, SCOPE_HOST, SCOPE_LINK } from "./device.ts";
import { type FibResult, type Host, isRouteError, type RouteKey, type Routing, type SysctlCell } from "./host.ts";
import { type FibEntry, type Route, type RouteError, type RouteType, TABLE_MAIN } from "./route.ts";
import { RouteExceptions } from "./route-exceptions.ts";
import { validateSource } from "./source-validation.ts";

/** Bound on kept results; when it is reached all are forgotten. */
const CACHE_MAX = 65536;
/** Results of input lookups that are found without the map: one for each value of some bits of the hash. */
const RECENT = 64;

const IP_MTU_MAX = 65535;
const LOOPBACK_ADDRESS = 0x7f000001;
/** RT_GC_TIMEOUT: how long a redirect is obeyed. */
const REDIRECT_SECONDS = 300;
/** The bits of TOS that routing looks at (IPTOS_RT_MASK). */
const ROUTING_TOS = 0x1c;

/** Martians are logged at most ten times in five seconds (net_ratelimit). */
const LOG_BURST = 10;
const LOG_WINDOW_NS = 5 * NS_PER_SECOND;

/** A kept result; those whose addresses have one hash form a chain. */
interface CacheEntry {
  readonly dst: Ipv4Address;
  readonly src: Ipv4Address;
  readonly device: NetDevice | undefined;
  readonly mark: number;
  readonly tos: number;
  /** anySource of an output lookup, isArp of an input lookup. */
  readonly flag: boolean;
  readonly route: Route;
  readonly next: CacheEntry | undefined;
}

interface OutputKey {
  readonly dst: Ipv4Address;
  readonly src: Ipv4Address;
  readonly device: NetDevice | undefined;
  readonly mark: number;
  readonly tos: number;
  readonly anySource: boolean;
}

export interface InputKey {
  readonly dst: Ipv4Address;
  readonly src: Ipv4Address;
  readonly device: NetDevice;
  readonly mark: number;
  readonly tos: number;
  readonly isArp?: boolean;
}

/** A network is 224.0.0.0/24: never forwarded, so its packets need no route. */
function isLocalMulticast(address: Ipv4Address): boolean {
  return address >>> 8 === 0xe00000;
}

export class Ipv4Routing implements Routing {
  readonly #host: Host;
  readonly #exceptions = new RouteExceptions();
  readonly #output = new Map<number, CacheEntry>();
  readonly #input = new Map<number, CacheEntry>();
  readonly #recentInput: (CacheEntry | undefined)[] = new Array<CacheEntry | undefined>(RECENT).fill(undefined);
  readonly #mtuExpiresSeconds: SysctlCell;
  readonly #minPmtu: SysctlCell;
  readonly #forwardUsesPmtu: SysctlCell;
  #keptCount = 0;
  #fibGeneration = 0;
  #sysctlGeneration = 0;
  #exceptionGeneration = 0;
  #logWindowStartNs = 0;
  #loggedInWindow = 0;

  constructor(host: Host) {
    this.#host = host;
    this.#mtuExpiresSeconds = host.sysctl.registerInteger("net.ipv4.route.mtu_expires", 600);
    this.#minPmtu = host.sysctl.registerInteger("net.ipv4.route.min_pmtu", 552, { min: 68 });
    this.#forwardUsesPmtu = host.sysctl.registerInteger("net.ipv4.ip_forward_use_pmtu", 0);
    host.sysctl.register("net.ipv4.route.flush", {
      mode: 0o200,
      read: () => "",
      write: () => {
        this.#exceptions.clear();
        return undefined;
      },
    });
  }

  /** Forgets all kept results when something that they depend on has changed. */
  #refresh(): void {
    const host = this.#host;
    const isFresh =
      this.#fibGeneration === host.fib.generation &&
      this.#sysctlGeneration === host.sysctl.generation &&
      this.#exceptionGeneration === this.#exceptions.generation;
    if (isFresh) return;
    this.#forget();
    this.#fibGeneration = host.fib.generation;
    this.#sysctlGeneration = host.sysctl.generation;
    this.#exceptionGeneration = this.#exceptions.generation;
  }

  #forget(): void {
    this.#output.clear();
    this.#input.clear();
    this.#recentInput.fill(undefined);
    this.#keptCount = 0;
  }

  #makeRoom(): void {
    if (this.#keptCount >= CACHE_MAX) this.#forget();
    this.#keptCount++;
  }

  /* ------------------------------------------------------------------------------------------------------------ output */

  output(key: RouteKey): Route | RouteError {
    this.#refresh();
    const dst = key.dst;
    const src = key.src ?? 0;
    const mark = key.mark ?? 0;
    const tos = (key.tos ?? 0) & ROUTING_TOS;
    const flag = key.anySource === true;
    const hash = hashOf(dst, src);
    const head = this.#output.get(hash);
    for (let entry = head; entry !== undefined; entry = entry.next) {
      if (entry.dst !== dst || entry.src !== src || entry.device !== key.device || entry.mark !== mark || entry.tos !== tos || entry.flag !== flag) continue;
      const expiresAtNs = entry.route.expiresAtNs ?? 0;
      if (expiresAtNs === 0 || this.#host.loop.nowNs <= expiresAtNs) return entry.route;
      this.#output.delete(hash);
      break;
    }
    const route = this.#lookupOutput({ dst, src, device: key.device, mark, tos, anySource: flag });
    if (!isRouteError(route)) {
      this.#makeRoom();
      this.#output.set(hash, { dst, src, device: key.device, mark, tos, flag, route, next: this.#output.get(hash) });
    }
    const trace = this.#host.trace;
    if (trace.isFull) this.#traceRoute("out", dst, src, route);
    return route;
  }

  /** net/ipv4/route.c:ip_route_output_key_hash_rcu. */
  #lookupOutput(key: OutputKey): Route | RouteError {
    const { addresses, fib, devices } = this.#host;
    let { dst, src, device } = key;
    if (src !== 0) {
      if (isMulticast(src) || src === LIMITED_BROADCAST || isZeroNet(src)) return failure("EINVAL", `${formatIpv4Address(src)} cannot be a source`);
      if (device === undefined && (isMulticast(dst) || dst === LIMITED_BROADCAST)) {
        device = addresses.deviceOf(src);
        if (device === undefined) return failure("ENETUNREACH", `source ${formatIpv4Address(src)} is not local`);
        return this.#makeOutput({ type: specialType(dst), device, dst, src, result: undefined });
      }
      if (!key.anySource && addresses.deviceOf(src) === undefined) return failure("ENETUNREACH", `source ${formatIpv4Address(src)} is not local`);
    }
    if (device !== undefined) {
      if (!device.isUp) return failure("ENETUNREACH", `${device.name} is down`);
      if (isLocalMulticast(dst) || dst === LIMITED_BROADCAST) {
        if (src === 0) src = addresses.select(device, 0, SCOPE_LINK);
        return this.#makeOutput({ type: specialType(dst), device, dst, src, result: undefined });
      }
      if (src === 0 && isMulticast(dst)) src = addresses.select(device, 0, SCOPE_GLOBAL);
      else if (src === 0 && dst === 0) src = addresses.select(device, 0, SCOPE_HOST);
    }
    if (dst === 0) {
      dst = src !== 0 ? src : LOOPBACK_ADDRESS;
      return this.#makeOutput({ type: "local", device: devices.loopback, dst, src: src !== 0 ? src : dst, result: undefined });
    }
    const result = fib.lookup({ dst, src, mark: key.mark, tos: key.tos, scope: SCOPE_GLOBAL, output: device, input: undefined });
    if (typeof result === "string") {
      if (device === undefined) return failure(result, `no route to ${formatIpv4Address(dst)}`);
      // A sender that names its device may send to anything there, as if it were on link.
      if (src === 0) src = addresses.select(device, 0, SCOPE_LINK);
      return this.#makeOutput({ type: isMulticast(dst) ? "multicast" : "unicast", device, dst, src, result: undefined });
    }
    if (result.route.type === "local") {
      if (src === 0) src = result.route.preferredSource !== 0 ? result.route.preferredSource : dst;
      return this.#makeOutput({ type: "local", device: devices.loopback, dst, src, result });
    }
    if (src === 0) src = this.#sourceOf(result);
    const type = isMulticast(dst) ? "multicast" : result.route.type;
    return this.#makeOutput({ type, device: result.device ?? devices.loopback, dst, src, result });
  }

  /** net/ipv4/fib_semantics.c:fib_result_prefsrc. */
  #sourceOf(result: FibResult): Ipv4Address {
    const route = result.route;
    // The gateway decides, so that a device with several subnets uses the one that the gateway is in; without one it is the first address.
    return route.preferredSource !== 0 ? route.preferredSource : this.#host.addresses.select(result.device, result.gateway, route.scope);
  }

  /** net/ipv4/route.c:__mkroute_output. */
  #makeOutput(wanted: { type: RouteType; device: NetDevice; dst: Ipv4Address; src: Ipv4Address; result: FibResult | undefined }): Route | RouteError {
    const { device, dst, src } = wanted;
    let { type, result } = wanted;
    if (isLoopback(src) && device.kind !== "loopback" && this.#host.sysctl.inForce(device, "route_localnet") === 0) {
      return failure("EINVAL", `${formatIpv4Address(src)} may not leave by ${device.name}`);
    }
    if (dst === LIMITED_BROADCAST) type = "broadcast";
    else if (isMulticast(dst)) {
      type = "multicast";
      // The default route tells the device for multicast, not a gateway.
      if (result !== undefined && result.route.prefixLength < 4) result = undefined;
    } else if (isZeroNet(dst)) return failure("EINVAL", `${formatIpv4Address(dst)} cannot be a destination`);
    if (type === "broadcast") result = result === undefined ? undefined : { ...result, gateway: 0 };
    return this.#finish({ type, device, dst, src, result, doRedirect: false, isForwarded: false });
  }

  /** net/ipv4/route.c:rt_set_nexthop and ipv4_mtu. */
  #finish(wanted: {
    type: RouteType;
    device: NetDevice;
    dst: Ipv4Address;
    src: Ipv4Address;
    result: FibResult | undefined;
    doRedirect: boolean;
    isForwarded: boolean;
  }): Route {
    const { type, device, dst, src, result, doRedirect, isForwarded } = wanted;
    const entry = result?.route;
    const exception = result === undefined || type !== "unicast" ? undefined : this.#exceptions.find(dst, result, this.#host.loop.nowNs);
    const isRedirected = exception !== undefined && exception.gateway !== 0;
    const gateway = isRedirected ? exception.gateway : (result?.gateway ?? 0);
    const mtuLocked = exception?.isMtuLocked === true || entry?.mtuLocked === true;
    const usesPathMtu = exception !== undefined && exception.mtu !== 0 && (!isForwarded || mtuLocked || this.#forwardUsesPmtu.value !== 0);
    let mtu = usesPathMtu ? exception.mtu : (entry?.mtu ?? 0);
    if (mtu === 0) mtu = mtuLocked && gateway !== 0 && !isForwarded ? Math.min(device.mtu, 576) : device.mtu;
    return {
      type,
      device,
      gateway,
      source: src,
      mtu: Math.min(mtu, IP_MTU_MAX),
      mtuLocked,
      table: result?.table ?? 0,
      entry,
      doRedirect,
      isRedirected,
      expiresAtNs: exception?.expiresAtNs ?? 0,
      pathMtu: exception?.mtu ?? 0,
    };
  }

  /* ------------------------------------------------------------------------------------------------------------- input */

  input(key: InputKey): Route | RouteError {
    this.#refresh();
    const tos = key.tos & ROUTING_TOS;
    const flag = key.isArp === true;
    const hash = hashOf(key.dst, key.src);
    const place = (hash ^ (hash >>> 8) ^ (hash >>> 16)) & (RECENT - 1);
    const recent = this.#recentInput[place];
    if (recent !== undefined && (recent.route.expiresAtNs ?? 0) === 0 && isInputEntry(recent, key, tos, flag)) return recent.route;
    for (let entry = this.#input.get(hash); entry !== undefined; entry = entry.next) {
      if (!isInputEntry(entry, key, tos, flag)) continue;
      const expiresAtNs = entry.route.expiresAtNs ?? 0;
      if (expiresAtNs === 0 || this.#host.loop.nowNs <= expiresAtNs) {
        this.#recentInput[place] = entry;
        return entry.route;
      }
      this.#input.delete(hash);
      break;
    }
    const route = this.#lookupInput(key, tos);
    if (!isRouteError(route)) {
      this.#makeRoom();
      this.#input.set(hash, { dst: key.dst, src: key.src, device: key.device, mark: key.mark, tos, flag, route, next: this.#input.get(hash) });
    }
    const trace = this.#host.trace;
    if (trace.isFull) this.#traceRoute("in", key.dst, key.src, route);
    return route;
  }

  /** net/ipv4/route.c:ip_route_input_slow. */
  #lookupInput(key: InputKey, tos: number): Route | RouteError {
    const { dst, src, device, mark } = key;
    const host = this.#host;
    if (isMulticast(dst)) return this.#deliverMulticast(key, tos);
    if (isMulticast(src) || src === LIMITED_BROADCAST) return this.#martianSource(key, `source ${formatIpv4Address(src)} is no unicast address`);
    if (dst === LIMITED_BROADCAST || (src === 0 && dst === 0)) return this.#deliverBroadcast(key, tos, "broadcast");
    if (isZeroNet(src)) return this.#martianSource(key, "source is in 0.0.0.0/8");
    if (isZeroNet(dst)) return this.#martianDestination(key, "IP_INVALID_DEST");
    const mayBeLoopback = !isLoopback(dst) && !isLoopback(src) ? true : host.sysctl.inForce(device, "route_localnet") !== 0;
    if (!mayBeLoopback && isLoopback(dst)) return this.#martianDestination(key, "IP_LOCALNET");
    if (!mayBeLoopback) return this.#martianSource(key, `source ${formatIpv4Address(src)} is a loopback address`, "IP_LOCALNET");
    const result = host.fib.lookup({ dst, src, mark, tos, scope: SCOPE_GLOBAL, output: undefined, input: device });
    const forwards = device.conf.forwarding !== 0;
    if (typeof result === "string") {
      return forwards
        ? failure(result, `no route to ${formatIpv4Address(dst)}`)
        : failure("EHOSTUNREACH", `no route to ${formatIpv4Address(dst)}, and ${device.name} does not forward`);
    }
    const type = result.route.type;
    if (type === "broadcast") {
      if (host.sysctl.inForce(device, "bc_forwarding") === 0 || !forwards) return this.#deliverBroadcast(key, tos, "broadcast", result);
      return this.#makeInput(key, tos, result);
    }
    if (type === "local") {
      const valid = validateSource(host, { src, dst, tos, mark, device, output: undefined });
      if (typeof valid !== "boolean") return this.#refuseSource(key, valid);
      return this.#finish({ type: "local", device: host.devices.loopback, dst, src: 0, result, doRedirect: false, isForwarded: false });
    }
    if (!forwards) return failure("EHOSTUNREACH", `${formatIpv4Address(dst)} is not local and ${device.name} does not forward (forwarding = 0)`);
    if (type !== "unicast") return this.#martianDestination(key, "IP_INVALID_DEST");
    return this.#makeInput(key, tos, result);
  }

  /** net/ipv4/route.c:__mkroute_input. */
  #makeInput(key: InputKey, tos: number, result: FibResult): Route | RouteError {
    const { dst, src, device, mark } = key;
    const { sysctl, devices } = this.#host;
    const output = result.device ?? devices.loopback;
    const valid = validateSource(this.#host, { src, dst, tos, mark, device, output });
    if (typeof valid !== "boolean") return this.#refuseSource(key, valid);
    const isArp = key.isArp === true;
    if (isArp && output === device && sysctl.inForce(device, "proxy_arp_pvlan") === 0) return failure("EINVAL", "the way on is the way back");
    const mayRedirect = output === device && valid && sysctl.inForce(output, "send_redirects") !== 0 && !isArp;
    const doRedirect = mayRedirect && (sysctl.inForce(output, "shared_media") !== 0 || areOnOneLink(output, src, result.gateway));
    return this.#finish({ type: result.route.type, device: output, dst, src: 0, result, doRedirect, isForwarded: true });
  }

  #deliverBroadcast(key: InputKey, tos: number, type: RouteType, result?: FibResult): Route | RouteError {
    if (key.isArp === true) return failure("EINVAL", "nobody answers for a broadcast address");
    if (!isZeroNet(key.src)) {
      const valid = validateSource(this.#host, { src: key.src, dst: 0, tos, mark: key.mark, device: key.device, output: undefined });
      if (typeof valid !== "boolean") return this.#refuseSource(key, valid);
    }
    return this.#finish({ type, device: this.#host.devices.loopback, dst: key.dst, src: 0, result, doRedirect: false, isForwarded: false });
  }

  /** net/ipv4/route.c:ip_route_input_rcu, ip_mc_validate_source: only groups that were joined on the device; nobody is told of the others. */
  #deliverMulticast(key: InputKey, tos: number): Route | RouteError {
    const { dst, src, device } = key;
    const host = this.#host;
    if (!host.multicast.isMember(dst, device))
      return { errno: "EINVAL", reason: "OTHERHOST", detail: `nobody has joined ${formatIpv4Address(dst)} on ${device.name}` };
    const isLoopbackSource = isLoopback(src) && host.sysctl.inForce(device, "route_localnet") === 0;
    if (isMulticast(src) || src === LIMITED_BROADCAST || isLoopbackSource || (isZeroNet(src) && !isLocalMulticast(dst))) {
      return { errno: "EINVAL", reason: "IP_INVALID_SOURCE", detail: `source ${formatIpv4Address(src)} is no unicast address` };
    }
    return this.#deliverBroadcast(key, tos, "multicast");
  }

  #refuseSource(key: InputKey, error: RouteError): RouteError {
    this.#logMartian(key, `martian source ${formatIpv4Address(key.dst)} from ${formatIpv4Address(key.src)}, on dev ${key.device.name}`);
    return error;
  }

  #martianSource(key: InputKey, detail: string, reason: "IP_INVALID_SOURCE" | "IP_LOCALNET" = "IP_INVALID_SOURCE"): RouteError {
    return this.#refuseSource(key, { errno: "EINVAL", reason, detail });
  }

  #martianDestination(key: InputKey, reason: "IP_INVALID_DEST" | "IP_LOCALNET"): RouteError {
    this.#logMartian(key, `martian destination ${formatIpv4Address(key.dst)} from ${formatIpv4Address(key.src)}, dev ${key.device.name}`);
    return { errno: "EINVAL", reason, detail: `${formatIpv4Address(key.dst)} cannot come in by ${key.device.name}` };
  }

  #logMartian(key: InputKey, text: string): void {
    if (this.#host.sysctl.inForce(key.device, "log_martians") === 0) return;
    const nowNs = this.#host.loop.nowNs;
    if (nowNs - this.#logWindowStartNs >= LOG_WINDOW_NS || this.#loggedInWindow === 0) {
      this.#logWindowStartNs = nowNs;
      this.#loggedInWindow = 0;
    }
    if (this.#loggedInWindow++ < LOG_BURST) this.#host.log.write(`IPv4: ${text}`);
  }

  /* -------------------------------------------------------------------------------------------------------- exceptions */

  /** net/ipv4/route.c:__ip_rt_update_pmtu. */
  learnMtu(destination: Ipv4Address, mtu: number, flow: { readonly src?: Ipv4Address; readonly mark?: number } = {}): void {
    const route = this.output({ dst: destination, src: flow.src ?? 0, mark: flow.mark ?? 0, anySource: true });
    if (isRouteError(route) || route.mtuLocked || route.mtu < mtu || route.type !== "unicast") return;
    const isMtuLocked = mtu < this.#minPmtu.value;
    const result = this.#lookupFor(destination, flow);
    if (result === undefined) return;
    const expiresAtNs = this.#host.loop.nowNs + this.#mtuExpiresSeconds.value * NS_PER_SECOND;
    this.#exceptions.learn(destination, result, { mtu: isMtuLocked ? Math.min(route.mtu, this.#minPmtu.value) : mtu, isMtuLocked, expiresAtNs });
  }

  mtuChanged(device: NetDevice, before: number): void {
    this.#exceptions.mtuChanged(device, before);
  }

  /** net/ipv4/route.c:__ip_do_redirect. */
  learnRedirect(
    destination: Ipv4Address,
    gateway: Ipv4Address,
    device: NetDevice,
    from?: Ipv4Address,
    flow: { readonly src?: Ipv4Address; readonly mark?: number } = {},
  ): void {
    const { sysctl, fib, neighbours, loop } = this.#host;
    const route = this.output({ dst: destination, src: flow.src ?? 0, mark: flow.mark ?? 0, anySource: true });
    if (isRouteError(route) || route.gateway === 0 || (from !== undefined && route.gateway !== from)) return;
    if (gateway === route.gateway || sysctl.inForce(device, "accept_redirects") === 0) return;
    if (isMulticast(gateway) || gateway === LIMITED_BROADCAST || isZeroNet(gateway)) return;
    if (sysctl.inForce(device, "shared_media") === 0) {
      if (!areOnOneLink(device, gateway, route.gateway)) return;
      if (sysctl.inForce(device, "secure_redirects") !== 0 && !this.#isDefaultGateway(gateway, device)) return;
    } else if (fib.addressType(gateway) !== "unicast") return;
    if (!neighbours.solicit(route.device, gateway)) return;
    const result = this.#lookupFor(destination, flow);
    if (result === undefined) return;
    this.#exceptions.learn(destination, result, { gateway, expiresAtNs: loop.nowNs + REDIRECT_SECONDS * NS_PER_SECOND });
  }

  #lookupFor(dst: Ipv4Address, flow: { readonly src?: Ipv4Address; readonly mark?: number }): FibResult | undefined {
    const result = this.#host.fib.lookup({ dst, src: flow.src ?? 0, mark: flow.mark ?? 0, tos: 0, scope: SCOPE_GLOBAL, output: undefined, input: undefined });
    return typeof result === "string" ? undefined : result;
  }

  /** net/ipv4/fib_semantics.c:ip_fib_check_default. */
  #isDefaultGateway(gateway: Ipv4Address, device: NetDevice): boolean {
    return this.#host.fib.entries(TABLE_MAIN).some((entry) => entry.prefixLength === 0 && entry.gateway === gateway && entry.device === device);
  }

  exceptions(): readonly { readonly destination: Ipv4Address; readonly mtu: number; readonly gateway: Ipv4Address; readonly expiresAtNs: number; readonly isUsed: boolean }[] {
    const live = this.#exceptions.list(this.#host.loop.nowNs);
    const tables = new Set(live.map((exception) => exception.entry.table));
    const entries = new Set([...tables].flatMap((table) => this.#host.fib.entries(table)));
    return live.filter((exception) => entries.has(exception.entry));
  }

  #traceRoute(direction: "in" | "out", dst: Ipv4Address, src: Ipv4Address, route: Route | RouteError): void {
    const { trace, name } = this.#host;
    if (isRouteError(route)) {
      trace.emit({ kind: "route", host: name, cause: 0, direction, dst, src, type: route.errno, device: "", gateway: 0, table: 0, detail: route.detail });
      return;
    }
    const detail = `${route.isRedirected === true ? "by an ICMP redirect; " : ""}${route.entry === undefined ? "no route is needed" : `${prefixText(route.entry)} is the longest prefix that matches`}`;
    trace.emit({
      kind: "route",
      host: name,
      cause: 0,
      direction,
      dst,
      src: src !== 0 ? src : route.source,
      type: route.type,
      device: route.device.name,
      gateway: route.gateway,
      table: route.entry?.table ?? route.table,
      detail,
    });
  }
}

function isInputEntry(entry: CacheEntry, key: InputKey, tos: number, flag: boolean): boolean {
  return entry.dst === key.dst && entry.src === key.src && entry.device === key.device && entry.mark === key.mark && entry.tos === tos && entry.flag === flag;
}

/** Both addresses decide, so that the many clients of one service do not share a chain. */
function hashOf(dst: Ipv4Address, src: Ipv4Address): number {
  return (dst ^ Math.imul(src, 0x9e3779b1)) | 0;
}

/** `192.168.1.0/24 metric 100`, `default`. */
function prefixText({ network, prefixLength, priority }: FibEntry): string {
  const prefix = prefixLength === 0 ? "default" : prefixLength === 32 ? formatIpv4Address(network) : `${formatIpv4Address(network)}/${prefixLength}`;
  return priority === 0 ? prefix : `${prefix} metric ${priority}`;
}

function failure(errno: string, detail: string): RouteError {
  return { errno, detail };
}

function specialType(dst: Ipv4Address): RouteType {
  return isMulticast(dst) ? "multicast" : dst === LIMITED_BROADCAST ? "broadcast" : "unicast";
}

/** net/ipv4/devinet.c:inet_addr_onlink: one subnet of the device holds both (the second may be absent). */
function areOnOneLink(device: NetDevice, a: Ipv4Address, b: Ipv4Address): boolean {
  for (const address of device.addresses) {
    const shift = address.prefixLength === 0 ? 0 : (0xffffffff << (32 - address.prefixLength)) >>> 0;
    if (((a ^ address.peer) & shift) === 0 && (b === 0 || ((b ^ address.peer) & shift) === 0)) return true;
  }
  return false;
}
