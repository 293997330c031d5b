/**
 * What completes a scenario at a cursor: keys, names, addresses, commands.
 */

import type { KeyTree, TypingWords } from "../../engine/queries/words.ts";
import { complete } from "../terminal/completion.ts";
import { namesBelow, placeAt } from "./yaml-place.ts";

export interface Suggestions {
  /** Where the word begins that they stand for. */
  readonly from: number;
  readonly items: readonly { readonly text: string; readonly kind: "key" | "name" | "command" | "value" }[];
}

export function suggestionsAt(text: string, position: number, keys: KeyTree, words: TypingWords): Suggestions {
  const place = placeAt(text, position);
  const { path, part, written } = place;
  if (part === "key") return { from: position - written.length, items: keysAt(keys, path).map((key) => ({ text: `${key}: `, kind: "key" as const })) };
  if (path.at(-1) === "run") {
    const { from, candidates } = complete(written, written.length, words);
    return { from: position - written.length + from, items: candidates.map((one) => ({ text: one, kind: "command" as const })) };
  }
  const word = /[\w./-]*$/.exec(written)?.[0] ?? "";
  return { from: position - word.length, items: valuesFor(path.at(-1) ?? "", text, words) };
}

/** Names that people choose themselves are not suggested. */
function keysAt(keys: KeyTree, path: readonly string[]): readonly string[] {
  let at: KeyTree | undefined = keys;
  for (const name of path) at = at?.[name] ?? at?.["*"];
  return Object.keys(at ?? {}).filter((key) => key !== "*");
}

function valuesFor(key: string, text: string, words: TypingWords): Suggestions["items"] {
  const names = (list: readonly string[]) => list.map((one) => ({ text: one, kind: "name" as const }));
  switch (key) {
    case "host":
    case "crash":
      return names(namesBelow(text, "hosts"));
    case "down":
    case "up":
      return names([...namesBelow(text, "hosts"), ...words.addresses.map(({ of }) => of).filter((of) => !of.includes(","))]);
    case "link":
      return names([...new Set([...namesBelow(text, "links"), ...[...text.matchAll(/\blink:\s*([\w.-]+)/g)].map((match) => match[1] as string)])]);
    case "forward":
      return ["true", "false"].map((one) => ({ text: one, kind: "value" as const }));
    case "gateway":
      return words.addresses.filter(({ text: one }) => !one.includes(":")).map(({ text: one }) => ({ text: one, kind: "value" as const }));
    default:
      return [];
  }
}
