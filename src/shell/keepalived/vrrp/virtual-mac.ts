/**
 * The virtual MAC of an instance (use_vmac): a macvlan with the address that RFC 5798 gives to the virtual router.
 *
 * keepalived v2.2.7 vrrp/vrrp_vmac.c, vrrp/vrrp_if_config.c.
 */

import type { NetDevice } from "../../../host/device.ts";
import type { Host } from "../../../host/host.ts";
import type { GlobalConfig, VrrpInstanceConfig } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";

/** 00:00:5e:00:01:VRID. */
const MAC_BASE = 0x00005e000100;
const BASE_SETTINGS = ["arp_ignore", "arp_filter"];
const VMAC_SETTINGS: readonly (readonly [string, string])[] = [
  ["arp_ignore", "1"],
  ["accept_local", "1"],
  ["rp_filter", "0"],
  ["promote_secondaries", "1"],
];

export class VirtualMacs {
  readonly #host: Host;
  readonly #log: DaemonLog;
  /** Names of those that this process uses, and the instances that they belong to. */
  readonly #ours = new Map<string, string>();

  constructor(host: Host, log: DaemonLog) {
    this.#host = host;
    this.#log = log;
  }

  /** The device of an instance, made if it is not there. */
  open(config: VrrpInstanceConfig, global: GlobalConfig): NetDevice | undefined {
    const base = config.device;
    if (base === undefined) return undefined;
    const name = config.vmacName !== "" ? config.vmacName : `${global.vmacPrefix ?? "vrrp"}.${config.vrid}`;
    const mac = MAC_BASE + config.vrid;
    let device = this.#host.devices.byName(name);
    if (device?.lower === base && device.mac === mac) {
      this.#log.line(`(${config.name}) Found matching interface ${name}`);
    } else {
      if (device !== undefined) this.#host.devices.remove(device);
      const made = this.#host.devices.addMacvlan(name, base, mac);
      if (typeof made === "string") {
        this.#log.line(`(${config.name}): Unable to create VMAC interface ${name}`);
        return undefined;
      }
      this.#log.line(`(${config.name}): Success creating VMAC interface ${name}`);
      device = made;
    }
    this.#ours.set(name, config.name);
    for (const [key, value] of VMAC_SETTINGS) this.#set(name, key, value);
    // They stay so when keepalived has ended.
    for (const key of BASE_SETTINGS) this.#set(base.name, key, "1");
    this.#host.devices.setUp(device);
    return device;
  }

  #set(device: string, key: string, value: string): void {
    this.#host.sysctl.write(`net.ipv4.conf.${device.replaceAll(".", "/")}.${key}`, value);
  }

  /** Removes those that no instance uses any more. */
  keepOnly(used: ReadonlySet<string>): void {
    for (const [name, instance] of [...this.#ours]) {
      if (used.has(name)) continue;
      this.#ours.delete(name);
      const device = this.#host.devices.byName(name);
      if (device === undefined) continue;
      this.#host.devices.remove(device);
      this.#log.line(`(${instance}) Success removing VMAC interface ${name}`);
    }
  }
}
