/**
 * Comparisons of packet bytes in filters: `tcp[tcpflags] & (tcp-syn|tcp-fin) != 0`, `ip[8] < 5`, `len > 100`.
 *
 * libpcap 1.10.3 grammar.y (arth, relop), gencode.c:gen_load. Arithmetic is on unsigned 32-bit numbers.
 */

import { get16, get32 } from "../../../wire/byte-order.ts";
import { FilterError, SYNTAX_ERROR, type Token } from "./filter-lexer.ts";
import { ipProtocol, isIpv4, isLaterFragment, type PacketView, transportAt } from "./packet-view.ts";

/** undefined: the packet has no such byte, so the whole comparison fails. */
export type Value = (view: PacketView) => number | undefined;

const RELATIONS: ReadonlyMap<string, (a: number, b: number) => boolean> = new Map([
  ["=", (a, b) => a === b],
  ["==", (a, b) => a === b],
  ["!=", (a, b) => a !== b],
  ["<", (a, b) => a < b],
  [">", (a, b) => a > b],
  ["<=", (a, b) => a <= b],
  [">=", (a, b) => a >= b],
]);

/** Binding strength, as in C. */
const OPERATORS: ReadonlyMap<string, number> = new Map([
  ["|", 1],
  ["^", 2],
  ["&", 3],
  ["<<", 4],
  [">>", 4],
  ["+", 5],
  ["-", 5],
  ["*", 6],
  ["/", 6],
  ["%", 6],
]);

const PROTOCOL_NUMBERS: ReadonlyMap<string, number> = new Map([
  ["tcp", 6],
  ["udp", 17],
  ["icmp", 1],
  ["igmp", 2],
  ["sctp", 132],
  ["vrrp", 112],
  ["carp", 112],
  ["igrp", 9],
  ["pim", 103],
]);
const ETHER_TYPES: ReadonlyMap<string, number> = new Map([
  ["ip", 0x0800],
  ["arp", 0x0806],
  ["rarp", 0x8035],
  ["ip6", 0x86dd],
]);
const DEPTH_MAX = 100;

/** Tries to read a comparison from `start` on; undefined when there is none. */
export function parseArithmetic(
  tokens: readonly Token[],
  start: number,
): { readonly predicate: (view: PacketView) => boolean; readonly next: number } | undefined {
  if (!startsArithmetic(tokens, start)) return undefined;
  const reader = new ArithmeticReader(tokens, start);
  const left = reader.read(0, 0);
  const relation = tokens[reader.at];
  const compare = relation?.kind === "symbol" ? RELATIONS.get(relation.text) : undefined;
  if (compare === undefined) {
    if (tokens[start]?.text === "(" || tokens[start]?.kind === "number") return undefined;
    throw new FilterError(SYNTAX_ERROR);
  }
  reader.at++;
  const right = reader.read(0, 0);
  return {
    next: reader.at,
    predicate: (view) => {
      const a = left(view);
      const b = right(view);
      return a !== undefined && b !== undefined && compare(a, b);
    },
  };
}

/** `len`, `proto[`, a number, or an opening parenthesis before one of them, with a relation behind it. */
function startsArithmetic(tokens: readonly Token[], start: number): boolean {
  let at = start;
  while (tokens[at]?.text === "(" || tokens[at]?.text === "-") at++;
  const token = tokens[at];
  if (token === undefined || token.kind === "symbol") return false;
  const isLoad = token.kind === "word" && (token.text === "len" || tokens[at + 1]?.text === "[");
  if (at === start) return isLoad || (token.kind === "number" && isOperator(tokens[at + 1]));
  // Within parentheses: a comparison only if the matching one is followed by an operator or relation.
  let depth = 0;
  for (let i = start; i < tokens.length; i++) {
    const text = tokens[i]?.kind === "symbol" ? tokens[i]?.text : undefined;
    if (text === "(") depth++;
    else if (text === ")" && --depth === 0) return isOperator(tokens[i + 1]);
  }
  return tokens[start]?.text === "-" || isLoad;
}

