/**
 * vrrp_script: runs a script again and again; its results, smoothed by rise and fall, hold instances down or change their priority.
 *
 * keepalived v2.2.7 vrrp/vrrp_scheduler.c (vrrp_script_thread, vrrp_script_child_thread), vrrp/vrrp_track.c.
 */

import type { VrrpScript } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";
import type { DaemonProcess, DaemonTimer } from "../daemon-process.ts";
import type { ScriptEnd, ScriptRunner } from "../script-runner.ts";
import type { Instance } from "./instance.ts";

const TERMINATION_US = 2_000_000;
const STUBBORN_US = 10_000_000;

export interface ScriptUser {
  readonly instance: Instance;
  readonly weight: number;
  readonly isReversed: boolean;
}

export class TrackScript {
  readonly config: VrrpScript;
  readonly users: ScriptUser[] = [];
  readonly #daemon: DaemonProcess;
  readonly #log: DaemonLog;
  readonly #scripts: ScriptRunner;
  #state: "idle" | "running" | "terminating" | "forcing" = "idle";
  #timer: DaemonTimer | undefined;

  constructor(config: VrrpScript, parts: { readonly daemon: DaemonProcess; readonly log: DaemonLog; readonly scripts: ScriptRunner }) {
    this.config = config;
    this.#daemon = parts.daemon;
    this.#log = parts.log;
    this.#scripts = parts.scripts;
  }

  get #isFresh(): boolean {
    return this.config.initState === "init" || this.config.initState === "init-reload";
  }

  /** What an instance that begins must know of it. */
  prepare(user: ScriptUser): void {
    const { config } = this;
    const { instance, weight } = user;
    this.users.push(user);
    if (weight === 0) {
      if (config.initState === "init") instance.waitingScripts++;
      else if (config.initState === "failed" || (config.initState !== "init-reload" && config.result >= 0 && config.result < config.rise)) {
        instance.faults++;
        this.#log.line(`(${instance.name}): entering FAULT state due to script ${config.name}`);
        instance.state = "FAULT";
      }
      return;
    }
    if (instance.isOwner || this.#isFresh) return;
    if (config.result >= config.rise) {
      if (weight > 0) instance.totalPriority += weight;
    } else if (weight < 0) instance.totalPriority += weight;
  }

  begin(): void {
    const { config } = this;
    // One success is enough at first.
    if (this.#isFresh) config.result = config.rise - 1;
    else if (config.initState === "failed") config.result = 0;
    this.#daemon.after(0, () => this.#run());
  }

  #run(): void {
    const { config } = this;
    this.#daemon.after(config.intervalUs, () => this.#run());
    if (config.script === undefined) return;
    if (this.#state !== "idle")
      this.#log.line(`Track script ${config.name} is ${this.#state === "running" ? "already running" : "being timed out"}, expect idle - skipping run`);
    if (this.#state !== "idle") return;
    this.#state = "running";
    const pid = this.#scripts.start(config.script, [], (end) => {
      this.#timer?.cancel();
      this.#ended(end);
    });
    if (pid !== undefined) this.#timer = this.#daemon.after(config.timeoutUs > 0 ? config.timeoutUs : config.intervalUs, () => this.#late(pid));
  }

  #late(pid: number): void {
    let delayUs = TERMINATION_US;
    if (this.#state === "running") {
      this.#state = "terminating";
      this.#scripts.kill(pid, "TERM");
    } else {
      if (this.#state === "forcing") {
        this.#log.line(`Script ${this.config.name} child (PID ${pid}) failed to terminate after kill`);
        delayUs = STUBBORN_US;
      }
      this.#state = "forcing";
      this.#scripts.kill(pid, "KILL");
    }
    this.#timer = this.#daemon.after(delayUs, () => this.#late(pid));
  }

  #ended(end: ScriptEnd): void {
    const { config } = this;
    let reason = "";
    let word = "failed";
    if (end.kind === "exit") {
      if (end.status !== config.lastStatus) this.#log.line(`Script \`${config.name}\` now returning ${end.status}`);
      config.lastStatus = end.status;
      if (end.status !== 0) reason = ` (exited with status ${end.status})`;
    } else {
      const isOurs = this.#state === "terminating" ? end.signal === "TERM" : this.#state === "forcing" && (end.signal === "TERM" || end.signal === "KILL");
      if (isOurs) word = "timed_out";
      else reason = ` (due to signal ${end.number})`;
    }
    if (end.kind === "exit" && end.status === 0) this.#succeeded();
    else this.#failed(`${word}${reason}`);
    this.#state = "idle";
    config.initState = "done";
  }

  #succeeded(): void {
    const { config } = this;
    if (config.result < config.rise - 1) {
      config.result++;
      return;
    }
    const best = config.rise + config.fall - 1;
    if (config.result === best) return;
    if (config.result < config.rise) {
      this.#log.line(`VRRP_Script(${config.name}) succeeded`);
      this.#tell(true);
    }
    config.result = best;
  }

  #failed(text: string): void {
    const { config } = this;
    if (config.result > config.rise) {
      config.result--;
      return;
    }
    if (config.result === config.rise || this.#isFresh) {
      this.#log.line(`VRRP_Script(${config.name}) ${text}`);
      this.#tell(false);
    }
    config.result = 0;
  }

  #tell(isGood: boolean): void {
    for (const user of this.users) this.#tellOne(user, isGood);
  }

  #tellOne({ instance, weight, isReversed }: ScriptUser, isGood: boolean): void {
    const { initState } = this.config;
    if (weight === 0) {
      let leavesInit = false;
      if (initState === "init" && --instance.waitingScripts === 0) {
        leavesInit = true;
        if (instance.group !== undefined) instance.group.waitingMembers--;
      }
      if (isGood === isReversed) instance.fail();
      else if (instance.waitingScripts === 0 && initState !== "init-reload" && (instance.group?.waitingMembers ?? 0) === 0) instance.recover(leavesInit);
      return;
    }
    const sign = isReversed ? -1 : 1;
    if (this.#isFresh) {
      if (isGood === weight > 0) instance.totalPriority += weight * sign;
    } else instance.totalPriority += (isGood ? 1 : -1) * Math.abs(weight) * sign;
    instance.settlePriority();
  }
}
