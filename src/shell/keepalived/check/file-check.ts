/**
 * FILE_CHECK: numbers in files take real servers out or change their weights.
 *
 * keepalived v2.2.7 check/check_file.c, trackers/track_file.c (process_update_checker_track_file_status).
 */

import { formatReal } from "../config/addresses.ts";
import { setCheckerState } from "../config/check-validate.ts";
import { Checker, type CheckConfig, type FileTracking, type TrackedFile } from "../config/model.ts";
import type { ConfigReport } from "../config/report.ts";
import type { DaemonLog } from "../daemon-log.ts";
import type { DaemonProcess } from "../daemon-process.ts";
import { FileWatch } from "../file-tracking.ts";
import type { ServerStates } from "./server-states.ts";

const WEIGHT_MAX = 2_147_483_647;
const WEIGHT_FAULT = -WEIGHT_MAX - 1;

/** What a number makes of the weight; at the fault value the server is out. */
function effectOf(tracking: FileTracking, status: number): number {
  const sign = tracking.isReversed ? -1 : 1;
  if (tracking.weight === 0) return (status === 0) === tracking.isReversed ? WEIGHT_FAULT : 0;
  return Math.max(WEIGHT_FAULT, Math.min(WEIGHT_MAX, status * tracking.weight * sign));
}

const trackingOf = (checker: Checker): FileTracking | undefined => (checker.kind.type === "FILE_CHECK" ? checker.kind.tracking : undefined);

export class FileChecks {
  readonly #watch: FileWatch;
  readonly #log: DaemonLog;
  readonly #states: () => ServerStates | undefined;
  #checkers: readonly Checker[] = [];

  constructor(daemon: DaemonProcess, log: DaemonLog, states: () => ServerStates | undefined) {
    this.#log = log;
    this.#states = states;
    this.#watch = new FileWatch({ daemon, log, onChange: (file, status) => this.#changed(file, status) });
  }

  /** Every FILE_CHECK becomes a checker, and its file is read. */
  prepare(config: CheckConfig, report: ConfigReport): void {
    for (const server of config.servers) {
      for (const real of server.realServers) {
        for (const { file, weight, isReversed } of real.trackFiles) {
          if (file === undefined) continue;
          const checker = new Checker({ server, real, kind: { type: "FILE_CHECK", tracking: { file, weight: weight ?? file.weight, isReversed } }, connects: false });
          checker.hasRun = true;
          checker.isAlpha = false;
          config.checkers.push(checker);
        }
      }
    }
    this.#checkers = config.checkers.filter((checker) => checker.kind.type === "FILE_CHECK");
    this.#watch.start([...new Set(this.#checkers.map((checker) => trackingOf(checker)?.file as TrackedFile))], report);
    for (const checker of this.#checkers) {
      const tracking = trackingOf(checker) as FileTracking;
      if (tracking.weight !== 0) checker.currentWeight = effectOf(tracking, tracking.file.status);
    }
  }

  /** Servers that their files take out from the start. */
  settle(): void {
    for (const checker of this.#checkers) {
      const tracking = trackingOf(checker) as FileTracking;
      if (tracking.file.status === 0 || effectOf(tracking, tracking.file.status) !== WEIGHT_FAULT) continue;
      setCheckerState(checker, false);
      checker.currentWeight = 0;
    }
  }

  stop(): void {
    this.#watch.stop();
  }

  #changed(file: TrackedFile, status: number): void {
    for (const checker of this.#checkers) {
      const tracking = trackingOf(checker);
      if (tracking?.file !== file) continue;
      const before = effectOf(tracking, file.status);
      const after = effectOf(tracking, status);
      if (before !== after) this.#apply(checker, file, before, after);
    }
  }

  #apply(checker: Checker, file: TrackedFile, before: number, after: number): void {
    const { real, server } = checker;
    const states = this.#states();
    const name = formatReal(real, server);
    if (after === WEIGHT_FAULT) {
      this.#log.detailed(`(${name}): tracked file ${file.name} now FAULT state`);
      states?.checked(false, checker);
      real.effectiveWeight -= checker.currentWeight;
      checker.currentWeight = 0;
    } else if (before === WEIGHT_FAULT) {
      this.#log.detailed(`(${name}): tracked file ${file.name} leaving FAULT state`);
      checker.currentWeight = after;
      real.effectiveWeight += after;
      states?.checked(true, checker);
    } else {
      states?.setWeight(real.effectiveWeight + after - before, server, real, true);
      checker.currentWeight = after;
    }
  }
}
