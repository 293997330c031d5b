/**
 * What every healthchecker has at hand, and what they have in common.
 */

import type { RandomStream } from "../../../kernel/random.ts";
import type { Checker, ConnectOptions, GlobalConfig } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";
import type { DaemonProcess } from "../daemon-process.ts";
import type { ScriptRunner } from "../script-runner.ts";
import type { ServerStates } from "./server-states.ts";

export interface CheckContext {
  readonly daemon: DaemonProcess;
  readonly log: DaemonLog;
  readonly states: ServerStates;
  readonly scripts: ScriptRunner;
  readonly global: GlobalConfig;
  readonly random: RandomStream;
  /** Files that are open: closed when the process ends or reads its configuration again. */
  readonly open: Set<{ close(): void }>;
}

/** A healthchecker: runs one check at a time, for ever. */
export interface CheckRunner {
  begin(): void;
}

export interface CheckTimes {
  readonly retry: number;
  readonly delayLoopUs: number;
  readonly delayBeforeRetryUs: number;
  readonly connectTimeoutUs: number;
}

const DEFAULT_DELAY_LOOP_US = 60_000_000;
const DEFAULT_CONNECT_TIMEOUT_US = 5_000_000;

export function checkTimes(checker: Checker): CheckTimes {
  const delayLoopUs = checker.delayLoopUs ?? DEFAULT_DELAY_LOOP_US;
  return {
    retry: checker.retry ?? 0,
    delayLoopUs,
    delayBeforeRetryUs: checker.delayBeforeRetryUs ?? delayLoopUs,
    connectTimeoutUs: checker.connect?.connectTimeoutUs ?? DEFAULT_CONNECT_TIMEOUT_US,
  };
}

export function logsFailures(checker: Checker, context: CheckContext): boolean {
  return checker.isUp && (context.global.logsAllCheckerFailures || checker.logsAllFailures);
}

/** keepalived's payload: its motto, over and over. */
export function fillerBytes(length: number): Uint8Array {
  const motto = "keepalived check - ";
  return Uint8Array.from({ length }, (_, i) => motto.charCodeAt(i % motto.length));
}

export function connectOf(checker: Checker): ConnectOptions {
  return checker.connect ?? { destination: checker.real.address, bindTo: undefined, bindPort: 0, bindDevice: undefined, connectTimeoutUs: undefined, mark: 0 };
}
