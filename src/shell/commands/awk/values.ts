/**
 * awk's values, and the ways in which statements leave what they are in.
 */

/** What a field or a line of input gives: text that may count as a number. */
export class StrNum {
  readonly text: string;
  readonly value: number;

  constructor(text: string, value: number) {
    this.text = text;
    this.value = value;
  }
}

export type Value = number | string | StrNum | undefined;
export type Cell = Value | Map<string, Value>;

export class AwkError extends Error {}

export class NextRecord extends Error {}
export class LoopControl extends Error {
  readonly kind: "break" | "continue";

  constructor(kind: "break" | "continue") {
    super(kind);
    this.kind = kind;
  }
}
export class ReturnValue extends Error {
  readonly value: Value;

  constructor(value: Value) {
    super("return");
    this.value = value;
  }
}
export class ExitProgram extends Error {}

export interface AwkIo {
  write(text: string): void;
  writeFile(path: string, text: string, isAppend: boolean): void;
  readFile(path: string): string | undefined;
  random(): number;
}

const LOOKS_NUMERIC = /^\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?)\s*$/;

export function fromInput(text: string): Value {
  return LOOKS_NUMERIC.test(text) ? new StrNum(text, Number(text)) : text;
}
