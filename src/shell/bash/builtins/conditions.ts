/**
 * test and [.
 */

import { runTest } from "../conditions.ts";
import type { Builtin } from "../simple-command.ts";

const test: Builtin = (shell, { name, args }) => {
  if (name !== "[") return runTest(shell, name, args);
  if (args.at(-1) === "]") return runTest(shell, name, args.slice(0, -1));
  shell.complain(shell.dialect === "dash" ? "[: missing ]" : "[: missing `]'");
  return 2;
};

export const conditionBuiltins: ReadonlyMap<string, Builtin> = new Map([
  ["test", test],
  ["[", test],
]);
