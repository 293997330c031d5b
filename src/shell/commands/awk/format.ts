/**
 * Numbers as text, and printf: what C's printf does with the conversions that awk and the shell know.
 */

export interface PrintfArgument {
  readonly text: string;
  readonly number: number;
  /** %c of a number is a character code, of a text its first character. */
  readonly isNumber: boolean;
}

const WIDTH_MAX = 4096;

/** mawk prints as %d what fits into an int, anything else with %.6g. */
const INTEGER_MAX = 2 ** 31 - 1;

export function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) <= INTEGER_MAX) return String(value === 0 ? 0 : value);
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return formatGeneral(value, 6, false);
}

/** %g: the shorter of fixed and exponent form, without trailing zeros. */
export function formatGeneral(value: number, precision: number, keepsZeros: boolean): string {
  const digits = precision === 0 ? 1 : precision;
  if (value === 0) return "0";
  const exponent = Number(value.toExponential(Math.min(digits - 1, 100)).split("e")[1]);
  const text = exponent < -4 || exponent >= digits ? formatExponent(value, digits - 1) : value.toFixed(Math.min(Math.max(digits - 1 - exponent, 0), 100));
  if (keepsZeros || !text.includes(".")) return text;
  return text.replace(/\.?0+(e|$)/, "$1");
}

/** %f: exact ties go to the even digit, as in C; toFixed rounds them up. */
function formatFixed(value: number, precision: number): string {
  const text = value.toFixed(precision);
  const scaled = Math.abs(value) * 10 ** precision;
  const isTie = precision < 16 && scaled < 2 ** 52 && scaled - Math.floor(scaled) === 0.5;
  if (!isTie || Math.floor(scaled) % 2 !== 0) return text;
  const floor = (Math.floor(scaled) / 10 ** precision).toFixed(precision);
  return value < 0 ? `-${floor}` : floor;
}

function formatExponent(value: number, precision: number): string {
  return value.toExponential(Math.min(precision, 100)).replace(/e([-+])(\d)$/, "e$10$2");
}

/** Formats by a template; missing arguments count as empty. */
export function formatPrintf(template: string, args: readonly PrintfArgument[]): string {
  let next = 0;
  const take = () => args[next++] ?? { text: "", number: 0, isNumber: false };
  return template.replace(/%([-+ 0#]*)(\*|\d+)?(?:\.(\*|\d+)?)?(?:l|ll|h)?([a-zA-Z%])|%/g, (whole, flags: string | undefined, widthText: string | undefined, precisionText: string | undefined, conversion: string | undefined) => {
    if (conversion === undefined) return whole;
    if (conversion === "%") return "%";
    let width = widthText === "*" ? take().number : Number(widthText ?? 0);
    let flagSet = flags ?? "";
    if (width < 0) {
      flagSet += "-";
      width = -width;
    }
    const hasPrecision = whole.includes(".");
    const precision = !hasPrecision ? undefined : precisionText === "*" ? take().number : Number(precisionText ?? 0);
    const body = convert(conversion, flagSet, precision, take());
    if (body === undefined) return whole;
    return pad(body, flagSet, Math.min(width, WIDTH_MAX), "diouxXeEfFgG".includes(conversion) && (precision === undefined || "eEfFgG".includes(conversion)));
  });
}

function convert(conversion: string, flags: string, precision: number | undefined, arg: PrintfArgument): string | undefined {
  switch (conversion) {
    case "d":
    case "i":
      return signed(integer(Math.trunc(arg.number), precision), arg.number, flags);
    case "u":
      return integer(Math.trunc(arg.number), precision);
    case "o":
      return (flags.includes("#") ? "0" : "") + Math.trunc(arg.number).toString(8).padStart(precision ?? 0, "0");
    case "x":
    case "X": {
      const hex = (flags.includes("#") ? "0x" : "") + Math.trunc(arg.number).toString(16).padStart(precision ?? 0, "0");
      return conversion === "X" ? hex.toUpperCase() : hex;
    }
    case "f":
    case "F":
      return signed(formatFixed(arg.number, Math.min(precision ?? 6, 100)), arg.number, flags);
    case "e":
    case "E": {
      const text = signed(formatExponent(arg.number, precision ?? 6), arg.number, flags);
      return conversion === "E" ? text.toUpperCase() : text;
    }
    case "g":
    case "G": {
      const text = signed(formatGeneral(arg.number, precision ?? 6, flags.includes("#")), arg.number, flags);
      return conversion === "G" ? text.toUpperCase() : text;
    }
    case "c":
      return arg.isNumber ? String.fromCharCode(arg.number & 0xffff) : arg.text.slice(0, 1);
    case "s":
      return precision === undefined ? arg.text : arg.text.slice(0, precision);
    default:
      return undefined;
  }
}

function integer(value: number, precision: number | undefined): string {
  const digits = Math.abs(value).toString().padStart(precision ?? 0, "0");
  return value < 0 ? `-${digits}` : digits;
}

function signed(text: string, value: number, flags: string): string {
  if (value < 0) return text;
  return flags.includes("+") ? `+${text}` : flags.includes(" ") ? ` ${text}` : text;
}

function pad(text: string, flags: string, width: number, canBeZero: boolean): string {
  if (flags.includes("-")) return text.padEnd(width);
  if (!flags.includes("0") || !canBeZero) return text.padStart(width);
  const sign = /^[-+ ]|^0[xX]/.exec(text)?.[0] ?? "";
  return sign + text.slice(sign.length).padStart(width - sign.length, "0");
}
