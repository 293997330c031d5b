/**
 * printf as bash (and /usr/bin/printf) formats: the format is used again until the arguments are gone.
 */

import { backslashQuote, unescapeEcho } from "./quoting.ts";

const OUTPUT_MAX = 4_000_000;
const WIDTH_MAX = 1_000_000;

export interface PrintfResult {
  readonly text: string;
  readonly status: number;
}

interface Directive {
  readonly flags: string;
  readonly width: number | undefined;
  readonly precision: number | undefined;
  readonly conversion: string;
  /** The format of %(...)T. */
  readonly timeFormat: string | undefined;
  readonly end: number;
}

export interface PrintfHooks {
  /** Without the name of who complains. */
  complain(message: string): void;
  formatTime(format: string, seconds: number | undefined): string;
  /** How an unknown conversion is told: bash and coreutils differ. */
  invalidConversion(directive: string, character: string): string;
}

export function formatPrintf(format: string, args: readonly string[], hooks: PrintfHooks): PrintfResult {
  return new Printf(format, args, hooks).run();
}

class Printf {
  readonly #format: string;
  readonly #args: readonly string[];
  readonly #hooks: PrintfHooks;
  #next = 0;
  #status = 0;
  #out: string[] = [];
  #length = 0;
  #isCut = false;

  constructor(format: string, args: readonly string[], hooks: PrintfHooks) {
    this.#format = format;
    this.#args = args;
    this.#hooks = hooks;
  }

