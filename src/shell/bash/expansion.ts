/**
 * Word expansion (bash manual 3.5): braces, tilde, parameters, substitutions, arithmetic, splitting, pathnames, quote removal.
 *
 * A word becomes pieces that remember whether they were quoted; fields are cut from the pieces; what is left unquoted in a field may be a pattern.
 */

import { type ArrayValue, type Assignment, type CommandArgument, parse, type Word, type WordPart } from "unbash";
import type { Running } from "../command.ts";
import { expandBraces } from "./brace-expansion.ts";
import { FIELD_BREAK, type Piece, splitFields } from "./field-splitting.ts";
import { expandGlob } from "./globs.ts";
import { expandParameter, expandSimple } from "./parameter-expansion.ts";
import { escapePattern, hasPattern } from "./patterns.ts";
import type { Shell } from "./shell.ts";
import { makeUnit } from "./source-unit.ts";

export interface PieceContext {
  /** Inside double quotes or a here-document. */
  readonly isQuoted: boolean;
  /** One string is wanted: lists are joined, nothing is split. */
  readonly isJoined: boolean;
  /** Tilde is expanded behind `=` and `:` too. */
  readonly isAssignment?: boolean;
}

const WORD: PieceContext = { isQuoted: false, isJoined: false };
/** `name=~/x` as an ordinary argument. */
const ARGUMENT: PieceContext = { isQuoted: false, isJoined: false, isAssignment: true };
const TEXT: PieceContext = { isQuoted: false, isJoined: true };
const ASSIGNED: PieceContext = { isQuoted: false, isJoined: true, isAssignment: true };
const QUOTED: PieceContext = { isQuoted: true, isJoined: false };
const QUOTED_TEXT: PieceContext = { isQuoted: true, isJoined: true };
const REPARSED_MAX = 500;
const reparsed = new Map<string, readonly WordPart[]>();

/** Arguments of a command, in order. */
export function* expandWords(shell: Shell, words: readonly CommandArgument[]): Running<string[]> {
  const out: string[] = [];
  for (const word of words) {
    if (word.type === "Word" && isPlain(word)) out.push(word.value);
    else if (word.type === "Word") for (const field of yield* expandWord(shell, word)) out.push(field);
    else for (const field of yield* fieldsOf(shell, yield* piecesOfWord(shell, assignmentAsWord(word), ARGUMENT))) out.push(field);
    if (out.length > shell.budget.limits.expansionMax) shell.limit("expansionMax", "too many words");
  }
  return out;
}

/** A word without quotes, expansions or patterns. */
function isPlain(word: Word): boolean {
  return word.parts === undefined && word.value === word.text && !word.text.includes("~") && !word.text.includes("\\");
}

/** One word to fields. */
export function* expandWord(shell: Shell, word: Word): Running<string[]> {
  if (word.parts?.some((part) => part.type === "BraceExpansion") === true && shell.options.has("braceexpand")) return yield* expandBracedWord(shell, word);
  return yield* fieldsOf(shell, yield* piecesOfWord(shell, word, WORD));
}

function* expandBracedWord(shell: Shell, word: Word): Running<string[]> {
  let texts: string[];
  try {
    texts = expandBraces(word.text, shell.budget.limits.expansionMax);
  } catch (error) {
    if (error instanceof RangeError) return shell.limit("expansionMax", "a brace expansion gives too many words");
    throw error;
  }
  const out: string[] = [];
  for (const text of texts) {
    if (text === "") continue;
    const pieces = yield* piecesOfText(shell, text, WORD);
    for (const field of yield* fieldsOf(shell, pieces)) out.push(field);
  }
  return out;
}

