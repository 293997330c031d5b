/**
 * Whatever is typed, the shell neither throws nor hangs, and says the same twice.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import { makeShellWorld, runToEnd } from "../../../helpers/shell-run.ts";

const LIMITS = { stepsAtOneTimeMax: 1_500, processesMax: 60, commandsMax: 3_000, outputMax: 100_000, recursionMax: 40, expansionMax: 100_000 };

const WORDS = [
  "echo",
  "a",
  "$x",
  '"$@"',
  "'q'",
  "$(",
  ")",
  "(",
  "{",
  "}",
  ";",
  "&",
  "&&",
  "||",
  "|",
  "\n",
  "if",
  "then",
  "else",
  "fi",
  "for",
  "in",
  "do",
  "done",
  "while",
  "case",
  "esac",
  ";;",
  "[[",
  "]]",
  "[",
  "]",
  "((",
  "))",
  ">",
  "<",
  ">>",
  "<<",
  "E\n",
  "2>&1",
  "`",
  '"',
  "'",
  "\\",
  "${x:-",
  "${x//a/",
  "${#a[@]}",
  "$((1+",
  "x=",
  "a=(1 2)",
  "+=",
  "!",
  "*",
  "?",
  "{1..3}",
  "{a,b}",
  "~",
  "$?",
  "$!",
  "wait",
  "kill",
  "%1",
  "sleep 1",
  "true",
  "false",
  "read x",
  "exit",
  "return",
  "break",
  "local y",
  "declare -A m",
  "unset x",
  "set -e",
  "set -u",
  "trap 'echo t' EXIT",
  "eval",
  "exec",
  "source",
  "f()",
  "f",
  "printf '%d'",
  "test",
  "-eq",
  "=~",
  "cat",
  "head -1",
  "/dev/null",
  "/tmp/f",
  "$'\\n'",
  "<(",
  "<<<",
];

function twice(script: string): void {
  const first = runToEnd(makeShellWorld(LIMITS), script, { timeoutSeconds: 30 });
  const second = runToEnd(makeShellWorld(LIMITS), script, { timeoutSeconds: 30 });
  expect(first).toBeDefined();
  expect({ ...second, limitError: undefined }).toEqual({ ...first, limitError: undefined });
}

test("pieces of shell syntax in any order", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...WORDS), { maxLength: 25 }), (words) => twice(words.join(" "))),
    { numRuns: 150 },
  );
}, 60_000);

test("any text", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 80, unit: "binary" }), (text) => twice(text)),
    { numRuns: 100 },
  );
}, 60_000);

test("deep nesting", () => {
  const deep = (open: string, close: string, depth: number): string => `${open.repeat(depth)}echo x${close.repeat(depth)}`;
  for (const [open, close] of [
    ["$(", ")"],
    ["(", ")"],
    ["{ ", "; }"],
    ["$((", "))"],
    ["${x:-", "}"],
    ['"$(', ')"'],
    ["if ", "; then :; fi"],
    ["[[ ( ", " ) ]]"],
    ["`", "`"],
    ["! ", ""],
  ] as const) {
    for (const depth of [10, 100, 3000]) twice(deep(open, close, depth));
  }
}, 60_000);
