/**
 * The meter that curl draws on standard error while it transfers: a row at the start, one a second, one at the end.
 *
 * curl 7.88.1 lib/progress.c (progress_meter, max5data, time2str).
 */

import { NS_PER_SECOND, NS_PER_US } from "../../../base/time.ts";
import { Timer } from "../../../kernel/timer.ts";
import type { CommandContext } from "../../command.ts";
import type { TransferReport } from "./write-out.ts";

const METER_HEAD =
  "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n                                 Dload  Upload   Total   Spent    Left  Speed\n";
const NO_TIME = "--:--:--";

export class ProgressMeter {
  readonly #context: CommandContext;
  readonly #report: TransferReport;
  readonly #timer: Timer;
  readonly #startNs: number;

  /** Draws the head and the first row, then a row each second until `finish` or `stop`. */
  constructor(context: CommandContext, report: TransferReport) {
    const { loop } = context.machine.host;
    this.#context = context;
    this.#report = report;
    this.#startNs = loop.nowNs;
    this.#timer = new Timer(loop, { onEvent: () => this.#tick() });
    context.onExit(() => this.stop());
    context.stderr.write(`${METER_HEAD}${this.#row(false)}`);
    // What is due at a full second, such as a time limit, comes before the row.
    this.#timer.arm(NS_PER_SECOND + NS_PER_US);
  }

  /** The last row. */
  finish(isComplete: boolean): void {
    this.stop();
    this.#context.stderr.write(`${this.#row(isComplete)}\n`);
  }

  stop(): void {
    this.#timer.disarm();
  }

  #tick(): void {
    this.#context.stderr.write(this.#row(false));
    this.#timer.arm(NS_PER_SECOND);
  }

  #row(isComplete: boolean): string {
    const { bodyBytes, uploadBytes, expectedBytes } = this.#report;
    const spentNs = this.#context.machine.host.loop.nowNs - this.#startNs;
    const spent = Math.trunc(spentNs / NS_PER_SECOND);
    const perSecond = (bytes: number): number => (spentNs > 0 ? Math.trunc((bytes * NS_PER_SECOND) / spentNs) : 0);
    const speed = perSecond(bodyBytes);
    const upSpeed = perSecond(uploadBytes);
    const toReceive = expectedBytes ?? 0;
    const total = (expectedBytes ?? bodyBytes) + uploadBytes;
    const percent = (bytes: number, of: number): number => (of > 0 ? Math.min(100, Math.trunc((bytes * 100) / of)) : 0);
    const allTime = toReceive > 0 && speed > 0 ? Math.trunc(toReceive / speed) : 0;
    const left = isComplete || allTime <= spent ? 0 : allTime - spent;
    const columns = [
      `${pad3(percent(bodyBytes + uploadBytes, total))} ${size5(total)}`,
      `${pad3(percent(bodyBytes, toReceive))} ${size5(bodyBytes)}`,
      `${pad3(percent(uploadBytes, uploadBytes))} ${size5(uploadBytes)}`,
      size5(speed),
      `${size5(upSpeed)} ${clock(allTime)} ${clock(spent)} ${clock(left)} ${size5(speed + upSpeed)}`,
    ];
    return `\r${columns.join("  ")}`;
  }
}

function pad3(value: number): string {
  return String(value).padStart(3);
}

/** lib/progress.c:time2str for less than a day. */
function clock(seconds: number): string {
  if (seconds <= 0) return NO_TIME;
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${String(Math.trunc(seconds / 3600)).padStart(2)}:${two(Math.trunc(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** lib/progress.c:max5data. */
function size5(bytes: number): string {
  if (bytes < 100_000) return String(bytes).padStart(5);
  if (bytes < 10_000 * 1024) return `${String(Math.trunc(bytes / 1024)).padStart(4)}k`;
  if (bytes < 100 * 1024 * 1024)
    return `${String(Math.trunc(bytes / (1024 * 1024))).padStart(2)}.${Math.trunc((bytes % (1024 * 1024)) / ((1024 * 1024) / 10))}M`;
  return `${String(Math.trunc(bytes / (1024 * 1024))).padStart(4)}M`;
}
