/**
 * echo and printf.
 */

import { formatMoment } from "../../commands/system/date.ts";
import { formatPrintf } from "../printf-format.ts";
import { unescapeEcho } from "../quoting.ts";
import type { Shell } from "../shell.ts";
import type { Builtin } from "../simple-command.ts";
import { isName } from "../variables.ts";
import { print, usage } from "./support.ts";

const echo: Builtin = (shell, { name, args }) => {
  if (shell.dialect === "dash") return dashEcho(shell, args);
  let hasNewline = true;
  let isEscaped = shell.shopts.has("xpg_echo");
  let i = 0;
  for (; i < args.length && /^-[neE]+$/.test(args[i] as string); i++) {
    for (const letter of (args[i] as string).slice(1)) {
      if (letter === "n") hasNewline = false;
      else isEscaped = letter === "e";
    }
  }
  const text = args.slice(i).join(" ");
  if (!isEscaped) return print(shell, name, text + (hasNewline ? "\n" : ""));
  const result = unescapeEcho(text, true);
  return print(shell, name, result.text + (hasNewline && !result.isCut ? "\n" : ""));
};

/** dash always looks at backslashes and knows -n only. */
function dashEcho(shell: Shell, args: readonly string[]): number {
  const hasNewline = args[0] !== "-n";
  const result = unescapeEcho((hasNewline ? args : args.slice(1)).join(" "), true);
  return print(shell, "echo", result.text + (hasNewline && !result.isCut ? "\n" : ""));
}

const printf: Builtin = (shell, { name, args }) => {
  let words = args;
  let variable: string | undefined;
  if (words[0] === "-v" && shell.dialect === "bash") {
    variable = words[1];
    if (variable === undefined) return usage(shell, name);
    if (!isName(variable.replace(/\[.*\]$/, ""))) {
      shell.complain(`${name}: \`${variable}': not a valid identifier`);
      return 2;
    }
    words = words.slice(2);
  }
  if (words[0] === "--") words = words.slice(1);
  else if (words[0]?.startsWith("-") === true && words[0] !== "-") {
    shell.complain(`${name}: ${words[0].slice(0, 2)}: invalid option`);
    return usage(shell, name);
  }
  const [format, ...rest] = words;
  if (format === undefined) return usage(shell, name);
  const now = shell.machine.epochSeconds + Math.floor(shell.machine.host.loop.nowNs / 1e9);
  const result = formatPrintf(format, rest, {
    complain: (message) => shell.complain(`${name}: ${message}`),
    formatTime: (pattern, seconds) => formatMoment(pattern, { seconds: seconds ?? now, nanoseconds: 0 }),
    invalidConversion: (_directive, character) => `\`${character}': invalid format character`,
  });
  if (variable === undefined) return Math.max(print(shell, name, result.text), result.status);
  return shell.assignText(variable, result.text) ? result.status : 1;
};

export const outputBuiltins: ReadonlyMap<string, Builtin> = new Map([
  ["echo", echo],
  ["printf", printf],
]);
