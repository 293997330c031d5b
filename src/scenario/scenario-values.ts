/**
 * Values of scenario files with a notation of their own: rates, percentages, expected outputs.
 */

const RATE_UNITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9, tbit: 1e12, bps: 8, kbps: 8e3, mbps: 8e6, gbps: 8e9 };
const RATE_MAX = 1e13;

/** `1Gbit`, `100mbit`, `9600` (bits a second), as tc(8) reads rates: bps is bytes. 0 is "no limit". */
export function parseBandwidth(text: string | number): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*?)(?:\/s)?\s*$/i.exec(String(text));
  if (match === null) return undefined;
  const unit = RATE_UNITS[(match[2] ?? "").toLowerCase() || "bit"];
  if (unit === undefined) return undefined;
  const rate = Math.round(Number(match[1]) * unit);
  return rate <= RATE_MAX ? rate : undefined;
}

/** `0.5%` or a bare number of percent, in millionths. */
export function parseLoss(text: string | number): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*%?\s*$/.exec(String(text));
  if (match === null) return undefined;
  const ppm = Math.round(Number(match[1]) * 10_000);
  return ppm <= 1_000_000 ? ppm : undefined;
}

export type Expectation = { readonly pattern: RegExp | undefined; readonly text: string; readonly error: string | undefined };

/**
 * A text that must be equal, or `/.../` a regular expression that must be found, with ^ and $ at lines. The expressions are Python's (the
 * lab checks them, too): its own spellings are put into JavaScript's.
 */
export function parseExpectation(text: string): Expectation {
  if (text.length < 2 || !text.startsWith("/") || !text.endsWith("/")) return { pattern: undefined, text, error: undefined };
  let source = text.slice(1, -1);
  let flags = "m";
  const inline = /^\(\?([ims]+)\)/.exec(source);
  if (inline !== null) {
    source = source.slice(inline[0].length);
    for (const flag of inline[1] ?? "") if (!flags.includes(flag)) flags += flag;
  }
  source = source
    .replace(/\\A/g, "(?<![\\s\\S])")
    .replace(/\\Z/g, "(?![\\s\\S])")
    .replace(/\(\?P</g, "(?<")
    .replace(/\(\?P=(\w+)\)/g, "\\k<$1>");
  try {
    return { pattern: new RegExp(source, flags), text, error: undefined };
  } catch (error) {
    return { pattern: undefined, text, error: error instanceof Error ? error.message : String(error) };
  }
}

/** True when `actual` is what was expected; the line ends of HTTP (CR LF) and of progress bars (CR) pass for plain ones too. */
export function matchesExpectation(expected: string, actual: string): boolean {
  const { pattern } = parseExpectation(expected);
  return [actual, actual.replaceAll(/\r\n?/g, "\n")].some((text) => (pattern === undefined ? expected === text : pattern.test(text)));
}
