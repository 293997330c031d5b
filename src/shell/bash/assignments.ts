/**
 * Assignments: `a=b`, `a+=b`, `a[i]=b`, `a=(...)`.
 */

import type { Assignment } from "unbash";
import type { Running } from "../command.ts";
import { expandArithmetic, expandArrayElements, expandAssigned, expandText } from "./expansion.ts";
import { traceQuote } from "./quoting.ts";
import type { Shell } from "./shell.ts";

export interface ArrayElement {
  readonly subscript: string | undefined;
  readonly text: string;
  readonly appends: boolean;
}

/** An assignment whose right side is expanded. */
export interface ReadyAssignment {
  readonly name: string;
  readonly subscript: string | undefined;
  readonly value: string | readonly ArrayElement[];
  readonly appends: boolean;
  /** `name=value`, for messages. */
  readonly source: string;
  /** As `set -x` shows it. */
  readonly trace: string;
}

export function* readyAssignment(shell: Shell, assignment: Assignment, isNewTable: boolean): Running<ReadyAssignment> {
  const { name, value } = assignment;
  const appends = assignment.append === true;
  const sign = appends ? "+=" : "=";
  const isTable = isNewTable || shell.variables.find(shell.resolveName(name))?.table !== undefined;
  if (value.type === "ArrayValue") {
    const elements = yield* expandArrayElements(shell, value, isTable);
    const shown = elements.map((one) => (one.subscript === undefined ? traceQuote(one.text) : `[${one.subscript}]=${traceQuote(one.text)}`)).join(" ");
    return { name, subscript: undefined, value: elements, appends, source: `${name}${sign}(${shown})`, trace: assignment.text };
  }
  const subscript =
    assignment.index === undefined ? undefined : isTable ? yield* expandText(shell, assignment.index) : yield* expandArithmetic(shell, assignment.index.text);
  const text = yield* expandAssigned(shell, value);
  const target = subscript === undefined ? name : `${name}[${subscript}]`;
  return { name, subscript, value: text, appends, source: `${target}${sign}${text}`, trace: `${target}${sign}${text === "" ? "" : traceQuote(text)}` };
}

/** Assigns; false after a message when it may not. */
export function assignValue(shell: Shell, assignment: ReadyAssignment): boolean {
  const { name, subscript, value, appends } = assignment;
  if (typeof value === "string")
    return subscript === undefined ? shell.assignText(name, value, { appends }) : shell.assignElement(name, subscript, value, appends);
  const variable = shell.variables.findOrCreate(shell.resolveName(name));
  if (!shell.mayAssign(name, variable)) return false;
  return assignElements(shell, name, value, appends);
}

export function assignElements(shell: Shell, name: string, elements: readonly ArrayElement[], appends: boolean): boolean {
  const variable = shell.variables.findOrCreate(shell.resolveName(name));
  if (variable.table !== undefined) {
    if (!appends) variable.table.clear();
    return assignTable(shell, name, elements);
  }
  shell.makeList(variable);
  const list = variable.list as Map<number, string>;
  if (!appends) list.clear();
  let next = Math.max(-1, ...list.keys()) + 1;
  for (const { subscript, text, appends: grows } of elements) {
    if (subscript !== undefined) next = Number(shell.arithmetic(subscript));
    if (next < 0) {
      shell.complain(`[${subscript}]=${text}: bad array subscript`);
      return false;
    }
    list.set(next, shell.shaped(variable, text, grows ? list.get(next) : undefined));
    next++;
  }
  return true;
}

function assignTable(shell: Shell, name: string, elements: readonly ArrayElement[]): boolean {
  // A list without keys gives keys and values in turn.
  if (elements.every((one) => one.subscript === undefined)) {
    for (let i = 0; i < elements.length; i += 2) shell.assignElement(name, elements[i]?.text ?? "", elements[i + 1]?.text ?? "");
    return true;
  }
  for (const { subscript, text, appends } of elements) {
    if (subscript === undefined) {
      shell.complain(`${name}: ${text}: must use subscript when assigning associative array`);
      return false;
    }
    shell.assignElement(name, subscript, text, appends);
  }
  return true;
}
