/**
 * Reads an iptables command line word by word, as getopt_long does with the options of the extensions that are loaded so far.
 *
 * iptables v1.8.9 iptables/iptables.c (original_opts), libxtables/xtables.c (xtables_merge_options).
 */

import type { ExtensionOption, ExtensionUse, MatchExtension, TargetExtension } from "./extension.ts";

export interface BaseOption {
  readonly letter: string;
  readonly argument: "none" | "required" | "optional";
}

const LONG_OPTIONS: readonly (readonly [string, string])[] = [
  ["append", "A"],
  ["delete", "D"],
  ["check", "C"],
  ["insert", "I"],
  ["replace", "R"],
  ["list", "L"],
  ["list-rules", "S"],
  ["flush", "F"],
  ["zero", "Z"],
  ["new-chain", "N"],
  ["delete-chain", "X"],
  ["rename-chain", "E"],
  ["policy", "P"],
  ["source", "s"],
  ["destination", "d"],
  ["src", "s"],
  ["dst", "d"],
  ["protocol", "p"],
  ["in-interface", "i"],
  ["jump", "j"],
  ["table", "t"],
  ["match", "m"],
  ["numeric", "n"],
  ["out-interface", "o"],
  ["verbose", "v"],
  ["wait", "w"],
  ["wait-interval", "W"],
  ["exact", "x"],
  ["fragments", "f"],
  ["version", "V"],
  ["help", "h"],
  ["line-numbers", "0"],
  ["modprobe", "M"],
  ["set-counters", "c"],
  ["goto", "g"],
  ["ipv4", "4"],
  ["ipv6", "6"],
];

const REQUIRED = "ACDRIMNEPopsdjitmcg";
const OPTIONAL = "LSFZXhwW";
const PLAIN = "Vfvnx046";

function baseOption(letter: string): BaseOption | undefined {
  if (letter === "") return undefined;
  if (REQUIRED.includes(letter)) return { letter, argument: "required" };
  if (OPTIONAL.includes(letter)) return { letter, argument: "optional" };
  return PLAIN.includes(letter) ? { letter, argument: "none" } : undefined;
}

export type AnyUse = ExtensionUse<MatchExtension> | ExtensionUse<TargetExtension>;

/** What came next. `word` is the word of the command line that the option or its value stood in. */
export type Scanned =
  | { readonly kind: "base"; readonly letter: string; readonly value: string | undefined; readonly word: string }
  | { readonly kind: "extension"; readonly use: AnyUse; readonly option: ExtensionOption; readonly value: string }
  | { readonly kind: "word"; readonly word: string }
  | { readonly kind: "missing"; readonly word: string }
  | { readonly kind: "unknown"; readonly text: string };

interface LongCandidate {
  readonly name: string;
  readonly base: BaseOption | undefined;
  readonly use: AnyUse | undefined;
  readonly option: ExtensionOption | undefined;
}

const BASE_CANDIDATES: readonly LongCandidate[] = LONG_OPTIONS.map(([name, letter]) => ({ name, base: baseOption(letter), use: undefined, option: undefined }));

export class OptionScanner {
  readonly #words: readonly string[];
  #index = 0;
  /** Letters of a cluster such as `-nvL` that are still to come. */
  #cluster = "";

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  /** Words that are left. */
  get remaining(): readonly string[] {
    return this.#words.slice(this.#index);
  }

  /** True when the next word is no option and no `!` (xs_has_arg). */
  hasArgument(): boolean {
    const word = this.#words[this.#index];
    return word !== undefined && !word.startsWith("-") && !word.startsWith("!");
  }

  takeWord(): string | undefined {
    const word = this.#words[this.#index];
    if (word !== undefined) this.#index++;
    return word;
  }

  /** Undefined at the end, or after `--`. */
  next(uses: readonly AnyUse[]): Scanned | undefined {
    if (this.#cluster !== "") return this.#letter();
    const word = this.takeWord();
    if (word === undefined || word === "--") return undefined;
    if (word.startsWith("--")) return this.#long(word, uses);
    if (!word.startsWith("-") || word === "-") return { kind: "word", word };
    this.#cluster = word.slice(1);
    return this.#letter();
  }

  /** Puts a long option back, to read it again with more extensions. */
  stepBack(): void {
    this.#index--;
  }

  #letter(): Scanned {
    const letter = this.#cluster.charAt(0);
    const word = this.#words[this.#index - 1] ?? "";
    const rest = this.#cluster.slice(1);
    const option = letter === "0" ? undefined : baseOption(letter);
    if (option === undefined) return { kind: "unknown", text: `-${letter}` };
    if (option.argument === "none") {
      this.#cluster = rest;
      return { kind: "base", letter, value: undefined, word };
    }
    this.#cluster = "";
    if (rest !== "") return { kind: "base", letter, value: rest, word };
    if (option.argument === "optional") return { kind: "base", letter, value: undefined, word };
    const value = this.takeWord();
    return value === undefined ? { kind: "missing", word } : { kind: "base", letter, value, word: value };
  }

  #long(word: string, uses: readonly AnyUse[]): Scanned {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const attached = equals < 0 ? undefined : word.slice(equals + 1);
    const found = findLong(name, uses);
    if (found === undefined) return { kind: "unknown", text: word };
    const takes = found.base === undefined ? (found.option?.hasArgument === true ? "required" : "none") : found.base.argument;
    if (takes === "none" && attached !== undefined) return { kind: "unknown", text: word };
    let value = attached;
    let source = word;
    if (takes === "required" && value === undefined) {
      value = this.takeWord();
      if (value === undefined) return { kind: "missing", word };
      source = value;
    }
    if (found.use !== undefined && found.option !== undefined) return { kind: "extension", use: found.use, option: found.option, value: value ?? "" };
    return { kind: "base", letter: found.base?.letter ?? "", value, word: source };
  }
}

/** The option of that name, or the only one that begins so. Extensions loaded last come first. */
function findLong(name: string, uses: readonly AnyUse[]): LongCandidate | undefined {
  const candidates: LongCandidate[] = [...BASE_CANDIDATES];
  for (const use of [...uses].reverse()) {
    for (const option of use.extension.options)
      for (const own of [option.name, ...(option.aliases ?? [])]) candidates.push({ name: own, base: undefined, use, option });
  }
  const exact = candidates.find((candidate) => candidate.name === name);
  if (exact !== undefined) return exact;
  const begins = candidates.filter((candidate) => candidate.name.startsWith(name));
  const [first] = begins;
  const isOne = begins.every((other) =>
    first?.option !== undefined ? other.option === first.option : other.base !== undefined && other.base.letter === first?.base?.letter,
  );
  return isOne ? first : undefined;
}
