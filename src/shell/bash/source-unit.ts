/**
 * One piece of script text: line numbers as bash counts them, and what it says about syntax errors.
 */

import { forEachChild, type ParsedScript, type ParseError, parse, type Statement, type SyntaxNode } from "unbash";

const CACHE_MAX = 500;
/** Nodes looked at for errors inside substitutions. */
const NODES_MAX = 200_000;

export interface SourceUnit {
  readonly text: string;
  /** BASH_SOURCE: a file, `environment` for what was given by -c, `main` typed lines. */
  readonly name: string;
  readonly script: ParsedScript;
  lineAt(pos: number): number;
}

export interface SyntaxProblem {
  /** Statements that come before the faulty line and are still run. */
  readonly runnable: readonly Statement[];
  readonly line: number;
  readonly message: string;
  /** The line that is quoted below the message; undefined when none is. */
  readonly quoted: string | undefined;
}

const cache = new Map<string, ParsedScript>();

function parseCached(text: string): ParsedScript {
  let script = cache.get(text);
  if (script === undefined) {
    script = parse(text);
    if (cache.size >= CACHE_MAX) cache.clear();
    cache.set(text, script);
  }
  return script;
}

/** `firstLine` is the number of the first line: eval counts on from its own. */
export function makeUnit(text: string, name: string, firstLine = 1): SourceUnit {
  const starts: number[] = [];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at);
  return {
    text,
    name,
    script: parseCached(text),
    lineAt: (pos) => {
      let low = 0;
      let high = starts.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((starts[middle] as number) < pos) low = middle + 1;
        else high = middle;
      }
      return firstLine + low;
    },
  };
}

