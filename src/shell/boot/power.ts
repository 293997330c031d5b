/**
 * Turning a machine off in good order: everybody is asked to end, then made to, then the power goes.
 *
 * systemd 252 shutdown.c (broadcast_signal: SIGTERM, then SIGKILL after DefaultTimeoutStopSec), util-linux and systemd's reboot(8), halt(8).
 */

import { NS_PER_MS, NS_PER_SECOND } from "../../base/time.ts";
import type { EventTarget } from "../../kernel/event-loop.ts";
import type { Machine, PowerAction } from "../machine.ts";

/** systemctl returns before the first unit is stopped. */
const BEGIN_NS = 100 * NS_PER_MS;
const POLL_NS = 100 * NS_PER_MS;
const PATIENCE_NS = 90 * NS_PER_SECOND;

class Shutdown implements EventTarget {
  readonly #machine: Machine;
  readonly #action: PowerAction;
  #startedNs = -1;

  constructor(machine: Machine, action: PowerAction) {
    this.#machine = machine;
    this.#action = action;
    machine.host.loop.after(BEGIN_NS, this);
  }

  onEvent(): void {
    const { processes, host } = this.#machine;
    const others = processes.list.filter(({ pid }) => pid !== 1);
    const isFirst = this.#startedNs < 0;
    if (isFirst) {
      this.#startedNs = host.loop.nowNs;
      for (const process of [...others].reverse()) {
        processes.kill(process.pid, "TERM");
        processes.kill(process.pid, "CONT");
        // A login shell ignores SIGTERM and obeys SIGHUP.
        if (process.args[0] === "-bash" && process.isAlive) processes.kill(process.pid, "HUP");
      }
    }
    const isLate = host.loop.nowNs - this.#startedNs >= PATIENCE_NS;
    if (!isLate && (isFirst || processes.list.some(({ pid }) => pid !== 1))) {
      host.loop.after(POLL_NS, this);
      return;
    }
    this.#machine.onPower?.(this.#action);
  }
}

/** Starts to shut down; the power goes once every process has ended, at the latest after 90 s. */
export function shutDown(machine: Machine, action: PowerAction): void {
  new Shutdown(machine, action);
}