  run(): PrintfResult {
    do {
      const before = this.#next;
      if (!this.#pass() || this.#isCut) break;
      if (this.#next === before) break;
    } while (this.#next < this.#args.length && this.#length < OUTPUT_MAX);
    return { text: this.#out.join(""), status: this.#status };
  }

  #put(text: string): void {
    this.#out.push(text);
    this.#length += text.length;
  }

  #argument(): string | undefined {
    return this.#args[this.#next++];
  }

  /** One time through the format; false when it has to stop. */
  #pass(): boolean {
    const format = this.#format;
    for (let i = 0; i < format.length; ) {
      const percent = format.indexOf("%", i);
      const literal = format.slice(i, percent < 0 ? undefined : percent);
      this.#put(literal.includes("\\") ? unescapeEcho(literal, false, false).text : literal);
      if (percent < 0) break;
      if (format[percent + 1] === "%") {
        this.#put("%");
        i = percent + 2;
        continue;
      }
      const directive = this.#directive(percent);
      if (directive === undefined) return false;
      this.#convert(directive);
      if (this.#isCut) return false;
      i = directive.end;
    }
    return true;
  }

  #directive(start: number): Directive | undefined {
    const match = /^%([-+ #0']*)(\*|\d+)?(?:\.(\*|-?\d*))?(?:hh|h|ll|l|L|j|z|t)?(?:\(([^)]*)\)(?=T))?([\s\S])?/.exec(this.#format.slice(start));
    const conversion = match?.[5];
    if (match === null || conversion === undefined || !"diouxXeEfFgGaAcsbqT".includes(conversion) || (conversion === "T") !== (match[4] !== undefined)) {
      this.#hooks.complain(
        conversion === undefined || conversion === ""
          ? `\`${this.#format.slice(start)}': missing format character`
          : this.#hooks.invalidConversion(match?.[0] ?? "%", conversion),
      );
      this.#status = 1;
      return undefined;
    }
    let flags = match[1] as string;
    let width = match[2] === undefined ? undefined : match[2] === "*" ? Number(this.#integer(this.#argument())) : Number(match[2]);
    if (width !== undefined && width < 0) {
      flags += "-";
      width = -width;
    }
    const given = match[3];
    const precision = given === undefined ? undefined : given === "*" ? Number(this.#integer(this.#argument())) : Number(given || "0");
    return {
      flags,
      width: width === undefined ? undefined : Math.min(width, WIDTH_MAX),
      precision: precision === undefined || precision < 0 ? undefined : Math.min(precision, WIDTH_MAX),
      conversion,
      timeFormat: match[4],
      end: start + match[0].length,
    };
  }

  #convert(directive: Directive): void {
    const { conversion, precision } = directive;
    switch (conversion) {
      case "s": {
        const text = this.#argument() ?? "";
        this.#pad(directive, precision === undefined ? text : text.slice(0, precision));
        return;
      }
      case "c":
        this.#pad(directive, (this.#argument() || "\0").slice(0, 1));
        return;
      case "b": {
        const { text, isCut } = unescapeEcho(this.#argument() ?? "", true);
        this.#pad(directive, precision === undefined ? text : text.slice(0, precision));
        this.#isCut = isCut;
        return;
      }
      case "q":
        this.#pad(directive, backslashQuote(this.#argument() ?? ""));
        return;
      case "T": {
        const text = this.#argument();
        const seconds = text === undefined || text === "-1" || text === "-2" ? undefined : Number(this.#integer(text));
        this.#pad(directive, this.#hooks.formatTime(directive.timeFormat === "" ? "%H:%M:%S" : (directive.timeFormat as string), seconds));
        return;
      }
      default:
        if ("diouxX".includes(conversion)) this.#putInteger(directive, this.#integer(this.#argument()));
        else this.#putFloat(directive, this.#float(this.#argument()));
    }
  }

  #pad(directive: Directive, text: string): void {
    const width = directive.width ?? 0;
    this.#put(directive.flags.includes("-") ? text.padEnd(width) : text.padStart(width));
  }

  #bad(text: string): void {
    this.#hooks.complain(text);
    this.#status = 1;
  }

  #integer(text: string | undefined): bigint {
    if (text === undefined || text === "") return 0n;
    if (text.startsWith("'") || text.startsWith('"')) return BigInt(text.charCodeAt(1) || 0);
    const match = /^\s*([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/.exec(text);
    if (match === null) {
      this.#bad(`${text}: invalid number`);
      return 0n;
    }
    const digits = match[2] as string;
    const magnitude = /^0[xX]/.test(digits) ? BigInt(digits) : /^0./.test(digits) ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits);
    const value = match[1] === "-" ? -magnitude : magnitude;
    if (match[0].length < text.length) this.#bad(`${text}: invalid number`);
    const max = 0x7fffffffffffffffn;
    if (value <= max && value >= -max - 1n) return value;
    this.#hooks.complain(`warning: ${text}: Numerical result out of range`);
    return value > 0n ? max : -max - 1n;
  }

  #float(text: string | undefined): number {
    if (text === undefined || text === "") return 0;
    if (text.startsWith("'") || text.startsWith('"')) return text.charCodeAt(1) || 0;
    const match = /^\s*[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|inf(?:inity)?|nan)/i.exec(text);
    if (match === null) {
      this.#bad(`${text}: invalid number`);
      return 0;
    }
    if (match[0].length < text.length) this.#bad(`${text}: invalid number`);
    const lower = match[0].trim().toLowerCase();
    if (lower.endsWith("nan")) return Number.NaN;
    return lower.includes("inf") ? (lower.startsWith("-") ? -Infinity : Infinity) : Number(match[0]);
  }

  #putInteger(directive: Directive, value: bigint): void {
    const { conversion, flags, precision, width = 0 } = directive;
    const isSigned = conversion === "d" || conversion === "i";
    const magnitude = isSigned ? (value < 0n ? -value : value) : BigInt.asUintN(64, value);
    let digits = magnitude.toString(conversion === "o" ? 8 : conversion === "x" || conversion === "X" ? 16 : 10);
    if (conversion === "X") digits = digits.toUpperCase();
    if (precision !== undefined) digits = precision === 0 && magnitude === 0n ? "" : digits.padStart(precision, "0");
    let prefix = isSigned ? (value < 0n ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "") : "";
    if (flags.includes("#") && magnitude !== 0n) prefix = conversion === "o" ? "0" : conversion === "x" ? "0x" : conversion === "X" ? "0X" : prefix;
    if (flags.includes("0") && !flags.includes("-") && precision === undefined) digits = digits.padStart(width - prefix.length, "0");
    this.#pad(directive, prefix + digits);
  }

  #putFloat(directive: Directive, value: number): void {
    const { conversion, flags, width = 0 } = directive;
    const sign = value < 0 || Object.is(value, -0) ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
    let digits = formatFloat(Math.abs(value), conversion, directive.precision ?? 6, flags.includes("#"));
    if (flags.includes("0") && !flags.includes("-") && Number.isFinite(value)) digits = digits.padStart(width - sign.length, "0");
    this.#pad(directive, sign + (conversion === conversion.toUpperCase() ? digits.toUpperCase() : digits));
  }
}

/** A number that is not negative, as %e, %f or %g write it. */
export function formatFloat(value: number, conversion: string, precision: number, keepsZeros = false): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return "inf";
  const exponentForm = (digits: number): string => value.toExponential(Math.min(digits, 100)).replace(/e([-+])(\d)$/, "e$10$2");
  switch (conversion.toLowerCase()) {
    case "f":
      return value >= 1e21 ? BigInt(value).toString() + (precision > 0 ? `.${"0".repeat(precision)}` : "") : value.toFixed(Math.min(precision, 100));
    case "e":
      return exponentForm(precision);
    default: {
      const significant = precision === 0 ? 1 : precision;
      const exponent = value === 0 ? 0 : Number(/e([-+]\d+)$/.exec(value.toExponential(Math.min(significant - 1, 100)))?.[1] ?? 0);
      const text =
        exponent < -4 || exponent >= significant ? exponentForm(significant - 1) : value.toFixed(Math.max(0, Math.min(100, significant - 1 - exponent)));
      return keepsZeros ? text : text.replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");
    }
  }
}
