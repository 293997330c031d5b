/**
 * Options as getopt(3) reads them, one after the other, so that a command stops at the first mistake as the real one does.
 */

export type ReadOption =
  | { readonly kind: "option"; readonly letter: string; readonly value: string }
  | { readonly kind: "unknown"; readonly letter: string }
  | { readonly kind: "no-value"; readonly letter: string };

export interface ReadOptions {
  readonly options: readonly ReadOption[];
  readonly operands: readonly string[];
}

/** `spec` is a getopt string such as `nc:v`; operands may stand anywhere. */
export function readShortOptions(args: readonly string[], spec: string): ReadOptions {
  const options: ReadOption[] = [];
  const operands: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (word === "--") {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    for (let j = 1; j < word.length; j++) {
      const letter = word[j] as string;
      const at = letter === ":" ? -1 : spec.indexOf(letter);
      if (at < 0) {
        options.push({ kind: "unknown", letter });
        continue;
      }
      if (spec[at + 1] !== ":") {
        options.push({ kind: "option", letter, value: "" });
        continue;
      }
      const attached = word.slice(j + 1);
      if (attached !== "") options.push({ kind: "option", letter, value: attached });
      else if (i + 1 < args.length) options.push({ kind: "option", letter, value: args[++i] as string });
      else options.push({ kind: "no-value", letter });
      break;
    }
  }
  return { options, operands };
}

/** Ends a command from anywhere within it. */
export class CommandExit extends Error {
  override readonly name = "CommandExit";
  readonly exit: number;
  readonly text: string;

  constructor(exit: number, text: string) {
    super(text);
    this.exit = exit;
    this.text = text;
  }
}
