/**
 * Gratuitous ARP requests of masters, with the pauses between them that a device is given.
 *
 * keepalived v2.2.7 vrrp/vrrp_arp.c, vrrp/vrrp_scheduler.c (vrrp_arp_thread).
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import { BROADCAST_MAC } from "../../../base/mac-address.ts";
import { NS_PER_US } from "../../../base/time.ts";
import type { NetDevice } from "../../../host/device.ts";
import type { Host } from "../../../host/host.ts";
import type { GlobalConfig, VirtualAddress, VrrpConfig } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";
import type { DaemonProcess, DaemonTimer } from "../daemon-process.ts";

interface Pace {
  readonly intervalUs: number;
  nextNs: number;
}

export class GratuitousArps {
  readonly #daemon: DaemonProcess;
  readonly #host: Host;
  readonly #log: DaemonLog;
  readonly #paces = new Map<string, Pace>();
  #queue: { readonly address: VirtualAddress; readonly pace: Pace; readonly device: NetDevice }[] = [];
  #timer: DaemonTimer | undefined;

  constructor(daemon: DaemonProcess, log: DaemonLog, config: VrrpConfig, global: GlobalConfig) {
    this.#daemon = daemon;
    this.#host = daemon.machine.host;
    this.#log = log;
    for (const group of config.garpGroups) {
      if (group.intervalUs === undefined) continue;
      const pace: Pace = { intervalUs: group.intervalUs, nextNs: 0 };
      for (const name of group.devices) this.#paces.set(name, pace);
    }
    if (global.garpIntervalUs === 0) return;
    for (const device of this.#host.devices.list) if (!this.#paces.has(device.name)) this.#paces.set(device.name, { intervalUs: global.garpIntervalUs, nextNs: 0 });
  }

  send(address: VirtualAddress): void {
    const device = address.device === undefined ? undefined : this.#host.devices.byName(address.device);
    if (device === undefined || device.isNoArp || device.kind !== "ether") return;
    const pace = this.#paces.get(device.name);
    if (pace !== undefined && pace.nextNs > this.#daemon.nowNs) {
      if (address.isGarpPending) return;
      address.isGarpPending = true;
      this.#queue.push({ address, pace, device });
      this.#arm();
      return;
    }
    this.sendNow(device, address.address);
    if (pace !== undefined) pace.nextNs = this.#daemon.nowNs + pace.intervalUs * NS_PER_US;
  }

  sendNow(device: NetDevice, address: number): void {
    this.#log.detailed(`Sending gratuitous ARP on ${device.name} for ${formatIpv4Address(address)}`);
    if (device.isUp) this.#host.arp.sendGratuitous(device, address, BROADCAST_MAC);
    else this.#log.line(`Error 100 (Network is down) sending gratuitous ARP on ${device.name} for ${formatIpv4Address(address)}`);
  }

  /** Nothing more is sent for an address that its holder gives up. */
  forget(addresses: readonly VirtualAddress[]): void {
    for (const address of addresses) address.isGarpPending = false;
    this.#queue = this.#queue.filter((one) => one.address.isGarpPending);
  }

  #arm(): void {
    if (this.#timer?.isPending === true) return;
    const next = Math.min(...this.#queue.map((one) => one.pace.nextNs));
    if (Number.isFinite(next)) this.#timer = this.#daemon.at(next, () => this.#flush());
  }

  #flush(): void {
    const waiting = this.#queue;
    this.#queue = [];
    for (const one of waiting) {
      if (!one.address.isSet) one.address.isGarpPending = false;
      else if (one.pace.nextNs > this.#daemon.nowNs) this.#queue.push(one);
      else {
        one.address.isGarpPending = false;
        this.sendNow(one.device, one.address.address);
        one.pace.nextNs = this.#daemon.nowNs + one.pace.intervalUs * NS_PER_US;
      }
    }
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#queue = [];
  }
}
