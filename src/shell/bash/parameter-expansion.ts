/**
 * `$x` and `${...}` in all their forms (bash manual 3.5.3).
 */

import type { ParameterExpansionPart, ParameterOperation, Word } from "unbash";
import type { Running } from "../command.ts";
import { expandArithmetic, expandPattern, expandSubscript, expandText, joinPieces, type PieceContext, piecesOfWord } from "./expansion.ts";
import { FIELD_BREAK, type Piece } from "./field-splitting.ts";
import { transformValues } from "./parameter-transform.ts";
import { compilePattern, patternSource } from "./patterns.ts";
import type { Shell } from "./shell.ts";
import { isName } from "./variables.ts";

/** Strings up to this long are tried cut by cut, which is exact for every pattern. */
const EXACT_CUT_MAX = 1000;

/** What a parameter stands for: one value, or a list ($@, ${a[*]}). */
export interface ParameterValue {
  readonly values: readonly string[];
  readonly isList: boolean;
  /** `*`: joined with IFS inside quotes. */
  readonly isStar: boolean;
  readonly isSet: boolean;
}

const UNSET: ParameterValue = { values: [], isList: false, isStar: false, isSet: false };

function scalar(text: string | undefined): ParameterValue {
  return text === undefined ? UNSET : { values: [text], isList: false, isStar: false, isSet: true };
}

function list(values: readonly string[], isStar: boolean): ParameterValue {
  return { values, isList: true, isStar, isSet: values.length > 0 };
}

/** `$name`, `$1`, `$?`. */
export function expandSimple(shell: Shell, text: string, context: PieceContext): Piece[] {
  const name = text.slice(1);
  const value = readParameter(shell, name, undefined);
  if (!value.isSet && !value.isList) reportUnset(shell, name, undefined);
  return asPieces(shell, value, context);
}

export function readParameter(shell: Shell, name: string, subscript: string | undefined): ParameterValue {
  if (subscript === "@" || subscript === "*")
    return list(
      shell.readAll(name).map(([, text]) => text),
      subscript === "*",
    );
  if (subscript !== undefined) return scalar(shell.readElement(name, subscript));
  switch (name) {
    case "@":
    case "*":
      return list(shell.args, name === "*");
    case "#":
      return scalar(String(shell.args.length));
    case "?":
      return scalar(String(shell.lastStatus));
    case "$":
      return scalar(String(shell.mainPid));
    case "!":
      return scalar(shell.lastBackgroundPid === undefined ? undefined : String(shell.lastBackgroundPid));
    case "-":
      return scalar(shell.optionLetters);
    case "0":
      return scalar(shell.name);
    default:
      return scalar(/^\d+$/.test(name) ? shell.args[Number(name) - 1] : shell.readText(name));
  }
}

function reportUnset(shell: Shell, name: string, subscript: string | undefined): void {
  if (!shell.options.has("nounset") || name === "@" || name === "*") return;
  const shown = isName(name) ? (subscript === undefined ? name : `${name}[${subscript}]`) : shell.dialect === "dash" ? name : `$${name}`;
  shell.failFatally(shell.dialect === "dash" ? `${shown}: parameter not set` : `${shown}: unbound variable`);
}

export function asPieces(shell: Shell, value: ParameterValue, context: PieceContext): Piece[] {
  const { isQuoted, isJoined } = context;
  if (!value.isList) {
    const text = value.values[0] ?? "";
    return [{ text, isQuoted, isSplit: !isQuoted && !isJoined }];
  }
  const ifs = shell.readText("IFS");
  if (isJoined || (isQuoted && value.isStar)) {
    const separator = value.isStar ? (ifs === undefined ? " " : ifs.slice(0, 1)) : " ";
    const text = value.values.join(separator);
    return isQuoted && !isJoined ? [{ text, isQuoted: true, isSplit: false }] : [{ text, isQuoted, isSplit: false }];
  }
  return value.values.flatMap((text, i) => {
    const piece: Piece = { text, isQuoted, isSplit: !isQuoted };
    return i === 0 ? [piece] : [FIELD_BREAK, piece];
  });
}

