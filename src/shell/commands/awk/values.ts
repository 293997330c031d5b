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

/** A record of the input. */
export interface InputRecord {
  readonly text: string;
  readonly file: string;
  readonly isFirstOfFile: boolean;
}

export interface AwkIo {
  write(text: string): void;
  /** `print | command`: the command gets all of it when it is closed. */
  writePipe(command: string, text: string): void;
  /** close(): of a command, or of a file. */
  close(name: string): void;
  /** The next record of the input, for getline. */
  pull(): InputRecord | undefined;
  writeFile(path: string, text: string, isAppend: boolean): void;
  readFile(path: string): string | undefined;
  random(): number;
}

const LOOKS_NUMERIC = /^\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?)\s*$/;

export function fromInput(text: string): Value {
  return LOOKS_NUMERIC.test(text) ? new StrNum(text, Number(text)) : text;
}