function isOperator(token: Token | undefined): boolean {
  return token?.kind === "symbol" && (RELATIONS.has(token.text) || OPERATORS.has(token.text));
}

class ArithmeticReader {
  at: number;
  readonly #tokens: readonly Token[];

  constructor(tokens: readonly Token[], at: number) {
    this.#tokens = tokens;
    this.at = at;
  }

  read(strength: number, depth: number): Value {
    let left = this.#readUnary(depth);
    for (;;) {
      const token = this.#tokens[this.at];
      const own = token?.kind === "symbol" ? OPERATORS.get(token.text) : undefined;
      if (token === undefined || own === undefined || own <= strength) return left;
      this.at++;
      const before = left;
      const right = this.read(own, depth + 1);
      left = combine(token.text, before, right);
    }
  }

  #readUnary(depth: number): Value {
    if (depth > DEPTH_MAX) throw new FilterError("expression is too complex");
    const token = this.#tokens[this.at++];
    if (token === undefined) throw new FilterError(SYNTAX_ERROR);
    if (token.kind === "number") return () => token.value;
    if (token.text === "-" && token.kind === "symbol") {
      const inner = this.#readUnary(depth + 1);
      return combine("-", () => 0, inner);
    }
    if (token.text === "(" && token.kind === "symbol") {
      const inner = this.read(0, depth + 1);
      this.#expect(")");
      return inner;
    }
    if (token.kind !== "word") throw new FilterError(SYNTAX_ERROR);
    if (token.text === "len") return (view) => view.lengthBytes;
    return this.#readLoad(token.text, depth);
  }

  /** `proto[offset]` or `proto[offset:size]`. */
  #readLoad(protocol: string, depth: number): Value {
    this.#expect("[");
    const offset = this.read(0, depth + 1);
    let size = 1;
    if (this.#tokens[this.at]?.text === ":") {
      const token = this.#tokens[this.at + 1];
      if (token?.kind !== "number" || ![1, 2, 4].includes(token.value)) throw new FilterError("data size must be 1, 2, or 4");
      size = token.value;
      this.at += 2;
    }
    this.#expect("]");
    const base = baseOf(protocol);
    return (view) => {
      const start = base(view);
      const distance = offset(view);
      if (start === undefined || distance === undefined || start + distance + size > view.bytes.length) return undefined;
      const at = start + distance;
      return size === 1 ? view.bytes[at] : size === 2 ? get16(view.bytes, at) : get32(view.bytes, at);
    };
  }

  #expect(text: string): void {
    const token = this.#tokens[this.at++];
    if (token?.kind !== "symbol" || token.text !== text) throw new FilterError(SYNTAX_ERROR);
  }
}

/** Where the header of a protocol starts in a packet; undefined when it is not of that protocol. */
function baseOf(protocol: string): Value {
  if (protocol === "ether" || protocol === "link") return () => 0;
  const etherType = ETHER_TYPES.get(protocol);
  if (etherType !== undefined) return (view) => (view.etherType === etherType ? view.networkAt : undefined);
  const number = PROTOCOL_NUMBERS.get(protocol);
  if (number === undefined) throw new FilterError(SYNTAX_ERROR);
  return (view) => (isIpv4(view) && ipProtocol(view) === number && !isLaterFragment(view) ? transportAt(view) : undefined);
}

function combine(operator: string, left: Value, right: Value): Value {
  return (view) => {
    const a = left(view);
    const b = right(view);
    if (a === undefined || b === undefined) return undefined;
    switch (operator) {
      case "+":
        return (a + b) >>> 0;
      case "-":
        return (a - b) >>> 0;
      case "*":
        return Math.imul(a, b) >>> 0;
      case "/":
        return b === 0 ? undefined : Math.trunc(a / b);
      case "%":
        return b === 0 ? undefined : a % b;
      case "&":
        return (a & b) >>> 0;
      case "|":
        return (a | b) >>> 0;
      case "^":
        return (a ^ b) >>> 0;
      case "<<":
        return b > 31 ? 0 : (a << b) >>> 0;
      default:
        return b > 31 ? 0 : a >>> b;
    }
  };
}