export function* expandParameter(shell: Shell, part: ParameterExpansionPart, context: PieceContext): Running<Piece[]> {
  const { operation, prefix } = part;
  if (operation?.type === "Unknown" && (operation.operator === "~" || operation.operator === "~~") && prefixless(part))
    return asPieces(shell, toggleCase(readParameter(shell, part.parameter, undefined), operation.operator), context);
  if (operation?.type === "Unknown" || part.parameter === "")
    return shell.failExpansion(shell.dialect === "dash" ? "Bad substitution" : `${part.text}: bad substitution`);
  if (operation?.type === "Names") {
    const names = shell.variables
      .visible()
      .map(([name]) => name)
      .filter((name) => name.startsWith(part.parameter));
    return asPieces(shell, list(names, operation.operator === "*"), context);
  }
  let name = part.parameter;
  let subscript =
    part.index === undefined ? undefined : part.index.text === "@" || part.index.text === "*" ? part.index.text : yield* subscriptOf(shell, name, part.index);
  if (prefix === "!") {
    if (subscript === "@" || subscript === "*")
      return asPieces(
        shell,
        list(
          shell.readAll(name).map(([key]) => key),
          subscript === "*",
        ),
        context,
      );
    const target = readParameter(shell, name, subscript).values[0];
    if (shell.variables.find(name)?.isReference === true) return asPieces(shell, scalar(shell.resolveName(name)), context);
    if (target === undefined || target === "") {
      if (operation?.type !== "Default")
        shell.failExpansion(target === undefined ? `${part.text.slice(2, -1)}: invalid indirect expansion` : `${target}: invalid variable name`);
    }
    [name, subscript] = splitReference(target ?? "");
    if (subscript === undefined && !isName(name) && !/^(?:\d+|[@*#?$!-])$/.test(name) && target !== undefined)
      shell.failExpansion(`${target}: invalid variable name`);
  }
  const value = readParameter(shell, name, subscript);
  if (prefix === "#") {
    if (!value.isSet && !value.isList) reportUnset(shell, name, subscript);
    return asPieces(shell, scalar(String(value.isList ? value.values.length : (value.values[0] ?? "").length)), context);
  }
  if (operation?.type === "Default") return yield* expandDefault(shell, { name, subscript, operation, value }, context);
  if (!value.isSet && !value.isList) reportUnset(shell, name, subscript);
  if (operation === undefined) return asPieces(shell, value, context);
  return asPieces(shell, yield* applyOperation(shell, { name, subscript, operation, value }), context);
}

function prefixless(part: ParameterExpansionPart): boolean {
  return part.prefix === undefined && part.index === undefined;
}

/** `${x~}` and `${x~~}`: the other case. */
function toggleCase(value: ParameterValue, operator: string): ParameterValue {
  const toggle = (character: string): string => (character === character.toUpperCase() ? character.toLowerCase() : character.toUpperCase());
  return { ...value, values: value.values.map((text) => (operator === "~" ? toggle(text.slice(0, 1)) + text.slice(1) : [...text].map(toggle).join(""))) };
}

function* subscriptOf(shell: Shell, name: string, index: Word): Running<string> {
  const isTable = shell.variables.find(shell.resolveName(name))?.table !== undefined;
  return isTable ? yield* expandSubscript(shell, index) : yield* expandArithmetic(shell, index.text);
}

function splitReference(text: string): [string, string | undefined] {
  const match = /^([A-Za-z_]\w*)\[(.*)\]$/.exec(text);
  return match === null ? [text, undefined] : [match[1] as string, match[2]];
}

interface Applied<O extends ParameterOperation> {
  readonly name: string;
  readonly subscript: string | undefined;
  readonly operation: O;
  readonly value: ParameterValue;
}

function* expandDefault(shell: Shell, applied: Applied<Extract<ParameterOperation, { type: "Default" }>>, context: PieceContext): Running<Piece[]> {
  const { name, subscript, operation, value } = applied;
  const { operator, operand } = operation;
  const checksNull = operator.startsWith(":");
  const isPresent = value.isSet && !(checksNull && value.values.join("") === "" && (value.values.length < 2 || value.isStar));
  const kind = operator.at(-1);
  if (kind === "+" ? !isPresent : isPresent)
    return kind === "+" ? asPieces(shell, scalar(""), context).filter((piece) => piece.isQuoted || context.isJoined) : asPieces(shell, value, context);
  if (kind === "?") {
    const message =
      operand.text === ""
        ? checksNull
          ? shell.dialect === "dash"
            ? "parameter not set or null"
            : "parameter null or not set"
          : "parameter not set"
        : yield* expandText(shell, operand);
    shell.failFatally(`${name}: ${message}`);
  }
  if (kind === "=") {
    const text = yield* expandText(shell, operand);
    if (!isName(name)) shell.failExpansion(`$${name}: cannot assign in this way`);
    if (subscript === undefined) shell.assignText(name, text);
    else shell.assignElement(name, subscript, text);
    return asPieces(shell, scalar(text), context);
  }
  const pieces = yield* piecesOfWord(shell, operand, context);
  if (context.isQuoted || context.isJoined) return pieces.length === 0 && context.isQuoted ? [] : pieces;
  return pieces.map((piece) => (piece.isQuoted || piece === FIELD_BREAK ? piece : { ...piece, isSplit: true }));
}

function* applyOperation(shell: Shell, applied: Applied<ParameterOperation>): Running<ParameterValue> {
  const { operation, value } = applied;
  const map = (change: (text: string) => string): ParameterValue => ({ ...value, values: value.values.map(change) });
  switch (operation.type) {
    case "Remove": {
      const pattern = yield* expandPattern(shell, operation.operand);
      return map((text) => removePattern(text, pattern, operation.operator));
    }
    case "Replace":
      return yield* replaceInValue(shell, operation, map);
    case "CaseModification": {
      const pattern = operation.operand === undefined || operation.operand.text === "" ? "?" : yield* expandPattern(shell, operation.operand);
      const regex = compilePattern(pattern);
      const isUp = operation.operator.startsWith("^");
      const change = (character: string): string => (regex.test(character) ? (isUp ? character.toUpperCase() : character.toLowerCase()) : character);
      return map((text) => (operation.operator.length === 2 ? [...text].map(change).join("") : text === "" ? "" : change(text[0] as string) + text.slice(1)));
    }
    case "Transform":
      return transformValues(shell, { name: applied.name, subscript: applied.subscript, letter: operation.operand.text, value });
    case "Slice":
      return yield* slice(shell, applied as Applied<Extract<ParameterOperation, { type: "Slice" }>>);
    default:
      return value;
  }
}

function* replaceInValue(
  shell: Shell,
  operation: Extract<ParameterOperation, { type: "Replace" }>,
  map: (change: (text: string) => string) => ParameterValue,
): Running<ParameterValue> {
  const pattern = yield* expandPattern(shell, operation.pattern);
  const pieces = yield* piecesOfWord(shell, operation.replacement, { isQuoted: false, isJoined: true });
  // patsub_replacement: an unquoted & is the matched text.
  const hasMark = shell.shopts.has("patsub_replacement") && pieces.some((piece) => !piece.isQuoted && piece.text.includes("&"));
  const replacement = joinPieces(pieces);
  const replace = (found: string): string =>
    hasMark ? pieces.map((piece) => (piece.isQuoted ? piece.text : piece.text.replaceAll("&", () => found))).join("") : replacement;
  const source = patternSource(pattern);
  const { operator } = operation;
  if (pattern === "") return map((text) => (operator === "/#" ? replace("") + text : operator === "/%" ? text + replace("") : text));
  const regex = new RegExp(operator === "/#" ? `^(?:${source})` : operator === "/%" ? `(?:${source})$` : `(?:${source})`, operator === "//" ? "g" : "");
  return map((text) => text.replace(regex, (found) => (found === "" && operator === "//" ? "" : replace(found))));
}

/** `#`, `##`, `%`, `%%`: the shortest or longest part at one end that matches is cut off. */
function removePattern(text: string, pattern: string, operator: "#" | "##" | "%" | "%%"): string {
  const isFront = operator.startsWith("#");
  const isLongest = operator.length === 2;
  if (text.length > EXACT_CUT_MAX) {
    const source = patternSource(pattern, { isLazy: !isLongest });
    if (isFront) return text.replace(new RegExp(`^(?:${source})`), "");
    const any = isLongest ? "[\\s\\S]*?" : "[\\s\\S]*";
    return text.replace(new RegExp(`^(${any})(?:${patternSource(pattern)})$`), "$1");
  }
  const regex = compilePattern(pattern);
  for (let i = 0; i <= text.length; i++) {
    const length = isLongest ? text.length - i : i;
    const part = isFront ? text.slice(0, length) : text.slice(text.length - length);
    if (regex.test(part)) return isFront ? text.slice(length) : text.slice(0, text.length - length);
  }
  return text;
}

function* slice(shell: Shell, applied: Applied<Extract<ParameterOperation, { type: "Slice" }>>): Running<ParameterValue> {
  const { name, operation, value } = applied;
  const offsetText = yield* expandArithmetic(shell, operation.offset.text);
  const offset = Number(shell.arithmetic(offsetText));
  const length = operation.length === undefined ? undefined : Number(shell.arithmetic(yield* expandArithmetic(shell, operation.length.text)));
  if (!value.isList) {
    const text = value.values[0] ?? "";
    const start = offset < 0 ? text.length + offset : offset;
    if (start < 0 || start > text.length) return scalar("");
    const end = length === undefined ? text.length : length < 0 ? text.length + length : start + length;
    if (end < start) shell.failExpansion(`${operation.length?.text ?? ""}: substring expression < 0`);
    return scalar(text.slice(start, end));
  }
  if (length !== undefined && length < 0) shell.failExpansion(`${operation.length?.text ?? ""}: substring expression < 0`);
  if (name === "@" || name === "*") {
    const all = [shell.name, ...value.values];
    const start = offset < 0 ? all.length + offset : offset;
    return start < 0 ? list([], value.isStar) : list(all.slice(start, length === undefined ? undefined : start + length), value.isStar);
  }
  // Offsets count subscripts, not positions.
  const entries = shell.readAll(name);
  const last = Number(entries.at(-1)?.[0] ?? -1);
  const start = offset < 0 ? last + 1 + offset : offset;
  const from = entries.filter(([index]) => Number(index) >= start).map(([, text]) => text);
  return start < 0 ? list([], value.isStar) : list(from.slice(0, length), value.isStar);
}
