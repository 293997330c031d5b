/**
 * How a script leaves what it is in: thrown through the interpreter, caught where bash catches it.
 */

/** break and continue. */
export class LoopExit extends Error {
  readonly kind: "break" | "continue";
  levels: number;

  constructor(kind: "break" | "continue", levels: number) {
    super(kind);
    this.kind = kind;
    this.levels = levels;
  }
}

/** return, out of a function or a sourced file. */
export class FunctionReturn extends Error {
  readonly status: number;

  constructor(status: number) {
    super("return");
    this.status = status;
  }
}

/** exit, or an error that ends the shell. */
export class ShellExit extends Error {
  readonly status: number;

  constructor(status: number) {
    super("exit");
    this.status = status;
  }
}

/** An expansion that failed: the message is printed already, the rest of the input is thrown away (bash's DISCARD). */
export class ExpansionFailure extends Error {
  readonly status: number;

  constructor(status = 1) {
    super("expansion failed");
    this.status = status;
  }
}
