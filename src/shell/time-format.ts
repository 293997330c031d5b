/**
 * strftime(3) in the C locale, UTC: what date, printf %()T and log lines use.
 */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const SECONDS_PER_DAY = 86400;

export interface CalendarTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  /** 1 to 366. */
  readonly yearDay: number;
}

/** Days since 1970 of a date in the Gregorian calendar. */
export function daysFromDate(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719468;
}

export function calendarTime(epochSeconds: number): CalendarTime {
  const days = Math.floor(epochSeconds / SECONDS_PER_DAY);
  const rest = epochSeconds - days * SECONDS_PER_DAY;
  const shifted = days + 719468;
  const era = Math.floor(shifted / 146097);
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return {
    year,
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: Math.floor(rest) % 60,
    weekday: (((days + 4) % 7) + 7) % 7,
    yearDay: days - daysFromDate(year, 1, 1) + 1,
  };
}

function pad(value: number, width = 2, fill = "0"): string {
  return String(value).padStart(width, fill);
}

/** ISO 8601 week and its year. */
function isoWeek(time: CalendarTime): { readonly week: number; readonly year: number } {
  const weekday = (time.weekday + 6) % 7;
  const days = daysFromDate(time.year, 1, 1) + time.yearDay - 1;
  const thursday = calendarTime((days - weekday + 3) * SECONDS_PER_DAY);
  return { week: Math.floor((thursday.yearDay - 1) / 7) + 1, year: thursday.year };
}

/** Formats a time; `nanoseconds` is for date's %N. Unknown conversions stay as they are. */
export function formatTime(format: string, epochSeconds: number, nanoseconds = 0): string {
  const time = calendarTime(epochSeconds);
  return format.replace(/%([-_0^#]*)(\d*)(:{0,3}z|E?[A-Za-z%+])/g, (whole, flags: string, width: string, conversion: string) => {
    const plain = convert(conversion.replace(/^E/, ""), time, epochSeconds, nanoseconds);
    if (plain === undefined) return whole;
    let text = plain;
    if (flags.includes("-")) text = text.replace(/^[0 ]+(?=\d)/, "");
    if (flags.includes("_")) text = text.replace(/^0+(?=\d)/, (zeros) => " ".repeat(zeros.length));
    if (flags.includes("^")) text = text.toUpperCase();
    if (flags.includes("#")) text = text.toLowerCase();
    if (conversion === "N") return width === "" ? text : text.slice(0, Number(width));
    return width === "" ? text : text.padStart(Math.min(Number(width), 1000), /^\d/.test(plain) ? "0" : " ");
  });
}

function convert(conversion: string, time: CalendarTime, epochSeconds: number, nanoseconds: number): string | undefined {
  const again = (format: string): string => formatTime(format, epochSeconds, nanoseconds);
  const hour12 = time.hour % 12 === 0 ? 12 : time.hour % 12;
  switch (conversion) {
    case "%": return "%";
    case "n": return "\n";
    case "t": return "\t";
    case "a": return (DAYS[time.weekday] as string).slice(0, 3);
    case "A": return DAYS[time.weekday];
    case "b":
    case "h": return (MONTHS[time.month - 1] as string).slice(0, 3);
    case "B": return MONTHS[time.month - 1];
    case "c": return again("%a %b %e %H:%M:%S %Y");
    case "C": return pad(Math.floor(time.year / 100));
    case "d": return pad(time.day);
    case "D":
    case "x": return again("%m/%d/%y");
    case "e": return pad(time.day, 2, " ");
    case "F": return again("%Y-%m-%d");
    case "g": return pad(isoWeek(time).year % 100);
    case "G": return String(isoWeek(time).year);
    case "H": return pad(time.hour);
    case "I": return pad(hour12);
    case "j": return pad(time.yearDay, 3);
    case "k": return pad(time.hour, 2, " ");
    case "l": return pad(hour12, 2, " ");
    case "m": return pad(time.month);
    case "M": return pad(time.minute);
    case "N": return pad(nanoseconds, 9);
    case "p": return time.hour < 12 ? "AM" : "PM";
    case "P": return time.hour < 12 ? "am" : "pm";
    case "q": return String(Math.ceil(time.month / 3));
    case "r": return again("%I:%M:%S %p");
    case "R": return again("%H:%M");
    case "s": return String(epochSeconds);
    case "S": return pad(time.second);
    case "T":
    case "X": return again("%H:%M:%S");
    case "u": return String(time.weekday === 0 ? 7 : time.weekday);
    case "U": return pad(Math.floor((time.yearDay + 6 - time.weekday) / 7));
    case "V": return pad(isoWeek(time).week);
    case "w": return String(time.weekday);
    case "W": return pad(Math.floor((time.yearDay + 6 - ((time.weekday + 6) % 7)) / 7));
    case "y": return pad(time.year % 100);
    case "Y": return String(time.year);
    case "z": return "+0000";
    case ":z": return "+00:00";
    case "::z": return "+00:00:00";
    case "Z": return "UTC";
    case "+": return again("%a %b %e %H:%M:%S %Z %Y");
    default: return undefined;
  }
}
