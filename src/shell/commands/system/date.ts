/**
 * date: simulated wall-clock time, in UTC.
 *
 * GNU coreutils 9.1 src/date.c, strftime(3) in the C locale. Setting the clock is refused.
 */

import { NS_PER_SECOND } from "../../../base/time.ts";
import type { Command, CommandContext } from "../../command.ts";
import type { Machine } from "../../machine.ts";
import { type CalendarTime, calendarTime, daysFromDate } from "../../time-format.ts";
import { fail, parseOptions, readFile, tool, usageError } from "../tools/support.ts";

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DEFAULT_FORMAT = "%a %b %e %H:%M:%S %Z %Y";
const DAY_SECONDS = 86400;
const WIDTH_MAX = 1024;

/** A moment: whole seconds since 1970 and nanoseconds. */
export interface Moment {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** ISO 8601 week and the year it belongs to. */
function isoWeek(calendar: CalendarTime): { readonly week: number; readonly year: number } {
  const weekday = (calendar.weekday + 6) % 7;
  const week = Math.floor((calendar.yearDay - weekday + 9) / 7);
  const weeksIn = (year: number): number => {
    const first = (((daysFromDate(year, 1, 1) + 3) % 7) + 7) % 7;
    const isLeap = daysFromDate(year + 1, 1, 1) - daysFromDate(year, 1, 1) === 366;
    return first === 3 || (isLeap && first === 2) ? 53 : 52;
  };
  if (week < 1) return { week: weeksIn(calendar.year - 1), year: calendar.year - 1 };
  if (week > weeksIn(calendar.year)) return { week: 1, year: calendar.year + 1 };
  return { week, year: calendar.year };
}

/** A field with its usual padding: `0` or `_` and the width. */
type Field = readonly [text: string | number, padding?: "0" | "_", width?: number];

function field(letter: string, moment: Moment, calendar: CalendarTime): Field | undefined {
  const { hour } = calendar;
  const hour12 = hour % 12 === 0 ? 12 : hour % 12;
  const nested = (format: string): Field => [formatMoment(format, moment)];
  switch (letter) {
    case "a": return [(DAYS[calendar.weekday] as string).slice(0, 3)];
    case "A": return [DAYS[calendar.weekday] as string];
    case "b":
    case "h": return [(MONTHS[calendar.month - 1] as string).slice(0, 3)];
    case "B": return [MONTHS[calendar.month - 1] as string];
    case "c": return nested("%a %b %e %H:%M:%S %Y");
    case "C": return [Math.floor(calendar.year / 100), "0", 2];
    case "d": return [calendar.day, "0", 2];
    case "D":
    case "x": return nested("%m/%d/%y");
    case "e": return [calendar.day, "_", 2];
    case "F": return nested("%Y-%m-%d");
    case "g": return [isoWeek(calendar).year % 100, "0", 2];
    case "G": return [isoWeek(calendar).year, "0", 4];
    case "H": return [hour, "0", 2];
    case "I": return [hour12, "0", 2];
    case "j": return [calendar.yearDay, "0", 3];
    case "k": return [hour, "_", 2];
    case "l": return [hour12, "_", 2];
    case "m": return [calendar.month, "0", 2];
    case "M": return [calendar.minute, "0", 2];
    case "n": return ["\n"];
    case "p": return [hour < 12 ? "AM" : "PM"];
    case "P": return [hour < 12 ? "am" : "pm"];
    case "q": return [Math.ceil(calendar.month / 3)];
    case "r": return nested("%I:%M:%S %p");
    case "R": return nested("%H:%M");
    case "s": return [moment.seconds];
    case "S": return [calendar.second, "0", 2];
    case "t": return ["\t"];
    case "T":
    case "X": return nested("%H:%M:%S");
    case "u": return [calendar.weekday === 0 ? 7 : calendar.weekday];
    case "U": return [Math.floor((calendar.yearDay + 6 - calendar.weekday) / 7), "0", 2];
    case "V": return [isoWeek(calendar).week, "0", 2];
    case "w": return [calendar.weekday];
    case "W": return [Math.floor((calendar.yearDay + 6 - ((calendar.weekday + 6) % 7)) / 7), "0", 2];
    case "y": return [calendar.year % 100, "0", 2];
    case "Y": return [calendar.year, "0", 4];
    case "z": return ["+0000"];
    case "Z": return ["UTC"];
    case "%": return ["%"];
    default: return undefined;
  }
}

/** strftime(3) with GNU date's flags `-_0^#`, a width, %N and %:z. */
export function formatMoment(format: string, moment: Moment): string {
  const calendar = calendarTime(moment.seconds);
  return format.replace(/%([-_0^#]*)(\d*)(:{0,3}z|[EO]?[a-zA-Z%])/g, (whole, flags: string, widthText: string, conversion: string) => {
    const width = Math.min(Number(widthText), WIDTH_MAX);
    if (conversion.endsWith("z") && conversion.startsWith(":")) return conversion === ":z" ? "+00:00" : conversion === "::z" ? "+00:00:00" : "+00";
    const letter = conversion.at(-1) as string;
    if (letter === "N") return String(moment.nanoseconds).padStart(9, "0").slice(0, widthText === "" ? 9 : width);
    const found = field(letter, moment, calendar);
    if (found === undefined) return whole;
    const [value, padding, usual] = found;
    let text = String(value);
    if (flags.includes("^")) text = text.toUpperCase();
    else if (flags.includes("#")) text = letter === "p" || letter === "Z" ? text.toLowerCase() : text.toUpperCase();
    if (flags.includes("-")) return text;
    const isNumber = typeof value === "number";
    const fill = flags.includes("0") ? "0" : flags.includes("_") ? " " : padding === "0" || (isNumber && padding === undefined) ? "0" : " ";
    return text.padStart(Math.max(width, usual ?? 0), fill);
  });
}

export function momentNow(machine: Machine): Moment {
  const { nowNs } = machine.host.loop;
  const whole = Math.floor(nowNs / NS_PER_SECOND);
  return { seconds: machine.epochSeconds + whole, nanoseconds: nowNs - whole * NS_PER_SECOND };
}

export function dateLine(machine: Machine, format = DEFAULT_FORMAT): string {
  return formatMoment(format, momentNow(machine));
}

/** `@SECONDS`, `YYYY-MM-DD [HH:MM[:SS]]`, `now`, and `+N UNIT` or `N UNIT ago` behind; undefined when it is none of these. */
export function parseDate(text: string, now: Moment): Moment | undefined {
  const stamp = /^@(-?\d+)(?:\.(\d{1,9}))?$/.exec(text.trim());
  if (stamp !== null) return { seconds: Number(stamp[1]), nanoseconds: Number((stamp[2] ?? "0").padEnd(9, "0")) };
  const match =
    /^(?:(now|today|yesterday|tomorrow)|(\d{4})-(\d\d?)-(\d\d?)(?:[T ]+(\d\d?):(\d\d)(?::(\d\d))?)?)?\s*(?:UTC|Z)?\s*(?:([-+]?)\s*(\d+)\s*(second|sec|minute|min|hour|day|week)s?(\s+ago)?)?$/i.exec(text.trim());
  if (match === null || text.trim() === "") return undefined;
  let { seconds, nanoseconds } = now;
  if (match[1] !== undefined) seconds += match[1].toLowerCase() === "yesterday" ? -DAY_SECONDS : match[1].toLowerCase() === "tomorrow" ? DAY_SECONDS : 0;
  else if (match[2] !== undefined) {
    const month = Number(match[3]);
    const day = Number(match[4]);
    if (month < 1 || month > 12 || day < 1 || day > daysFromDate(Number(match[2]) + (month === 12 ? 1 : 0), (month % 12) + 1, 1) - daysFromDate(Number(match[2]), month, 1)) return undefined;
    seconds = daysFromDate(Number(match[2]), month, day) * DAY_SECONDS + Number(match[5] ?? 0) * 3600 + Number(match[6] ?? 0) * 60 + Number(match[7] ?? 0);
    nanoseconds = 0;
  }
  if (match[9] !== undefined) {
    const scale = { s: 1, m: 60, h: 3600, d: DAY_SECONDS, w: 7 * DAY_SECONDS }[(match[10] as string)[0]?.toLowerCase() as "s" | "m" | "h" | "d" | "w"];
    seconds += Number(match[9]) * scale * ((match[8] === "-") !== (match[11] !== undefined) ? -1 : 1);
  }
  return { seconds, nanoseconds };
}

/** What `date -s` takes beyond parseDate: a time of day alone. */
function parseSetting(text: string, now: Moment): Moment | undefined {
  const clock = /^\s*(\d\d?):(\d\d)(?::(\d\d))?\s*$/.exec(text);
  if (clock === null) return parseDate(text.replace(/^(\d{4})\/(\d\d?)\/(\d\d?)/, "$1-$2-$3").replace(/^(\d{4})(\d\d)(\d\d)(?=\s|$)/, "$1-$2-$3"), now);
  if (Number(clock[1]) > 23 || Number(clock[2]) > 59 || Number(clock[3] ?? 0) > 59) return undefined;
  return { seconds: Math.floor(now.seconds / DAY_SECONDS) * DAY_SECONDS + Number(clock[1]) * 3600 + Number(clock[2]) * 60 + Number(clock[3] ?? 0), nanoseconds: 0 };
}

/** `MMDDhhmm[[CC]YY][.ss]`, as POSIX has it. */
function parseStamp(text: string, now: Moment): Moment | undefined {
  const match = /^(\d\d)(\d\d)(\d\d)(\d\d)(?:(\d\d)?(\d\d))?(?:\.(\d\d))?$/.exec(text);
  if (match === null) return undefined;
  const [, month, day, hour, minute, century, short, second = "00"] = match;
  const year = short === undefined ? calendarTime(now.seconds).year : century === undefined ? Number(short) + (Number(short) < 69 ? 2000 : 1900) : Number(century) * 100 + Number(short);
  return parseDate(`${year}-${month}-${day} ${hour}:${minute}:${second}`, now);
}

/**
 * settimeofday(2). The clock of a machine is the simulation's, moved by whole seconds: a new time starts with the fraction that the second
 * has already.
 */
function setClock(context: CommandContext, moment: Moment | undefined, text: string): number {
  if (moment === undefined) return fail(context, `invalid date '${text}'`);
  const { machine } = context;
  machine.epochSeconds += moment.seconds - momentNow(machine).seconds;
  context.stdout.write(`${formatMoment(DEFAULT_FORMAT, { seconds: moment.seconds, nanoseconds: 0 })}\n`);
  return 0;
}

const ISO_FORMATS: Readonly<Record<string, string>> = {
  "": "%F", date: "%F", hours: "%FT%H%:z", minutes: "%FT%H:%M%:z", seconds: "%FT%T%:z", ns: "%FT%T,%N%:z",
};
const LONG = { "date=": "d", "file=": "f", "iso-8601": "I", "rfc-email": "R", "rfc-2822": "R", "rfc-3339=": "3", "reference=": "r", "set=": "s", utc: "u", universal: "u" };

function runDate(context: CommandContext): number {
  const args = context.args.map((word) => word.replace(/^--iso-8601=/, "-I"));
  const options = parseOptions(args, "d:f:I::Rr:s:u", LONG);
  const set = options.value("s");
  if (set !== undefined) return setClock(context, parseSetting(set, momentNow(context.machine)), set);
  if (options.has("f")) return fail(context, "-f is not simulated");
  let moment = momentNow(context.machine);
  const reference = options.value("r");
  if (reference !== undefined) {
    const result = readFile(context, reference);
    const status = context.machine.files.status(context.machine.files.resolve(context.cwd, reference));
    if (status === undefined) return fail(context, `${reference}: ${"error" in result ? result.error : "No such file or directory"}`);
    moment = { seconds: context.machine.epochSeconds + Math.floor(status.modifiedAtNs / NS_PER_SECOND), nanoseconds: status.modifiedAtNs % NS_PER_SECOND };
  }
  const wanted = options.value("d");
  if (wanted !== undefined) {
    const parsed = parseDate(wanted, moment);
    if (parsed === undefined) return fail(context, `lvsim: the date '${wanted}' is not understood here (known: @SECONDS, YYYY-MM-DD [HH:MM[:SS]], now, N UNIT [ago])`);
    moment = parsed;
  }
  const [first, second] = options.operands;
  if (second !== undefined) return usageError(context, `extra operand '${second}'`, 1);
  if (first !== undefined && !first.startsWith("+")) return setClock(context, parseStamp(first, momentNow(context.machine)), first);
  const iso = options.value("I");
  const isoFormat = iso === undefined ? undefined : ISO_FORMATS[iso];
  if (iso !== undefined && isoFormat === undefined) return usageError(context, `invalid argument '${iso}' for '--iso-8601'`, 1);
  const rfc3339 = options.has("3") ? (ISO_FORMATS[options.value("3") as string] ?? "%F").replace("T%", " %").replace(",", ".") : undefined;
  const format = first?.slice(1) ?? isoFormat ?? rfc3339 ?? (options.has("R") ? "%a, %d %b %Y %H:%M:%S %z" : DEFAULT_FORMAT);
  context.stdout.write(`${formatMoment(format, moment)}\n`);
  return 0;
}

export const dateCommand: Command = tool("/usr/bin/date", 1, runDate);
