/**
 * Tracked files that hold instances down or change their priority.
 *
 * keepalived v2.2.7 vrrp/vrrp_track.c (initialise_vrrp_file_tracking_priorities), trackers/track_file.c (process_update_vrrp_track_file_status).
 */

import type { FileTracking, TrackedFile } from "../config/model.ts";
import type { ConfigReport } from "../config/report.ts";
import type { DaemonLog } from "../daemon-log.ts";
import type { DaemonProcess } from "../daemon-process.ts";
import { FileWatch } from "../file-tracking.ts";
import type { Instance } from "./instance.ts";

const FAULT = -254;
const BEST = 253;

interface User {
  readonly instance: Instance;
  readonly tracking: { readonly file: TrackedFile; weight: number; isReversed: boolean };
}

function effectOf({ weight, isReversed }: Omit<FileTracking, "file">, status: number): number {
  if (weight === 0) return (status !== 0) === !isReversed ? FAULT : 0;
  return Math.max(FAULT, Math.min(BEST, status * weight * (isReversed ? -1 : 1)));
}

export class StatusFiles {
  readonly #log: DaemonLog;
  readonly #watch: FileWatch;
  #users: User[] = [];

  constructor(daemon: DaemonProcess, log: DaemonLog) {
    this.#log = log;
    this.#watch = new FileWatch({ daemon, log, onChange: (file, status) => this.#changed(file, status) });
  }

  /** Reads the files, and puts what they say into instances that have not begun. */
  prepare(instances: readonly Instance[], report: ConfigReport): void {
    this.#users = [];
    for (const instance of instances) {
      for (const one of instance.config.trackFiles) this.#users.push({ instance, tracking: { ...one } });
      for (const one of instance.group?.config.trackFiles ?? []) this.#addOfGroup(instance, one);
    }
    this.#watch.start([...new Set(this.#users.map(({ tracking }) => tracking.file))], report);
    for (const { instance, tracking } of this.#users) {
      const effect = effectOf(tracking, tracking.file.status);
      if (effect !== FAULT) {
        instance.totalPriority += effect;
        continue;
      }
      this.#log.line(`(${instance.name}): entering FAULT state (tracked file ${tracking.file.name} has status ${effect})`);
      instance.state = "FAULT";
      instance.faults++;
    }
  }

  #addOfGroup(instance: Instance, one: FileTracking): void {
    const same = this.#users.find((user) => user.instance === instance && user.tracking.file === one.file);
    if (same === undefined) {
      this.#users.push({ instance, tracking: { ...one } });
      return;
    }
    this.#log.line(`(${instance.name}) track_file ${one.file.name} is configured on VRRP instance and sync group. Remove vrrp instance config`);
    if (same.tracking.weight === 0) return;
    same.tracking.weight = one.weight;
    same.tracking.isReversed = one.isReversed;
  }

  stop(): void {
    this.#watch.stop();
  }

  #changed(file: TrackedFile, status: number): void {
    for (const { instance, tracking } of this.#users) {
      if (tracking.file !== file) continue;
      const before = effectOf(tracking, file.status);
      const after = effectOf(tracking, status);
      if (before !== after) this.#apply(instance, tracking, before, after);
    }
  }

  #apply(instance: Instance, { file, weight }: FileTracking, before: number, after: number): void {
    if (after === FAULT) {
      this.#log.detailed(`(${instance.name}): tracked file ${file.name} now FAULT state`);
      if (weight !== 0) instance.totalPriority -= before;
      instance.fail();
    } else if (before === FAULT) {
      if (weight !== 0) instance.takePriority(after);
      this.#log.detailed(`(${instance.name}): tracked file ${file.name} leaving FAULT state`);
      if (after !== 0) this.#log.detailed(`(${instance.name}) Setting effective priority to ${instance.priority}`);
      instance.recover(false);
    } else {
      instance.totalPriority += after - before;
      instance.settlePriority();
    }
  }
}
