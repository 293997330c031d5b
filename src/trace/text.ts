/**
 * One line a frame, as `tcpdump -n` prints it, with the five ways of showing its time.
 *
 * tcpdump 4.99.3 util-print.c (ts_print). Times of day are UTC: a simulated machine has no other zone.
 */

import { formatSeconds } from "../base/time.ts";
import { formatEthernet } from "../wire/ethernet.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import { EthernetFrame, type Ipv4Packet } from "../wire/packet.ts";
import { PLAIN, type PrintOptions } from "../wire/print.ts";

/** `clock` 09:30:00.123456, `none`, `seconds` 1700000000.123456, `delta` since the line before, `date` with the day, `elapsed` since the first line. */
export type TimeStyle = "clock" | "none" | "seconds" | "delta" | "date" | "elapsed";

const SECONDS_PER_DAY = 86_400;

/** Writes the times of successive lines. */
export class TimeColumn {
  readonly #style: TimeStyle;
  #reference: { readonly seconds: number; readonly micros: number } | undefined;

  constructor(style: TimeStyle) {
    this.#style = style;
  }

  /** The column with the blank behind it, for a wall-clock time. */
  next(seconds: number, nanoseconds: number): string {
    const micros = Math.floor(nanoseconds / 1000);
    switch (this.#style) {
      case "none":
        return "";
      case "seconds":
        return `${seconds}.${sixDigits(micros)} `;
      case "clock":
        return `${clockText(seconds)}.${sixDigits(micros)} `;
      case "date":
        return `${dateText(seconds)} ${clockText(seconds)}.${sixDigits(micros)} `;
      case "delta":
      case "elapsed":
        return this.#difference(seconds, micros);
    }
  }

  #difference(seconds: number, micros: number): string {
    const reference = this.#reference ?? { seconds, micros };
    if (this.#style === "delta" || this.#reference === undefined) this.#reference = { seconds, micros };
    const difference = (seconds - reference.seconds) * 1_000_000 + micros - reference.micros;
    const size = Math.abs(difference);
    return `${difference < 0 ? "-" : " "}${clockText(Math.floor(size / 1_000_000))}.${sixDigits(size % 1_000_000)} `;
  }
}

function sixDigits(micros: number): string {
  return String(micros).padStart(6, "0");
}

function clockText(seconds: number): string {
  const ofDay = ((seconds % SECONDS_PER_DAY) + SECONDS_PER_DAY) % SECONDS_PER_DAY;
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.floor(ofDay / 3600))}:${two(Math.floor(ofDay / 60) % 60)}:${two(ofDay % 60)}`;
}

/** The proleptic Gregorian date of a day number since 1970, without a Date object (H. Hinnant, "chrono-compatible low-level date algorithms"). */
function dateText(seconds: number): string {
  const z = Math.floor(seconds / SECONDS_PER_DAY) + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${year}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
}

/** The line without its time. On lo and tunnel devices there is no link header to show. */
export function formatCaptured(what: EthernetFrame | Ipv4Packet, options: PrintOptions = PLAIN): string {
  return what instanceof EthernetFrame ? formatEthernet(what, options) : formatIpv4(what, { ...options, isLinkShown: false });
}

/** `+0.000120 director:eth0 > IP 10.0.0.2.40001 > 10.0.0.100.80: Flags [S] ...`: a frame in a log of many hosts. */
export function formatFrameLine(options: {
  readonly timeNs: number;
  readonly host: string;
  readonly device: string;
  readonly direction: "in" | "out";
  readonly what: EthernetFrame | Ipv4Packet;
  readonly print?: PrintOptions;
}): string {
  const { timeNs, host, device, direction, what, print } = options;
  const sign = timeNs < 0 ? "-" : "+";
  return `${sign}${formatSeconds(Math.abs(timeNs))} ${host}:${device} ${direction === "out" ? ">" : "<"} ${formatCaptured(what, print)}`;
}
