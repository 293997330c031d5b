/**
 * What the VRRP process tells the kernel: addresses, routes and rules come and go; and what it logs when the kernel refuses.
 *
 * keepalived v2.2.7 vrrp/vrrp_ipaddress.c, vrrp_iproute.c, vrrp_iprule.c, core/keepalived_netlink.c (netlink_talk).
 */

import type { NetDevice } from "../../../host/device.ts";
import type { Host } from "../../../host/host.ts";
import type { FibEntry, FibRule, RouteType } from "../../../host/route.ts";
import { errorText } from "../../errno-text.ts";
import type { VirtualAddress, VirtualRoute, VirtualRule } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";

export const ERRNO_NUMBERS: Readonly<Record<string, number>> = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  EHOSTUNREACH: 113,
};
const MESSAGES = { RTM_NEWADDR: 20, RTM_DELADDR: 21, RTM_NEWROUTE: 24, RTM_DELROUTE: 25, RTM_NEWRULE: 32, RTM_DELRULE: 33 } as const;

export class Netlink {
  readonly #host: Host;
  readonly #log: DaemonLog;
  #sequence = 0;

  constructor(host: Host, log: DaemonLog) {
    this.#host = host;
    this.#log = log;
  }

  deviceOf(name: string | undefined): NetDevice | undefined {
    return name === undefined ? undefined : this.#host.devices.byName(name);
  }

  #failed(errno: string, message: keyof typeof MESSAGES): void {
    this.#log.line(`Netlink: error: ${errorText(errno)}(${ERRNO_NUMBERS[errno] ?? 0}), type=${message}(${MESSAGES[message]}), seq=${this.#sequence}, pid=0`);
  }

  /** Adds what is not set; true when something was added. */
  addAddresses(list: readonly VirtualAddress[]): boolean {
    let isChanged = false;
    for (const one of list) {
      if (one.isSet) continue;
      this.#sequence++;
      const device = this.deviceOf(one.device);
      if (device === undefined) {
        this.#log.line(`Not adding address ${one.text} to ${one.device} since interface doesn't exist`);
        continue;
      }
      const errno = this.#host.addresses.add(device, {
        address: one.address,
        peer: one.peer ?? one.address,
        prefixLength: one.prefixLength,
        broadcast: one.broadcast,
        scope: one.scope,
        label: one.label ?? device.name,
        noPrefixRoute: one.noPrefixRoute,
      });
      one.isSet = errno === undefined || errno === "EEXIST";
      if (one.isSet) isChanged = true;
      else this.#failed(errno as string, "RTM_NEWADDR");
    }
    return isChanged;
  }

  /** `isForced`: also those that were not set by this process. */
  removeAddresses(list: readonly VirtualAddress[], isForced = false): void {
    for (const one of list) {
      if (!one.isSet && !isForced) continue;
      this.#sequence++;
      one.isSet = false;
      const device = this.deviceOf(one.device);
      const address = device?.addresses.find((held) => held.address === one.address && held.prefixLength === one.prefixLength);
      // EADDRNOTAVAIL is no news: secondaries vanish with their primary.
      if (device !== undefined && address !== undefined) this.#host.addresses.remove(device, address);
    }
  }

  addRoutes(list: readonly VirtualRoute[], isForced = false): void {
    for (const one of list) {
      if (one.isSet && !isForced) continue;
      this.#sequence++;
      const entry = this.#entry(one);
      const errno = entry === undefined ? "ENODEV" : this.#host.fib.add(entry, isForced ? "replace" : "append");
      one.isSet = errno === undefined || errno === "EEXIST";
      if (!one.isSet) this.#failed(errno as string, "RTM_NEWROUTE");
    }
  }

  removeRoutes(list: readonly VirtualRoute[]): void {
    for (const one of list) {
      if (!one.isSet) continue;
      this.#sequence++;
      one.isSet = false;
      const entry = this.#entry(one);
      const errno =
        entry === undefined
          ? "ENODEV"
          : this.#host.fib.remove({ network: entry.network, prefixLength: entry.prefixLength, table: entry.table, type: entry.type, tos: entry.tos, priority: entry.priority });
      if (errno !== undefined) this.#failed(errno, "RTM_DELROUTE");
    }
  }

  #entry(route: VirtualRoute): FibEntry | undefined {
    const hops = route.hops.map((hop) => ({ device: this.deviceOf(hop.device), gateway: hop.gateway, weight: hop.weight }));
    const resolved: { device: NetDevice; gateway: number; weight: number }[] = [];
    for (const hop of hops) {
      // A hop without a device is on the device that its gateway is reached by.
      const device = hop.device ?? this.#deviceTowards(hop.gateway);
      if (device === undefined) return undefined;
      resolved.push({ device, gateway: hop.gateway, weight: hop.weight });
    }
    const first = resolved[0];
    const device = first?.device ?? this.deviceOf(route.device);
    if (route.device !== undefined && device === undefined) return undefined;
    return {
      network: route.network,
      prefixLength: route.prefixLength,
      table: route.table,
      type: route.type as RouteType,
      scope: route.scope,
      tos: route.tos,
      priority: route.metric,
      protocol: route.protocol,
      device,
      gateway: first?.gateway ?? route.gateway,
      preferredSource: route.source,
      mtu: route.mtu,
      mtuLocked: route.mtuLocked,
      isOnlink: route.isOnlink,
      advmss: route.advmss,
      isLinkDown: false,
      nextHops: resolved.length > 1 ? resolved : [],
    };
  }

  #deviceTowards(gateway: number): NetDevice | undefined {
    const result = this.#host.fib.lookup({ dst: gateway, src: 0, mark: 0, tos: 0, scope: 0, output: undefined, input: undefined });
    return typeof result === "string" ? undefined : result.device;
  }

  addRules(list: readonly VirtualRule[]): void {
    for (const one of list) {
      if (one.isSet) continue;
      this.#sequence++;
      const errno = this.#host.fib.addRule(ruleOf(one));
      one.isSet = errno === undefined || errno === "EEXIST";
      if (!one.isSet) this.#failed(errno as string, "RTM_NEWRULE");
    }
  }

  /** `isForced`: also those that were not set by this process, without a word when they are not there. */
  removeRules(list: readonly VirtualRule[], isForced = false): void {
    for (const one of list) {
      if (!one.isSet && !isForced) continue;
      this.#sequence++;
      one.isSet = false;
      const errno = this.#host.fib.removeRule(ruleOf(one));
      if (errno !== undefined && !isForced) this.#failed(errno, "RTM_DELRULE");
    }
  }
}

function ruleOf(rule: VirtualRule): FibRule {
  const any = { network: 0, prefixLength: 0 };
  return {
    priority: rule.priority,
    from: rule.from ?? any,
    to: rule.to ?? any,
    tos: rule.tos,
    mark: rule.mark,
    markMask: rule.markMask,
    inputDevice: rule.inputDevice ?? "",
    outputDevice: rule.outputDevice ?? "",
    isInverted: false,
    action: rule.action === undefined || rule.action === "table" ? "lookup" : rule.action,
    table: rule.table,
  };
}
