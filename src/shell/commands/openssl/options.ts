/**
 * How openssl reads the options of its commands: one dash or two, values apart.
 */

import type { CommandContext } from "../../command.ts";

export interface Options {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
}

/** Options with one dash; undefined after a complaint. */
export function parseOptions(context: CommandContext, words: readonly string[], kinds: { readonly flags: readonly string[]; readonly values: readonly string[] }): Options | undefined {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const rest: string[] = [];
  for (let i = 1; i < words.length; i++) {
    const word = words[i] as string;
    const name = word.replace(/^--?/, "");
    if (!word.startsWith("-")) rest.push(word);
    else if (kinds.flags.includes(name)) flags.add(name);
    else if (kinds.values.includes(name)) {
      const value = words[++i];
      if (value === undefined) {
        context.stderr.write(`${words[0]}: Option -${name} needs a value\n${words[0]}: Use -help for summary.\n`);
        return undefined;
      }
      values.set(name, value);
    } else {
      context.stderr.write(`${words[0]}: Unknown option: -${name} (or not simulated)\n${words[0]}: Use -help for summary.\n`);
      return undefined;
    }
  }
  return { flags, values, rest };
}
