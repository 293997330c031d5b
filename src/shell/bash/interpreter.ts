/**
 * Runs parsed scripts: lists, pipelines, compound commands, functions, traps.
 */

import type { AndOr, ArithmeticExpression, ArithmeticFor, Case, CompoundList, For, If, Pipeline, PipelineNode, Statement, While } from "unbash";
import type { Running } from "../command.ts";
import { ArithmeticError } from "./arithmetic.ts";
import { runConditional } from "./conditions.ts";
import { ExpansionFailure, FunctionReturn, LoopExit, ShellExit } from "./control-flow.ts";
import { expandArithmetic, expandPattern, expandText, expandWords } from "./expansion.ts";
import { startJob, startPipeline, startSubshell, waitForChild } from "./jobs.ts";
import { matchesPattern } from "./patterns.ts";
import { traceQuote } from "./quoting.ts";
import { applyRedirections } from "./redirections.ts";
import type { Shell, ShellFunction } from "./shell.ts";
import { runSimpleCommand } from "./simple-command.ts";
import { makeUnit, type SourceUnit, syntaxProblem } from "./source-unit.ts";

/** Runs text as a script of its own in this shell: -c, eval, source, traps. */
export function* runText(
  shell: Shell,
  text: string,
  options: { readonly name: string; readonly firstLine: number; readonly problemPrefix: string; readonly inPlace?: boolean },
): Running<number> {
  const unit = makeUnit(text, options.name, options.firstLine);
  const problem = syntaxProblem(unit, shell.dialect);
  const outer = shell.unit;
  shell.unit = unit;
  shell.enter();
  try {
    const statements = problem === undefined ? unit.script.commands : problem.runnable;
    const only = statements[0];
    if (
      options.inPlace === true &&
      problem === undefined &&
      statements.length === 1 &&
      only !== undefined &&
      only.background !== true &&
      only.command.type === "Command" &&
      only.command.redirects.length === 0
    ) {
      return yield* runStatement(shell, only, true);
    }
    const status = yield* runLines(shell, unit, statements);
    if (problem === undefined) return statements.length === 0 ? 0 : status;
    if (shell.dialect === "dash") {
      shell.errorOutput(`${shell.name}: ${problem.line}: Syntax error: ${problem.message}\n`);
      throw new ShellExit(2);
    }
    const place = `${options.problemPrefix}: line ${problem.line}: `;
    shell.errorOutput(`${place}${problem.message}\n${problem.quoted === undefined ? "" : `${place}\`${problem.quoted}'\n`}`);
    shell.lastStatus = 2;
    return 2;
  } finally {
    shell.leave();
    shell.unit = outer;
  }
}

/** Statements of a text; an expansion that fails throws away the rest of its line, not what follows. */
function* runLines(shell: Shell, unit: SourceUnit, statements: readonly Statement[]): Running<number> {
  let status = 0;
  let isDiscarding = false;
  for (const [i, statement] of statements.entries()) {
    const previous = statements[i - 1];
    if (isDiscarding && previous !== undefined && !unit.text.slice(previous.end, statement.pos).includes("\n")) continue;
    isDiscarding = false;
    try {
      status = yield* runStatement(shell, statement, false);
    } catch (error) {
      if (!(error instanceof ExpansionFailure)) throw error;
      status = error.status;
      shell.lastStatus = status;
      isDiscarding = true;
      if (shell.dialect === "dash" && !shell.isInteractive) throw new ShellExit(2);
    }
  }
  return status;
}

export function* runList(shell: Shell, statements: readonly Statement[]): Running<number> {
  let status = 0;
  for (const statement of statements) status = yield* runStatement(shell, statement, false);
  return status;
}

function* runStatement(shell: Shell, statement: Statement, inPlace: boolean): Running<number> {
  if (shell.pendingTraps.length > 0) yield* runPendingTraps(shell);
  if (shell.options.has("noexec") && !shell.isInteractive) return 0;
  if (statement.background === true) {
    shell.line = shell.unit?.lineAt(statement.pos) ?? shell.line;
    shell.countCommand();
    startJob(shell, statement);
    shell.lastStatus = 0;
    return 0;
  }
  const status = yield* runNode(shell, statement.command, inPlace);
  shell.lastStatus = status;
  if (shell.pendingTraps.length > 0) yield* runPendingTraps(shell);
  return status;
}

/** Runs the actions of traps whose signals have come. */
export function* runPendingTraps(shell: Shell): Running<void> {
  if (shell.dyingOf !== undefined) throw new ShellExit(128);
  while (shell.pendingTraps.length > 0 && !shell.isRunningTrap) {
    const signal = shell.pendingTraps.shift() as string;
    const action = shell.traps.get(signal);
    if (action === undefined || action === "") continue;
    const status = shell.lastStatus;
    shell.isRunningTrap = true;
    try {
      yield* runText(shell, action, { name: shell.unit?.name ?? shell.name, firstLine: shell.line, problemPrefix: `${shell.name}: ${signal}` });
    } finally {
      shell.isRunningTrap = false;
    }
    shell.lastStatus = status;
  }
}

export function* runNode(shell: Shell, node: PipelineNode | AndOr | CompoundList, inPlace = false): Running<number> {
  switch (node.type) {
    case "Command":
      return yield* checked(shell, yield* runSimpleCommand(shell, node, inPlace));
    case "Pipeline":
      return yield* runPipeline(shell, node);
    case "AndOr":
      return yield* runAndOr(shell, node);
    case "CompoundList":
      return yield* runList(shell, node.commands);
    case "BraceGroup":
      return yield* runList(shell, node.body.commands);
    case "Redirected": {
      shell.line = shell.unit?.lineAt(node.pos) ?? shell.line;
      const saved = yield* applyRedirections(shell, node.redirects);
      if (saved === undefined) return yield* checked(shell, shell.redirectionFailure);
      // A subshell that this process is for never goes back: what was open before is closed, and nobody waits for it.
      if (inPlace && node.command.type === "Subshell") saved.keep();
      try {
        return yield* runNode(shell, node.command, inPlace);
      } finally {
        saved.undo();
      }
    }
    case "Subshell": {
      shell.countCommand();
      shell.runningNode = node;
      if (inPlace) return yield* runList(shell, node.body.commands);
      const child = startSubshell(shell, new Map(), (sub) => runList(sub, node.body.commands));
      return yield* checked(shell, yield* waitForChild(shell, child));
    }
    case "If":
      return yield* runIf(shell, node);
    case "For":
      return yield* runFor(shell, node);
    case "ArithmeticFor":
      return yield* runArithmeticFor(shell, node);
    case "While":
      return yield* runWhile(shell, node);
    case "Case":
      return yield* runCase(shell, node);
    case "Select":
      shell.complain("select: lvsim does not simulate menus: there is no terminal");
      return 1;
    case "Coproc":
      shell.complain("coproc: lvsim does not simulate coprocesses");
      return 1;
    case "Function":
      shell.functions.set(node.name.value, { name: node.name.value, body: node.body, unit: shell.unit as SourceUnit });
      return 0;
    case "TestCommand":
      shell.line = shell.unit?.lineAt(node.pos) ?? shell.line;
      shell.countCommand();
      if (shell.dialect === "dash") {
        shell.complain("[[: not found");
        return yield* checked(shell, 127);
      }
      return yield* checked(shell, yield* runConditional(shell, node.expression));
    case "ArithmeticCommand":
      shell.line = shell.unit?.lineAt(node.pos) ?? shell.line;
      shell.countCommand();
      return yield* checked(shell, yield* runArithmetic(shell, node.body, "((: "));
  }
}

/** ERR trap and set -e, where a failure counts. */
function* checked(shell: Shell, status: number): Running<number> {
  if (status === 0 || shell.conditionDepth > 0) return status;
  const action = shell.traps.get("ERR");
  if (action !== undefined && action !== "" && !shell.isRunningTrap && (shell.calls.length === 0 || shell.options.has("errtrace"))) {
    shell.lastStatus = status;
    shell.isRunningTrap = true;
    try {
      yield* runText(shell, action, { name: shell.unit?.name ?? shell.name, firstLine: shell.line, problemPrefix: `${shell.name}: ERR` });
    } finally {
      shell.isRunningTrap = false;
    }
  }
  if (shell.options.has("errexit")) throw new ShellExit(status);
  return status;
}

/** Status of `(( ))`: 1 when the value is 0 or the expression is wrong. */
function* runArithmetic(shell: Shell, body: string, prefix: string): Running<number> {
  if (shell.options.has("xtrace")) shell.errorOutput(`${shell.tracePrefix}(( ${body} ))\n`);
  const text = yield* expandArithmetic(shell, body);
  try {
    return shell.evaluate(text) === 0n ? 1 : 0;
  } catch (error) {
    if (error instanceof ExpansionFailure) return error.status;
    if (!(error instanceof ArithmeticError)) throw error;
    shell.complain(prefix + error.message);
    return 1;
  }
}

function* inCondition(shell: Shell, body: () => Running<number>): Running<number> {
  shell.conditionDepth++;
  try {
    return yield* body();
  } finally {
    shell.conditionDepth--;
  }
}

function* runAndOr(shell: Shell, node: AndOr): Running<number> {
  let status = 0;
  for (const [i, command] of node.commands.entries()) {
    const operator = node.operators[i - 1];
    if (operator !== undefined && (operator === "&&") !== (status === 0)) continue;
    status = i === node.commands.length - 1 ? yield* runNode(shell, command) : yield* inCondition(shell, () => runNode(shell, command));
    shell.lastStatus = status;
  }
  return status;
}

function* runPipeline(shell: Shell, node: Pipeline): Running<number> {
  const { loop } = shell.machine.host;
  const isTimed = node.prefixes.some((prefix) => prefix.type === "Time");
  const negations = node.prefixes.filter((prefix) => prefix.type === "Negation").length;
  const startNs = loop.nowNs;
  const only = node.commands[0];
  let status: number;
  if (node.commands.length <= 1 && only !== undefined)
    status = negations > 0 ? yield* inCondition(shell, () => runNode(shell, only)) : yield* runNode(shell, only);
  else {
    shell.line = shell.unit?.lineAt(node.pos) ?? shell.line;
    const processes = startPipeline(shell, node, undefined);
    const statuses: number[] = [];
    for (const process of processes) statuses.push(yield* waitForChild(shell, process));
    shell.pipeStatus = statuses;
    status = shell.options.has("pipefail") ? (statuses.findLast((one) => one !== 0) ?? 0) : (statuses.at(-1) ?? 0);
    if (negations === 0) status = yield* checked(shell, status);
  }
  if (isTimed) {
    const seconds = (loop.nowNs - startNs) / 1e9;
    const real = `${Math.floor(seconds / 60)}m${(seconds % 60).toFixed(3)}s`;
    const isPosix = node.prefixes.some((prefix) => prefix.type === "Time" && prefix.posix !== undefined);
    shell.errorOutput(isPosix ? `real ${seconds.toFixed(2)}\nuser 0.00\nsys 0.00\n` : `\nreal\t${real}\nuser\t0m0.000s\nsys\t0m0.000s\n`);
  }
  return negations % 2 === 1 ? (status === 0 ? 1 : 0) : status;
}

function* runIf(shell: Shell, node: If): Running<number> {
  if ((yield* inCondition(shell, () => runList(shell, node.clause.commands))) === 0) return yield* runList(shell, node.then.commands);
  for (const branch of node.elif) {
    if ((yield* inCondition(shell, () => runList(shell, branch.clause.commands))) === 0) return yield* runList(shell, branch.then.commands);
  }
  return node.else === undefined ? 0 : yield* runList(shell, node.else.commands);
}

type TurnEnd = { readonly status: number; readonly isOver: boolean };

/** One turn of a loop; break and continue for this level end here. */
function* runTurn(shell: Shell, body: CompoundList): Running<TurnEnd> {
  shell.loopDepth++;
  try {
    shell.table.countStep(shell.line);
    return { status: yield* runList(shell, body.commands), isOver: false };
  } catch (error) {
    if (!(error instanceof LoopExit)) throw error;
    if (error.levels > 1 && shell.loopDepth > 1) {
      error.levels--;
      throw error;
    }
    return { status: 0, isOver: error.kind === "break" };
  } finally {
    shell.loopDepth--;
  }
}

function* runFor(shell: Shell, node: For): Running<number> {
  const line = shell.unit?.lineAt(node.pos) ?? shell.line;
  shell.line = line;
  const words = node.wordlist === undefined ? shell.args : yield* expandWords(shell, node.wordlist);
  let status = 0;
  for (const word of words) {
    if (shell.options.has("xtrace"))
      shell.errorOutput(
        `${shell.tracePrefix}for ${node.name.value} in ${node.wordlist === undefined ? '"$@"' : node.wordlist.map((one) => one.text).join(" ")}\n`,
      );
    shell.line = line;
    if (!shell.assignText(node.name.value, word)) return 1;
    const turn = yield* runTurn(shell, node.body);
    status = turn.status;
    if (turn.isOver) break;
  }
  return status;
}

function* runArithmeticFor(shell: Shell, node: ArithmeticFor): Running<number> {
  shell.line = shell.unit?.lineAt(node.pos) ?? shell.line;
  const { unit } = shell;
  const evaluate = function* (expression: ArithmeticExpression | undefined): Running<bigint | undefined> {
    if (expression === undefined) return 1n;
    const text = unit?.text.slice(expression.pos, expression.end) ?? "";
    if (shell.options.has("xtrace")) shell.errorOutput(`${shell.tracePrefix}(( ${text} ))\n`);
    try {
      return shell.evaluate(yield* expandArithmetic(shell, text));
    } catch (error) {
      if (!(error instanceof ArithmeticError)) throw error;
      shell.complain(`((: ${error.message}`);
      return undefined;
    }
  };
  if ((yield* evaluate(node.initialize)) === undefined) return 1;
  let status = 0;
  for (;;) {
    const test = yield* evaluate(node.test);
    if (test === undefined) return 1;
    if (test === 0n) return status;
    const turn = yield* runTurn(shell, node.body);
    status = turn.status;
    if (turn.isOver) return status;
    if ((yield* evaluate(node.update)) === undefined) return 1;
  }
}

function* runWhile(shell: Shell, node: While): Running<number> {
  let status = 0;
  for (;;) {
    shell.loopDepth++;
    let isOver: boolean;
    try {
      const test = yield* inCondition(shell, () => runList(shell, node.clause.commands));
      isOver = (test === 0) === (node.kind === "until");
    } catch (error) {
      if (!(error instanceof LoopExit)) throw error;
      if (error.levels > 1 && shell.loopDepth > 1) {
        error.levels--;
        throw error;
      }
      if (error.kind === "continue") continue;
      return 0;
    } finally {
      shell.loopDepth--;
    }
    if (isOver) return status;
    const turn = yield* runTurn(shell, node.body);
    status = turn.status;
    if (turn.isOver) return status;
  }
}

function* runCase(shell: Shell, node: Case): Running<number> {
  shell.line = shell.unit?.lineAt(node.pos) ?? shell.line;
  const word = yield* expandText(shell, node.word);
  if (shell.options.has("xtrace")) shell.errorOutput(`${shell.tracePrefix}case ${traceQuote(word)} in\n`);
  let status = 0;
  let fallsThrough = false;
  for (const item of node.items) {
    let isMatch = fallsThrough;
    for (const pattern of isMatch ? [] : item.pattern) {
      if (!matchesPattern(word, yield* expandPattern(shell, pattern))) continue;
      isMatch = true;
      break;
    }
    if (!isMatch) continue;
    status = yield* runList(shell, item.body.commands);
    if (item.terminator === ";;" || item.terminator === undefined) return status;
    fallsThrough = item.terminator === ";&";
  }
  return status;
}

export function* callFunction(shell: Shell, called: ShellFunction, args: readonly string[]): Running<number> {
  const outer = { args: shell.args, unit: shell.unit, loopDepth: shell.loopDepth };
  shell.enter();
  shell.args = args;
  shell.unit = called.unit;
  shell.loopDepth = 0;
  shell.calls.push(called);
  shell.variables.pushScope();
  try {
    return yield* runNode(shell, called.body);
  } catch (error) {
    if (!(error instanceof FunctionReturn)) throw error;
    return error.status;
  } finally {
    shell.variables.popScope();
    shell.calls.pop();
    shell.args = outer.args;
    shell.unit = outer.unit;
    shell.loopDepth = outer.loopDepth;
    shell.leave();
  }
}

/** Whether an error only ends the running line: typed lines go on after it. */
export function isLineError(error: unknown): error is ExpansionFailure {
  return error instanceof ExpansionFailure;
}
