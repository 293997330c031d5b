/**
 * Interfaces that hold instances up: their own and those in track_interface, with the delays that are asked for.
 *
 * keepalived v2.2.7 vrrp/vrrp_if.c (update_interface_flags), vrrp/vrrp_track.c (initialise_interface_tracking_priorities).
 */

import type { NetDevice } from "../../../host/device.ts";
import type { VrrpConfig } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";
import type { DaemonProcess, DaemonTimer } from "../daemon-process.ts";
import type { Instance } from "./instance.ts";

interface InterfaceUser {
  readonly instance: Instance;
  readonly weight: number;
  readonly isReversed: boolean;
}

interface TrackedDevice {
  isUp: boolean;
  hasBeenUp: boolean;
  pending: { readonly isUp: boolean; readonly timer: DaemonTimer } | undefined;
  readonly users: InterfaceUser[];
}

export interface InterfaceTrackingParts {
  readonly daemon: DaemonProcess;
  readonly log: DaemonLog;
  readonly config: VrrpConfig;
  readonly instances: readonly Instance[];
}

const isUp = (device: NetDevice | undefined): boolean => device !== undefined && device.isUp && device.hasCarrier;

export class InterfaceTracking {
  readonly #parts: InterfaceTrackingParts;
  readonly #devices = new Map<string, TrackedDevice>();

  constructor(parts: InterfaceTrackingParts) {
    this.#parts = parts;
    for (const instance of parts.instances) {
      const { config, group } = instance;
      if (config.device !== undefined && config.tracksPrimary) this.#track(config.device.name, { instance, weight: 0, isReversed: false });
      if (instance.vmac !== undefined && config.tracksPrimary) this.#track(instance.vmac.name, { instance, weight: 0, isReversed: false });
      for (const one of [...config.trackInterfaces, ...(group?.config.trackInterfaces ?? [])]) this.#track(one.device, { instance, weight: one.weight, isReversed: one.isReversed });
    }
  }

  #track(name: string, user: InterfaceUser): void {
    const known = this.#devices.get(name);
    if (known !== undefined) {
      known.users.push(user);
      return;
    }
    const up = isUp(this.#parts.daemon.machine.host.devices.byName(name));
    this.#devices.set(name, { isUp: up, hasBeenUp: up, pending: undefined, users: [user] });
  }

  prepare(): void {
    for (const [name, tracked] of this.#devices) {
      for (const { instance, weight, isReversed } of tracked.users) {
        const sign = isReversed ? -1 : 1;
        if (weight === 0) {
          if (tracked.isUp !== isReversed) continue;
          this.#parts.log.line(`(${instance.name}): entering FAULT state (interface ${name} down)`);
          instance.state = "FAULT";
          instance.faults++;
        } else if (tracked.isUp === weight > 0) instance.totalPriority += weight * sign;
      }
    }
  }

  deviceChanged(device: NetDevice): void {
    const tracked = this.#devices.get(device.name);
    if (tracked === undefined) return;
    const { log, daemon, config } = this.#parts;
    const now = isUp(device);
    if (tracked.pending !== undefined) {
      if (tracked.pending.isUp === now) return;
      tracked.pending.timer.cancel();
      tracked.pending = undefined;
      log.line(`Delay timer for ${device.name} cancelled`);
    }
    if (now === tracked.isUp) return;
    const debounce = config.debounce.get(device.name);
    const delayUs = now ? (debounce?.upUs ?? 0) : (debounce?.downUs ?? 0);
    if (tracked.hasBeenUp && delayUs > 0) {
      const timer = daemon.after(delayUs, () => {
        tracked.pending = undefined;
        this.#apply(device.name, tracked, now);
      });
      tracked.pending = { isUp: now, timer };
      return;
    }
    this.#apply(device.name, tracked, now);
  }

  #apply(name: string, tracked: TrackedDevice, now: boolean): void {
    tracked.isUp = now;
    if (now) tracked.hasBeenUp = true;
    this.#parts.log.line(`Netlink reports ${name} ${now ? "up" : "down"}`);
    for (const { instance, weight, isReversed } of tracked.users) {
      if (weight !== 0) {
        instance.totalPriority += (now ? 1 : -1) * Math.abs(weight) * (isReversed ? -1 : 1);
        instance.settlePriority();
      } else if (now !== isReversed) instance.recover(false);
      else instance.fail();
    }
  }
}
