/**
 * `/usr/bin/test` and `/usr/bin/[`: the programs beside the shells' builtins, for those who start programs without a shell (keepalived, xargs, env).
 */

import type { Command, CommandContext, Running } from "../../command.ts";

/** The builtin does the work. */
function* runTest(context: CommandContext): Running<number> {
  return yield* context.spawn(["/usr/bin/bash", "-c", 'test "$@"', "test", ...context.args]);
}

function runBracket(context: CommandContext): number | Running<number> {
  if (context.args.at(-1) === "]") return runTest({ ...context, args: context.args.slice(0, -1) });
  context.stderr.write(`${context.name}: missing ']'\n`);
  return 2;
}

export const testCommands: readonly Command[] = [
  { path: "/usr/bin/test", run: runTest },
  { path: "/usr/bin/[", run: runBracket },
];
