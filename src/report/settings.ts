/**
 * Settings in force: what `all` and the device's own value make together, and the rest; those that matter to LVS or are not as at boot.
 */

import type { Ipv4ConfKey } from "../host/ipv4-conf.ts";
import { CONF_COMBINATIONS, confInForce } from "../host/sysctl.ts";
import type { TableRows } from "../trace/rows.ts";

/** By key, as in the table `sysctls`. */
export type Sysctls = Readonly<Record<string, { readonly value: string }>>;

/** A setting of a device and of `all`, and what they make together. */
export interface SettingInForce {
  readonly key: string;
  readonly name: string;
  readonly device: string;
  readonly all: string;
  readonly own: string;
  readonly inForce: string;
  /** `max`, `or`, `and`, or `own` when conf/all has no say. */
  readonly combination: string;
  readonly isDefault: boolean;
  /** In force before the last move; undefined: the same. */
  readonly before: string | undefined;
}

export interface PlainSetting {
  readonly key: string;
  readonly value: string;
  readonly isDefault: boolean;
  readonly before: string | undefined;
}

/** Settings that decide what LVS does, shown whatever their value is. */
const LVS_CONF: ReadonlySet<string> = new Set(["arp_ignore", "arp_announce", "rp_filter", "forwarding", "send_redirects", "accept_redirects"]);
const LVS_SETTINGS = /^net\.ipv4\.(?:ip_forward|vs\.(?:conntrack|conn_reuse_mode|expire_nodest_conn|expire_quiescent_template))$/;

/** Devices that are up. */
export function devicesOf(now: TableRows): string[] {
  return Object.values(now.links ?? {})
    .filter(({ isUp }) => isUp)
    .map(({ name }) => name);
}

const CONF = "net.ipv4.conf.";

/** What is shown of the settings `now`; `before`: those before the last move, `defaults`: those at boot. */
export class Settings {
  readonly #now: Sysctls;
  readonly #before: Sysctls | undefined;
  readonly #defaults: Sysctls;
  readonly #hasAll: boolean;

  constructor(now: Sysctls, before: Sysctls | undefined, defaults: Sysctls, hasAll: boolean) {
    this.#now = now;
    this.#before = before;
    this.#defaults = defaults;
    this.#hasAll = hasAll;
  }

  inForce(devices: readonly string[]): SettingInForce[] {
    const settings: SettingInForce[] = [];
    for (const [name, combination] of Object.entries(CONF_COMBINATIONS)) {
      for (const device of devices) {
        const key = `${CONF}${device.replaceAll(".", "/")}.${name}`;
        const value = (of: Sysctls) => valueInForce(of, name as Ipv4ConfKey, device);
        const own = this.#now[key]?.value;
        const all = this.#now[`${CONF}all.${name}`]?.value;
        const inForce = value(this.#now);
        if (own === undefined || all === undefined || inForce === undefined) continue;
        const isDefault = value(this.#defaults) === inForce;
        const before = this.#before === undefined ? inForce : value(this.#before);
        const isOfInterest = (LVS_CONF.has(name) && device !== "lo") || !isDefault || before !== inForce;
        if (!this.#hasAll && !isOfInterest) continue;
        const isForwarding = this.#now[`${CONF}${device.replaceAll(".", "/")}.forwarding`]?.value !== "0";
        settings.push({
          key,
          name,
          device,
          all,
          own,
          inForce,
          combination: combination === "redirects" ? (isForwarding ? "and" : "or") : combination,
          isDefault,
          before: before === inForce ? undefined : (before ?? ""),
        });
      }
    }
    return settings;
  }

  plain(): PlainSetting[] {
    const settings: PlainSetting[] = [];
    for (const [key, { value }] of Object.entries(this.#now)) {
      if (key.startsWith(CONF) && !key.startsWith(`${CONF}all.`) && !key.startsWith(`${CONF}default.`)) continue;
      // A key that came with a module is at its default when nobody wrote it: there is nothing to compare with.
      const isDefault = (this.#defaults[key]?.value ?? value) === value;
      const old = this.#before === undefined ? value : this.#before[key]?.value;
      if (!this.#hasAll && isDefault && old === value && !LVS_SETTINGS.test(key)) continue;
      settings.push({ key, value, isDefault, before: old === value ? undefined : (old ?? "") });
    }
    return settings;
  }
}

function valueInForce(of: Sysctls, name: Ipv4ConfKey, device: string): string | undefined {
  const own = of[`${CONF}${device.replaceAll(".", "/")}.${name}`]?.value;
  const all = of[`${CONF}all.${name}`]?.value;
  if (own === undefined || all === undefined) return undefined;
  return String(confInForce(name, Number(all), Number(own), of[`${CONF}${device.replaceAll(".", "/")}.forwarding`]?.value !== "0"));
}
