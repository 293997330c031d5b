/**
 * `${x@Q}` and the other transformations, and how variables are written by `declare -p`.
 */

import type { ParameterValue } from "./parameter-expansion.ts";
import { doubleQuote, singleQuote, unescapeEcho } from "./quoting.ts";
import type { Shell } from "./shell.ts";
import { sortedEntries, type Variable } from "./variables.ts";

export function transformValues(
  shell: Shell,
  asked: { readonly name: string; readonly subscript: string | undefined; readonly letter: string; readonly value: ParameterValue },
): ParameterValue {
  const { name, subscript, letter, value } = asked;
  const map = (change: (text: string) => string): ParameterValue => ({ ...value, values: value.values.map(change) });
  switch (letter) {
    case "Q":
      return map(singleQuote);
    case "U":
      return map((text) => text.toUpperCase());
    case "u":
      return map((text) => text.slice(0, 1).toUpperCase() + text.slice(1));
    case "L":
      return map((text) => text.toLowerCase());
    case "E":
      return map((text) => unescapeEcho(text, false).text);
    case "P":
      return map((text) => text);
    case "a": {
      const variable = shell.variables.find(shell.resolveName(name));
      return { ...value, values: [variable === undefined ? "" : attributeLetters(variable)], isSet: true, isList: false };
    }
    case "A": {
      const variable = shell.variables.find(shell.resolveName(name));
      if (variable === undefined) return value;
      const isWhole = subscript === "@" || subscript === "*";
      const text = isWhole || attributeLetters(variable) !== "" ? formatDeclaration(name, variable) : `${name}=${singleQuote(variable.text ?? "")}`;
      return { values: [text], isList: false, isStar: false, isSet: true };
    }
    case "K":
    case "k": {
      if (subscript !== "@" && subscript !== "*") return map(singleQuote);
      const pairs = shell.readAll(name);
      if (letter === "k") return { ...value, values: pairs.flat() };
      return { ...value, values: [pairs.map(([key, text]) => `${key} ${doubleQuote(text)}`).join(" ")] };
    }
    default:
      return shell.failExpansion(`\${${name}@${letter}}: bad substitution`);
  }
}

export function attributeLetters(variable: Variable): string {
  return [
    variable.list === undefined ? "" : "a",
    variable.table === undefined ? "" : "A",
    variable.isInteger ? "i" : "",
    variable.isReference ? "n" : "",
    variable.isReadonly ? "r" : "",
    variable.isExported ? "x" : "",
    variable.isLower ? "l" : "",
    variable.isUpper ? "u" : "",
  ].join("");
}

/** `declare -x a="b"`, as `declare -p` prints it, without the newline. */
export function formatDeclaration(name: string, variable: Variable): string {
  const letters = attributeLetters(variable);
  const head = `declare -${letters === "" ? "-" : letters} ${name}`;
  if (variable.list !== undefined)
    return `${head}=(${sortedEntries(variable.list)
      .map(([index, text]) => `[${index}]=${doubleQuote(text)}`)
      .join(" ")})`;
  if (variable.table !== undefined)
    return `${head}=(${[...variable.table].map(([key, text]) => `[${/^[\w./:-]+$/.test(key) ? key : doubleQuote(key)}]=${doubleQuote(text)} `).join("")})`;
  return variable.text === undefined ? head : `${head}=${doubleQuote(variable.text)}`;
}
