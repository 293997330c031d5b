/**
 * What a schema found wrong, as a problem with file, line and remedy.
 */

import type * as v from "valibot";
import type { ScenarioProblem } from "./scenario-error.ts";
import { nearestWord } from "./suggest.ts";
import type { ScenarioSource } from "./scenario-source.ts";
import type { YamlPath } from "./yaml-source.ts";

/** What a kind of file can say about its own keys. */
export interface SchemaWords {
  /** Keys that may stand at a path, where an unknown one was found. */
  knownKeys(path: YamlPath): readonly string[];
  /** Message and remedy for a key that must be there and is not. */
  missingKey(path: YamlPath): readonly string[];
}

/** The words for one issue of a schema, at its place in the file. Messages of a schema are `what is wrong|what to do`. */
export function schemaProblem(source: ScenarioSource, issue: v.BaseIssue<unknown>, { knownKeys, missingKey }: SchemaWords): ScenarioProblem {
  const deepest = deepestIssue(issue);
  const items = [...(issue.path ?? []), ...(deepest === issue ? [] : (deepest.path ?? []))];
  const path: YamlPath = items.map((item) => item.key as string | number);
  if (deepest.kind === "schema" && deepest.type === "strict_object" && deepest.expected === "never") {
    const key = String(path[path.length - 1]);
    const known = knownKeys(path.slice(0, -1));
    const meant = nearestWord(key, known);
    return source.problem(path, `unknown key \`${key}\``, meant === undefined ? `known: ${known.join(", ")}` : `did you mean \`${meant}\`?`, true);
  }
  const isAbsent = deepest.type === "strict_object" && deepest.received === "undefined" && deepest.expected?.startsWith('"') === true && items.length > 0;
  const isKey = items[items.length - 1]?.origin === "key";
  const [message = "", remedy = ""] = isAbsent ? missingKey(path) : deepest.message.split("|");
  const name = path[path.length - 1];
  const shown = name === undefined || deepest.kind !== "validation" ? "" : `${JSON.stringify(isKey ? name : deepest.input)}: `;
  return source.problem(path, `${shown}${message}`, remedy, isKey);
}

/** A union hides the message of the member that was meant: the one that got furthest. */
function deepestIssue(issue: v.BaseIssue<unknown>): v.BaseIssue<unknown> {
  const inner = issue.issues ?? [];
  const meant = inner.find((candidate) => candidate.kind === "validation" || (candidate.path?.length ?? 0) > 0);
  return meant ?? issue;
}
