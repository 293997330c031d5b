/**
 * Where keepalived's lines go: syslog, which writes /var/log/messages here, and with `-n -l` standard error.
 *
 * keepalived v2.2.7 lib/logger.c. The lines of /var/log/messages have rsyslog's traditional form (RSYSLOG_TraditionalFileFormat).
 */

import { NS_PER_SECOND } from "../../base/time.ts";
import type { OutputStream } from "../command.ts";
import { FileError } from "../file-system.ts";
import type { Machine } from "../machine.ts";
import { calendarTime } from "../time-format.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MESSAGES = "/var/log/messages";
/** The file is cut when it gets longer than this many characters, as logrotate would. */
const MESSAGES_MAX = 16_000_000;

const two = (n: number): string => String(n).padStart(2, "0");

export interface DaemonLogOptions {
  /** `-D`, and `-D -D`. */
  readonly detail: number;
  /** `-G` turns it off. */
  readonly usesSyslog: boolean;
  /** Standard error, with `-n -l`. */
  readonly console: OutputStream | undefined;
}

export class DaemonLog {
  readonly detail: number;
  readonly #machine: Machine;
  readonly #options: DaemonLogOptions;
  readonly #identity: string;
  readonly #pid: number;

  constructor(machine: Machine, options: DaemonLogOptions, identity: string, pid: number) {
    this.#machine = machine;
    this.#options = options;
    this.detail = options.detail;
    this.#identity = identity;
    this.#pid = pid;
  }

  /** The same log for another process. */
  as(identity: string, pid: number): DaemonLog {
    return new DaemonLog(this.#machine, this.#options, identity, pid);
  }

  line(text: string): void {
    const machine = this.#machine;
    const time = calendarTime(machine.epochSeconds + Math.floor(machine.host.loop.nowNs / NS_PER_SECOND));
    const clock = `${two(time.hour)}:${two(time.minute)}:${two(time.second)}`;
    const date = `${MONTHS[time.month - 1]} ${String(time.day).padStart(2, " ")}`;
    this.#options.console?.write(`${WEEKDAYS[time.weekday]} ${date} ${clock} ${time.year}: ${text}\n`);
    if (!this.#options.usesSyslog) return;
    try {
      const { files } = machine;
      const isLong = (files.status(MESSAGES)?.sizeBytes ?? 0) > MESSAGES_MAX;
      const entry = `${date} ${clock} ${machine.hostname} ${this.#identity}[${this.#pid}]: ${text}\n`;
      if (isLong || !files.exists(MESSAGES)) files.write(MESSAGES, entry);
      else files.append(MESSAGES, entry);
    } catch (error) {
      // A log that cannot be written stops nobody.
      if (!(error instanceof FileError)) throw error;
    }
  }

  /** Lines that only `-D` shows. */
  detailed(text: string): void {
    if (this.detail > 0) this.line(text);
  }
}
