/**
 * Words of a filter expression. libpcap 1.10.3 scanner.l; pcap-filter(7).
 */

/** libpcap's words about a filter, after `tcpdump: `. */
export class FilterError extends Error {
  override readonly name = "FilterError";
}

export type Token =
  | { readonly kind: "word"; readonly text: string /** After a backslash: no keyword. */; readonly isEscaped: boolean }
  | { readonly kind: "number"; readonly text: string; readonly value: number }
  | { readonly kind: "symbol"; readonly text: string };

export const SYNTAX_ERROR = "can't parse filter expression: syntax error";
const NUMBER_MAX = 0xffffffff;
const TOKENS_MAX = 4096;

const SYMBOLS = ["&&", "||", "<<", ">>", "<=", ">=", "!=", "==", "(", ")", "[", "]", "<", ">", "=", "!", "&", "|", "^", "+", "-", "*", "/", "%", ":"];
/** Numbers that have names. */
const CONSTANTS: ReadonlyMap<string, number> = new Map([
  ["tcpflags", 13],
  ["tcp-fin", 1],
  ["tcp-syn", 2],
  ["tcp-rst", 4],
  ["tcp-push", 8],
  ["tcp-ack", 16],
  ["tcp-urg", 32],
  ["tcp-ece", 64],
  ["tcp-cwr", 128],
  ["icmptype", 0],
  ["icmpcode", 1],
  ["icmp-echoreply", 0],
  ["icmp-unreach", 3],
  ["icmp-sourcequench", 4],
  ["icmp-redirect", 5],
  ["icmp-echo", 8],
  ["icmp-routeradvert", 9],
  ["icmp-routersolicit", 10],
  ["icmp-timxceed", 11],
  ["icmp-paramprob", 12],
  ["icmp-tstamp", 13],
  ["icmp-tstampreply", 14],
  ["icmp-ireq", 15],
  ["icmp-ireqreply", 16],
  ["icmp-maskreq", 17],
  ["icmp-maskreply", 18],
]);

export function tokenizeFilter(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const blank = /^\s+/.exec(rest);
    if (blank !== null) {
      at += blank[0].length;
      continue;
    }
    if (tokens.length >= TOKENS_MAX) throw new FilterError(SYNTAX_ERROR);
    const [token, length] = readToken(rest);
    tokens.push(token);
    at += length;
  }
  return tokens;
}

function readToken(rest: string): [Token, number] {
  const mac = /^[0-9a-fA-F]{1,2}(?:[:.-][0-9a-fA-F]{1,2}){5}(?![0-9a-fA-F:.])/.exec(rest);
  if (mac !== null) return [{ kind: "word", text: mac[0].replace(/[.-]/g, ":"), isEscaped: false }, mac[0].length];
  const address = /^\d+(?:\.\d+)+(?![\w.])/.exec(rest);
  if (address !== null) return [{ kind: "word", text: address[0], isEscaped: false }, address[0].length];
  const number = /^(?:0[xX][0-9a-fA-F]+|\d+)(?![\w.])/.exec(rest);
  if (number !== null) {
    const value = numberOf(number[0]);
    if (value > NUMBER_MAX) throw new FilterError(`number ${number[0]} overflows 32 bits`);
    return [{ kind: "number", text: number[0], value }, number[0].length];
  }
  const word = /^\\?[A-Za-z0-9][A-Za-z0-9_.-]*/.exec(rest);
  if (word !== null) {
    const isEscaped = word[0].startsWith("\\");
    const text = isEscaped ? word[0].slice(1) : word[0];
    const constant = isEscaped ? undefined : CONSTANTS.get(text);
    return [constant === undefined ? { kind: "word", text, isEscaped } : { kind: "number", text, value: constant }, word[0].length];
  }
  const symbol = SYMBOLS.find((candidate) => rest.startsWith(candidate));
  if (symbol === undefined) throw new FilterError(`illegal token: ${rest[0]}`);
  return [{ kind: "symbol", text: symbol }, symbol.length];
}

/** A leading 0 means octal, as in C. */
function numberOf(text: string): number {
  return /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text);
}