function* fieldsOf(shell: Shell, pieces: readonly Piece[]): Running<string[]> {
  const out: string[] = [];
  for (const field of splitFields(pieces, shell.readText("IFS"))) {
    const text = field.map((piece) => piece.text).join("");
    if (shell.options.has("noglob") || !field.some((piece) => !piece.isQuoted && /[*?[]|[@+!]\(/.test(piece.text))) {
      out.push(text);
      continue;
    }
    const pattern = field.map((piece) => (piece.isQuoted ? escapePattern(piece.text) : piece.text.replaceAll("\\", "\\\\"))).join("");
    const paths = hasPattern(pattern) ? expandGlob(shell.machine.files, shell.cwd, pattern, { hasDots: shell.shopts.has("dotglob") }) : [];
    if (paths.length > 0) out.push(...paths);
    else if (hasPattern(pattern) && shell.shopts.has("failglob")) shell.failExpansion(`no match: ${text}`);
    else if (!hasPattern(pattern) || !shell.shopts.has("nullglob")) out.push(text);
  }
  return out;
}

/** One string: redirection targets of here-strings, case words, subscripts. */
export function* expandText(shell: Shell, word: Word | undefined): Running<string> {
  if (word === undefined) return "";
  if (isPlain(word)) return word.value;
  return joinPieces(yield* piecesOfWord(shell, word, TEXT));
}

/** The right side of an assignment. */
export function* expandAssigned(shell: Shell, word: Word | undefined): Running<string> {
  if (word === undefined) return "";
  if (isPlain(word)) return word.value;
  return joinPieces(yield* piecesOfWord(shell, word, ASSIGNED));
}

/** A pattern: quoted text is escaped. */
export function* expandPattern(shell: Shell, word: Word | undefined): Running<string> {
  if (word === undefined) return "";
  const pieces = yield* piecesOfWord(shell, word, TEXT);
  return pieces.map((piece) => (piece.isQuoted ? escapePattern(piece.text) : piece.text)).join("");
}

/** A regular expression for =~: quoted text is taken literally. */
export function* expandRegex(shell: Shell, word: Word): Running<string> {
  const pieces = yield* piecesOfWord(shell, word, TEXT);
  return pieces.map((piece) => (piece.isQuoted ? piece.text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&") : piece.text)).join("");
}

/** A subscript: quotes are removed, nothing is split. */
export function* expandSubscript(shell: Shell, word: Word): Running<string> {
  return yield* expandText(shell, word);
}

/** The body of a here-document. */
export function* expandHereDocument(shell: Shell, parts: readonly WordPart[]): Running<string> {
  return joinPieces(yield* piecesOfParts(shell, parts, QUOTED_TEXT));
}

/** Arithmetic text: `$` expansions are done, quotes are gone. */
export function* expandArithmetic(shell: Shell, text: string): Running<string> {
  if (!/[$`\\"']/.test(text)) return text;
  const inner = text.includes("$(") || text.includes("`") ? text : text.replace(/"/g, "");
  return joinPieces(yield* piecesOfText(shell, `"${inner.replace(/^"|"$/g, "")}"`, QUOTED_TEXT));
}

/** Parses and expands text that the parser has not seen as a word. */
export function* piecesOfText(shell: Shell, text: string, context: PieceContext): Running<Piece[]> {
  let parts = reparsed.get(text);
  const source = `: ${text}`;
  if (parts === undefined) {
    const statement = parse(source).commands[0]?.command;
    const word = statement?.type === "Command" ? statement.suffix[0] : undefined;
    parts = word?.type === "Word" ? partsOf(word) : [{ type: "Literal", pos: 0, end: text.length, value: text, text }];
    if (reparsed.size >= REPARSED_MAX) reparsed.clear();
    reparsed.set(text, parts);
  }
  const outer = shell.unit;
  shell.unit = makeUnit(source, outer?.name ?? shell.name, shell.line);
  try {
    return yield* piecesOfParts(shell, parts, context);
  } finally {
    shell.unit = outer;
  }
}

export function joinPieces(pieces: readonly Piece[]): string {
  return pieces.length === 1 ? (pieces[0] as Piece).text : pieces.map((piece) => (piece === FIELD_BREAK ? " " : piece.text)).join("");
}

/** An `a=b` that stands where an ordinary argument does. */
function assignmentAsWord(assignment: Assignment): Word {
  if (assignment.value.type === "ArrayValue") return { type: "Word", text: assignment.text, value: assignment.text, pos: assignment.pos, end: assignment.end };
  const head = assignment.text.slice(0, assignment.text.length - assignment.value.text.length);
  const [first, ...others] = partsOf(assignment.value);
  const start = first?.type === "Literal" ? first.text : "";
  const literal: WordPart = { type: "Literal", pos: assignment.pos, end: assignment.end, value: head + start, text: head + start };
  const parts = first === undefined || first.type === "Literal" ? others : [first, ...others];
  return { type: "Word", text: assignment.text, value: assignment.text, pos: assignment.pos, end: assignment.end, parts: [literal, ...parts] };
}

function partsOf(word: Word): readonly WordPart[] {
  return word.parts ?? [{ type: "Literal", pos: word.pos, end: word.end, value: word.value, text: word.text }];
}

export function* piecesOfWord(shell: Shell, word: Word, context: PieceContext): Running<Piece[]> {
  return yield* piecesOfParts(shell, partsOf(word), context);
}

export function* piecesOfParts(shell: Shell, parts: readonly WordPart[], context: PieceContext): Running<Piece[]> {
  const out: Piece[] = [];
  for (const [i, part] of parts.entries()) {
    if (part.type === "Literal" && !context.isQuoted) pushLiteral(shell, out, part.text, { isFirst: i === 0, isLast: i === parts.length - 1, context });
    else yield* pushPart(shell, out, part, context);
  }
  return out;
}

function* pushPart(shell: Shell, out: Piece[], part: WordPart, context: PieceContext): Running<void> {
  const { isQuoted } = context;
  switch (part.type) {
    case "Literal":
      out.push({ text: part.value, isQuoted, isSplit: false });
      return;
    case "SingleQuoted":
      out.push({ text: isQuoted ? part.text : part.value, isQuoted: true, isSplit: false });
      return;
    case "AnsiCQuoted":
      out.push({ text: part.value, isQuoted: true, isSplit: false });
      return;
    case "DoubleQuoted":
    case "LocaleString":
      yield* pushDoubleQuoted(shell, out, part.parts, context);
      return;
    case "SimpleExpansion":
      for (const piece of expandSimple(shell, part.text, context)) out.push(piece);
      return;
    case "ParameterExpansion":
      for (const piece of yield* expandParameter(shell, part, context)) out.push(piece);
      return;
    case "CommandExpansion": {
      const text = yield* shell.engine.substitute(shell, part.text, part.script);
      out.push({ text, isQuoted, isSplit: !isQuoted && !context.isJoined });
      return;
    }
    case "ArithmeticExpansion": {
      const raw = part.text.startsWith("$((") ? part.text.slice(3, -2) : part.text.slice(2, -1);
      const text = String(shell.arithmetic(yield* expandArithmetic(shell, raw)));
      out.push({ text, isQuoted, isSplit: !isQuoted && !context.isJoined });
      return;
    }
    case "ProcessSubstitution":
      out.push({ text: yield* shell.engine.processSubstitution(shell, part.operator, part.script), isQuoted: true, isSplit: false });
      return;
    case "Glob":
      yield* pushBracketed(shell, out, { text: part.text, open: "[", close: "]", parts: part.parts }, context);
      return;
    case "ExtendedGlob":
      yield* pushBracketed(shell, out, { text: part.text, open: `${part.operator}(`, close: ")", parts: part.parts }, context);
      return;
    case "BraceExpansion":
      if (part.parts === undefined) pushLiteral(shell, out, part.text, { isFirst: false, isLast: false, context });
      else yield* pushBracketed(shell, out, { text: part.text, open: "{", close: "}", parts: part.parts }, context);
      return;
  }
}

function* pushBracketed(
  shell: Shell,
  out: Piece[],
  group: { readonly text: string; readonly open: string; readonly close: string; readonly parts: readonly WordPart[] | undefined },
  context: PieceContext,
): Running<void> {
  const { text, open, close, parts } = group;
  if (parts === undefined || parts.every((part) => part.type === "Literal" || part.type === "Glob")) {
    if (context.isQuoted) out.push({ text, isQuoted: true, isSplit: false });
    else if (open === "[" && text.includes("\\")) out.push({ text, isQuoted: false, isSplit: false });
    else pushLiteral(shell, out, text, { isFirst: false, isLast: false, context });
    return;
  }
  out.push({ text: open, isQuoted: context.isQuoted, isSplit: false });
  for (const piece of yield* piecesOfParts(shell, parts, context)) out.push(piece);
  out.push({ text: close, isQuoted: context.isQuoted, isSplit: false });
}

function* pushDoubleQuoted(shell: Shell, out: Piece[], parts: readonly WordPart[], context: PieceContext): Running<void> {
  const start = out.length;
  for (const piece of yield* piecesOfParts(shell, parts, context.isJoined ? QUOTED_TEXT : QUOTED)) out.push(piece);
  if (out.length > start) return;
  // "$@" without parameters leaves no field at all.
  const isNothing =
    parts.length > 0 &&
    parts.every((part) =>
      part.type === "SimpleExpansion" ? part.text === "$@" : part.type === "ParameterExpansion" && (part.parameter === "@" || part.index?.text === "@"),
    );
  if (!isNothing || context.isJoined) out.push({ text: "", isQuoted: true, isSplit: false });
}

/** Unquoted text: backslashes quote, a tilde in front means a home directory. */
function pushLiteral(
  shell: Shell,
  out: Piece[],
  text: string,
  where: { readonly isFirst: boolean; readonly isLast: boolean; readonly context: PieceContext },
): void {
  let rest = text;
  if (rest.includes("~")) {
    const isArgument = where.isFirst && !where.context.isJoined && /^[A-Za-z_]\w*=/.test(rest);
    if (where.isFirst || where.context.isAssignment === true) rest = expandTildes(shell, out, rest, isArgument ? { ...where, context: ARGUMENT } : where);
  }
  if (!rest.includes("\\")) {
    if (rest !== "") out.push({ text: rest, isQuoted: false, isSplit: false });
    return;
  }
  let plain = "";
  for (let i = 0; i < rest.length; i++) {
    const character = rest[i] as string;
    if (character !== "\\") {
      plain += character;
      continue;
    }
    const next = rest[++i];
    if (plain !== "") out.push({ text: plain, isQuoted: false, isSplit: false });
    plain = "";
    if (next !== "\n") out.push({ text: next ?? "\\", isQuoted: true, isSplit: false });
  }
  if (plain !== "") out.push({ text: plain, isQuoted: false, isSplit: false });
}

/** Puts out what tildes stand for; returns the text behind the last one. */
function expandTildes(
  shell: Shell,
  out: Piece[],
  text: string,
  where: { readonly isFirst: boolean; readonly isLast: boolean; readonly context: PieceContext },
): string {
  let rest = text;
  if (where.isFirst) rest = pushTilde(shell, out, rest, where.isLast);
  if (where.context.isAssignment !== true) return rest;
  const next = (): number => rest.search(where.context.isJoined ? /:~/ : /[:=]~/);
  for (let colon = next(); colon >= 0; colon = next()) {
    out.push({ text: rest.slice(0, colon + 1), isQuoted: false, isSplit: false });
    const after = rest.slice(colon + 1);
    rest = pushTilde(shell, out, after, where.isLast);
    if (rest === after) {
      out.push({ text: "~", isQuoted: false, isSplit: false });
      rest = rest.slice(1);
    }
  }
  return rest;
}

function pushTilde(shell: Shell, out: Piece[], text: string, isLast: boolean): string {
  const match = /^~([A-Za-z0-9_.+-]*)(?=$|[/:])/.exec(text);
  if (match === null || (match[0] === text && !isLast)) return text;
  const user = match[1] as string;
  const home = user === "" ? (shell.readText("HOME") ?? "/root") : user === "+" ? shell.cwd : user === "-" ? shell.readText("OLDPWD") : homeOf(shell, user);
  if (home === undefined) return text;
  out.push({ text: home, isQuoted: true, isSplit: false });
  return text.slice(match[0].length);
}

function homeOf(shell: Shell, user: string): string | undefined {
  const { files } = shell.machine;
  if (!files.exists("/etc/passwd")) return undefined;
  return files
    .read("/etc/passwd")
    .split("\n")
    .find((line) => line.startsWith(`${user}:`))
    ?.split(":")[5];
}

/** The elements of `(...)`: either keyed or in order. */
export function* expandArrayElements(
  shell: Shell,
  value: ArrayValue,
  isTable: boolean,
): Running<{ readonly subscript: string | undefined; readonly text: string; readonly appends: boolean }[]> {
  const out: { subscript: string | undefined; text: string; appends: boolean }[] = [];
  for (const word of value.elements) {
    const keyed = keyedElement(word.text);
    if (keyed !== undefined) {
      const subscript = joinPieces(yield* piecesOfText(shell, quoteSubscript(keyed.key, isTable), TEXT));
      const text = keyed.value === "" ? "" : joinPieces(yield* piecesOfText(shell, keyed.value, ASSIGNED));
      out.push({ subscript, text, appends: keyed.appends });
    } else for (const text of yield* expandWord(shell, word)) out.push({ subscript: undefined, text, appends: false });
  }
  return out;
}

/** A key with spaces is one word although nothing quotes it. */
function quoteSubscript(key: string, isTable: boolean): string {
  return isTable && /\s/.test(key) && !/["'\\]/.test(key)
    ? `"${key}"`
    : key.replace(/^\s+|\s+$/g, "").replace(/\s+/g, "") === ""
      ? '""'
      : isTable
        ? key
        : key.replace(/\s+/g, "");
}

/** `[key]=value` or `[key]+=value` as raw text. */
function keyedElement(text: string): { readonly key: string; readonly value: string; readonly appends: boolean } | undefined {
  if (!text.startsWith("[")) return undefined;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "[") depth++;
    else if (text[i] === "]" && --depth === 0) {
      if (text[i + 1] === "=") return { key: text.slice(1, i), value: text.slice(i + 2), appends: false };
      if (text.startsWith("+=", i + 1)) return { key: text.slice(1, i), value: text.slice(i + 3), appends: true };
      return undefined;
    }
  }
  return undefined;
}
