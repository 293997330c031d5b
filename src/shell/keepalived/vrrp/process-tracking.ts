/**
 * Tracked processes that hold instances up or change their priority: counted whenever a process starts, becomes another program or ends.
 *
 * keepalived v2.2.7 core/track_process.c, vrrp/vrrp_track.c (process_update_track_process_status, initialise_process_tracking_priorities).
 */

import type { Process } from "../../process.ts";
import type { ProcessTracking, TrackedProcess } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";
import type { DaemonProcess, DaemonTimer } from "../daemon-process.ts";
import type { Instance } from "./instance.ts";

/** TASK_COMM_LEN less its end. */
const NAME_MAX = 15;

interface State {
  readonly process: TrackedProcess;
  readonly users: { readonly instance: Instance; readonly weight: number; readonly isReversed: boolean }[];
  hasQuorum: boolean;
  pending: { readonly isUp: boolean; readonly timer: DaemonTimer } | undefined;
}

function isOne(process: Process, tracked: TrackedProcess): boolean {
  if (!tracked.usesCommandLine) return process.name === (tracked.path ?? "").slice(0, NAME_MAX);
  const [path, ...parameters] = process.args;
  if (path !== tracked.path) return false;
  const wanted = tracked.parameters;
  if (tracked.match === "none") return true;
  if (tracked.match === "exact") return parameters.length === wanted.length && parameters.every((one, i) => one === wanted[i]);
  const given = parameters.slice(0, wanted.length);
  // "partial" lets the last word go on.
  return wanted.every((one, i) => (tracked.match === "partial" && i === wanted.length - 1 ? given[i]?.startsWith(one) === true : given[i] === one));
}

export class ProcessWatch {
  readonly #daemon: DaemonProcess;
  readonly #log: DaemonLog;
  #states: State[] = [];
  #close: (() => void) | undefined;

  constructor(daemon: DaemonProcess, log: DaemonLog) {
    this.#daemon = daemon;
    this.#log = log;
  }

  /** Counts, and puts what that means into instances that have not begun. */
  prepare(instances: readonly Instance[]): void {
    this.stop();
    this.#states = [];
    for (const instance of instances) {
      const own = instance.config.trackProcesses;
      const ofGroup = (instance.group?.config.trackProcesses ?? []).filter((one) => !own.some((other) => other.process === one.process));
      for (const one of [...own, ...ofGroup]) this.#add(instance, one);
    }
    if (this.#states.length === 0) return;
    for (const state of this.#states) {
      state.hasQuorum = this.#isEnough(state.process);
      for (const { instance, weight, isReversed } of state.users) {
        if (weight !== 0) {
          if (state.hasQuorum === weight > 0) instance.totalPriority += weight * (isReversed ? -1 : 1);
        } else if (state.hasQuorum === isReversed) {
          this.#log.line(`(${instance.name}) entering FAULT state (tracked process ${state.process.name} quorum not achieved)`);
          instance.state = "FAULT";
          instance.faults++;
        }
      }
    }
    const { watchers } = this.#daemon.machine.processes;
    const watcher = (): void => this.#daemon.post(() => this.#look());
    watchers.add(watcher);
    this.#close = () => watchers.delete(watcher);
  }

  #add(instance: Instance, { process, weight, isReversed }: ProcessTracking): void {
    const known = this.#states.find((state) => state.process === process);
    const state = known ?? { process, users: [], hasQuorum: false, pending: undefined };
    if (known === undefined) this.#states.push(state);
    state.users.push({ instance, weight, isReversed });
  }

  stop(): void {
    this.#close?.();
    this.#close = undefined;
    for (const state of this.#states) state.pending?.timer.cancel();
  }

  #isEnough(tracked: TrackedProcess): boolean {
    const count = this.#daemon.machine.processes.list.filter((one) => isOne(one, tracked)).length;
    return count >= tracked.quorum && count <= tracked.quorumMax;
  }

  #look(): void {
    for (const state of this.#states) {
      const isUp = this.#isEnough(state.process);
      if (state.pending !== undefined && state.pending.isUp !== isUp) {
        state.pending.timer.cancel();
        state.pending = undefined;
      }
      if (isUp === state.hasQuorum || state.pending !== undefined) continue;
      const delayUs = isUp ? state.process.forkDelayUs : state.process.terminateDelayUs;
      if (delayUs === 0) this.#apply(state, isUp);
      else state.pending = { isUp, timer: this.#daemon.after(delayUs, () => this.#due(state)) };
    }
  }

  #due(state: State): void {
    state.pending = undefined;
    const isUp = this.#isEnough(state.process);
    if (isUp !== state.hasQuorum) this.#apply(state, isUp);
  }

  #apply(state: State, isUp: boolean): void {
    state.hasQuorum = isUp;
    this.#log.line(`Quorum ${isUp ? "gained" : "lost"} for tracked process ${state.process.name}`);
    for (const { instance, weight, isReversed } of state.users) {
      if (weight === 0) {
        if (isUp !== isReversed) instance.recover(false);
        else instance.fail();
      } else if (!instance.isOwner) {
        instance.totalPriority += (weight > 0 === isUp ? 1 : -1) * weight * (isReversed ? -1 : 1);
        instance.settlePriority();
      }
    }
  }
}