/** A `$(...)`: bash prints the parsed commands and reads them again, so that blank lines do not count and the first one is on the outer command's line. */
export function substitutionUnit(outer: SourceUnit, script: ParsedScript, outerLine: number): SourceUnit {
  const text = script.source ?? outer.text;
  const first = script.commands[0]?.pos ?? 0;
  return {
    text,
    name: outer.name,
    script,
    lineAt: (pos) => {
      const between = text.slice(first, pos).replace(/\n(\s*(#[^\n]*)?\n)+/g, "\n");
      return outerLine + (between.split("\n").length - 1);
    },
  };
}

/** What the shell says about a text that does not parse; undefined when it does. */
export function syntaxProblem(unit: SourceUnit, dialect: "bash" | "dash" = "bash"): SyntaxProblem | undefined {
  const error = unit.script.errors?.[0] ?? nestedError(unit) ?? (dialect === "dash" ? foreignSyntax(unit) : undefined);
  if (error === undefined) return undefined;
  const { text } = unit;
  const statements = unit.script.commands;
  let groupStart = 0;
  for (let i = 0; i < statements.length; i++) {
    const statement = statements[i] as Statement;
    if (statement.pos > error.pos) break;
    const previous = statements[i - 1];
    if (previous === undefined || text.slice(previous.end, statement.pos).includes("\n")) groupStart = i;
  }
  const last = statements.findLast((statement) => statement.pos <= error.pos);
  // What is missing at the very end belongs to the last statement, what is too much stands on a line of its own.
  const isAtEnd = text.slice(error.pos).trim() === "";
  const isBehind = !isAtEnd && last !== undefined && last.end <= error.pos && text.slice(last.end, error.pos).includes("\n");
  const runnable = isBehind ? statements.filter((statement) => statement.pos <= error.pos) : statements.slice(0, groupStart);
  return { runnable, ...(dialect === "dash" ? describeForDash(unit, error) : describe(unit, error)) };
}

/** dash's words: `Syntax error: ` and these. */
function describeForDash(unit: SourceUnit, error: ParseError): Omit<SyntaxProblem, "runnable"> {
  const described = describe(unit, error);
  const isAtEnd = described.message.endsWith("end of file");
  const line = isAtEnd ? described.line - 1 : described.line;
  if (error.message.startsWith(FOREIGN)) return { line, message: error.message.slice(FOREIGN.length), quoted: undefined };
  const token = /token `(.*)'$/.exec(described.message)?.[1];
  if (token !== undefined) return { line, message: `${token === "newline" ? token : `"${token}"`} unexpected`, quoted: undefined };
  if (!isAtEnd) return { line, message: "Unterminated quoted string", quoted: undefined };
  const expected =
    /^expected '(\S+)'/.exec(error.message)?.[1] ?? (error.message.endsWith("'if'") ? "then" : error.message.endsWith("'while'") ? "do" : undefined);
  return { line, message: `end of file unexpected${expected === undefined ? "" : ` (expecting "${expected}")`}`, quoted: undefined };
}

const FOREIGN = "not in dash: ";

/** What bash can read and dash cannot. */
function foreignSyntax(unit: SourceUnit): ParseError | undefined {
  let found: ParseError | undefined;
  let count = 0;
  const report = (pos: number, what: string): void => {
    found ??= { message: FOREIGN + what, pos };
  };
  const visit = (node: SyntaxNode): void => {
    if (found !== undefined || ++count > NODES_MAX) return;
    if (node.type === "ArrayValue" || node.type === "ProcessSubstitution") report(node.pos, '"(" unexpected');
    else if (node.type === "HereString") report(node.pos, "redirection unexpected");
    else if (node.type === "ArithmeticFor") report(node.pos, "Bad for loop variable");
    else if (node.type === "Function" && /^function\s/.test(unit.text.slice(node.pos))) report(node.pos, '"(" unexpected');
    else forEachChild(node, visit);
  };
  forEachChild(unit.script, visit);
  return found;
}

function describe(unit: SourceUnit, error: ParseError): Omit<SyntaxProblem, "runnable"> {
  const { text } = unit;
  const endLine = unit.lineAt(text.length) + (text.endsWith("\n") ? 0 : 1);
  const opened = OPENERS.find(([words]) => error.message.includes(words));
  if (opened !== undefined && error.message.startsWith("unterminated")) {
    const line = opened[0].endsWith("substitution") ? endLine : unit.lineAt(error.pos);
    return { line, message: `unexpected EOF while looking for matching \`${opened[1]}'`, quoted: undefined };
  }
  const misplaced = error.message === "expected 'do'" ? tokenInsteadOfDo(unit) : undefined;
  const at = misplaced ?? error.pos + (/^[ \t]*/.exec(text.slice(error.pos))?.[0].length ?? 0);
  if (text.slice(at).trim() === "") return { line: endLine, message: "syntax error: unexpected end of file", quoted: undefined };
  const line = unit.lineAt(at);
  const quoted = text.slice(text.lastIndexOf("\n", at - 1) + 1).split("\n")[0] as string;
  return { line, message: `syntax error near unexpected token \`${tokenAt(text, at)}'`, quoted };
}

/** `for x in a b; echo`: where the word stands that should have been `do`; undefined when the text ended. */
function tokenInsteadOfDo(unit: SourceUnit): number | undefined {
  const last = unit.script.commands.at(-1)?.command;
  if (last?.type !== "For") return undefined;
  const end = last.wordlist?.at(-1)?.end ?? last.name.end;
  const at = end + (/^[ \t]*;?\s*/.exec(unit.text.slice(end))?.[0].length ?? 0);
  return at < unit.text.trimEnd().length ? at : undefined;
}

const OPENERS: readonly (readonly [string, string])[] = [
  ["double quote", '"'],
  ["single quote", "'"],
  ["command substitution", ")"],
  ["parameter expansion", "}"],
  ["backtick", "`"],
  ["arithmetic", ")"],
  ["process substitution", ")"],
  ["array", ")"],
];

function tokenAt(text: string, at: number): string {
  const operator = /^(?:;;&|;;|;&|&&|\|\||\|&|&>>|&>|<<<|<<-|<<|>>|<&|>&|<>|>\||[;&|()<>])/.exec(text.slice(at));
  if (operator !== null) return operator[0];
  if (text[at] === "\n") return "newline";
  return /^[^\s;&|()<>]+/.exec(text.slice(at))?.[0] ?? "newline";
}

/** The first error inside a `$(...)`; those in backquotes come up when they run. */
function nestedError(unit: SourceUnit): ParseError | undefined {
  if (!unit.text.includes("$(") && !unit.text.includes("<(") && !unit.text.includes(">(")) return undefined;
  let found: ParseError | undefined;
  let count = 0;
  const visit = (node: SyntaxNode): void => {
    if (found !== undefined || ++count > NODES_MAX) return;
    if (node.type === "CommandExpansion" && node.text.startsWith("`")) return;
    if (node.type === "Script" && node.errors?.[0] !== undefined) {
      found = node.errors[0];
      return;
    }
    forEachChild(node, visit);
  };
  forEachChild(unit.script, visit);
  return found;
}
