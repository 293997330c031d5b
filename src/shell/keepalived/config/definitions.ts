/**
 * `$NAME=text` definitions and what is put for `$NAME` and `${NAME}`; `~SEQ` and `~LST`, which repeat a line.
 *
 * keepalived v2.2.7 lib/parser.c (check_definition, find_definition, replace_param, add_seq, add_lst).
 */

import type { ConfigReport } from "./report.ts";

export interface Definition {
  readonly name: string;
  value: string;
  isMultiline: boolean;
  /** Makes the value anew each time; it gets the numbers of `${_RANDOM 1 6}`. */
  make: ((parameters: readonly number[]) => string) | undefined;
  readonly parametersMax: number;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

export class Definitions {
  readonly #list: Definition[] = [];

  /** The standard ones: _PWD, _INSTANCE, _RANDOM, _HASH, _BANG. */
  addStandard(name: string, make: (parameters: readonly number[]) => string, parametersMax = 0): void {
    this.#list.push({ name, value: "", isMultiline: false, make, parametersMax });
  }

  set(name: string, value: string): void {
    const definition = this.#named(name);
    if (definition === undefined) this.#list.push({ name, value, isMultiline: false, make: undefined, parametersMax: 0 });
    else {
      definition.value = value;
      definition.make = undefined;
    }
  }

  /** Takes `$NAME = text`; undefined when the line is none. A text that ends in a backslash goes on in the next lines. */
  define(line: string): Definition | undefined {
    const match = /^\$([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*/.exec(line);
    // A blank before the = ends keepalived's scan of the name: such a line is no definition.
    if (match === null || line[1 + (match[1] as string).length] !== "=") return undefined;
    return this.#store(match[1] as string, line.slice(match[0].length));
  }

  #store(name: string, text: string): Definition {
    let definition = this.#named(name);
    if (definition === undefined) {
      definition = { name, value: "", isMultiline: false, make: undefined, parametersMax: 0 };
      this.#list.push(definition);
    }
    definition.make = undefined;
    definition.isMultiline = text.endsWith("\\");
    const body = definition.isMultiline ? text.slice(0, -1).replace(/[ \t]+$/, "") : text;
    definition.value = definition.isMultiline && body !== "" ? `${body}\n` : body;
    return definition;
  }

  #named(name: string): Definition | undefined {
    return this.#list.find((one) => one.name === name);
  }

  /** The definition that `text` (what follows a `$`) names, with the length of its name, braces and parameters. */
  find(text: string): { readonly definition: Definition; readonly length: number; readonly parameters: readonly number[] } | undefined {
    const hasBraces = text.startsWith("{");
    const body = hasBraces ? text.slice(1) : text;
    const name = NAME.exec(body)?.[0];
    if (name === undefined) return undefined;
    let end = name.length;
    let parameters: number[] = [];
    if (hasBraces) {
      const numbers = /^[ 0-9]*/.exec(body.slice(end))?.[0] ?? "";
      if (numbers.trim() !== "" && numbers.endsWith(" ")) return undefined;
      parameters = numbers.trim() === "" ? [] : numbers.trim().split(/ +/).map(Number);
      end += numbers.length;
      if (body[end] !== "}") return undefined;
    } else if (end < body.length && !" \t,)".includes(body[end] as string)) return undefined;
    const length = hasBraces ? end + 2 : end;
    const mayBeMultiline = text.length === length;
    const definition = this.#list.find((one) => one.name === name && (mayBeMultiline || !one.isMultiline));
    if (definition === undefined || (parameters.length > 0 && definition.parametersMax === 0)) return undefined;
    return { definition, length, parameters };
  }
}

/** One ~SEQ or ~LST: what is still to come of it. */
export interface Repetition {
  readonly text: string;
  /** Sets its variables for the next turn; false when this was the last. */
  next(definitions: Definitions): boolean;
}

/** `~SEQ(var, start, step, end) text`, `~SEQx(...)` in hexadecimal. Undefined when it is wrong; complaints are made. */
export function parseSequence(line: string, report: ConfigReport, expand: (text: string) => string): Repetition | undefined {
  const match = /^~SEQ(x?)[ \t]*\([ \t]*([^ \t,)]*)[ \t]*(.?)[ \t]*([^)]*)(\)?)[ \t]*(.*)$/.exec(line);
  if (match === null) return undefined;
  const [, hexText, name = "", separator, list = "", close, text = ""] = match;
  if (separator === "" || separator === ")" || name === "" || close === "") {
    report.general(`Invalid ~SEQ definition '${line}'`);
    return undefined;
  }
  const numbers = expand(list)
    .split(",")
    .map((part) => part.trim());
  if (numbers.length > 3 || numbers.some((number) => !/^[+-]?(0x[0-9a-fA-F]+|\d+)$/.test(number))) {
    report.general(`Invalid ~SEQ definition '${line}'`);
    return undefined;
  }
  const values = numbers.map(Number);
  const [start, step, end] = sequenceBounds(values);
  if (step === 0 || (start < end && step < 0) || (start > end && step > 0)) {
    report.general(`Invalid ~SEQ values '${line}'`);
    return undefined;
  }
  const isHex = hexText === "x";
  if (isHex && (start < 0 || end < 0)) {
    report.general(`~SEQx is only valid for positive numbers '${line}'`);
    return undefined;
  }
  let value = start;
  return {
    text,
    next: (definitions) => {
      definitions.set(name, isHex ? value.toString(16) : String(value));
      value += step;
      return step > 0 ? value <= end : value >= end;
    },
  };
}

function sequenceBounds(values: readonly number[]): readonly [number, number, number] {
  const [one = 0, two = 0, three = 0] = values;
  if (values.length === 1) return [one < 0 ? -1 : 1, one < 1 ? -1 : 1, one];
  if (values.length === 2) return [one, one <= two ? 1 : -1, two];
  return [one, two, three];
}

/** `~LST(var, a, b) text` and `~LST({v1, v2}, {a, b}, {c, d}) text`. */
export function parseList(line: string, report: ConfigReport): Repetition | undefined {
  const match = /^~LST[ \t]*\((.*)$/.exec(line);
  if (match === null) return undefined;
  const groups: string[][] = [];
  let rest = (match[1] as string).trimStart();
  for (;;) {
    const isGroup = rest.startsWith("{");
    const body = isGroup ? /^\{([^}]*)\}[ \t]*/.exec(rest) : /^([^ \t,)}]*)[ \t]*/.exec(rest);
    if (body === null) return undefined;
    groups.push((body[1] as string).split(",").map((part) => part.trim()));
    rest = rest.slice(body[0].length);
    if (rest.startsWith(")")) break;
    if (!rest.startsWith(",")) return undefined;
    rest = rest.slice(1).trimStart();
  }
  const [names = [], ...sets] = groups;
  if (sets.length === 0) return undefined;
  if (sets.some((set) => set.length > names.length)) {
    report.general(`~LST specification has too many values '${line}'`);
    return undefined;
  }
  let turn = 0;
  return {
    text: rest.slice(1).trimStart(),
    next: (definitions) => {
      for (const [i, name] of names.entries()) definitions.set(name, sets[turn]?.[i] ?? "");
      return ++turn < sets.length;
    },
  };
}
