/**
 * ls, rm, cp, mv, mkdir, rmdir, touch, ln, chmod, stat, basename, dirname, readlink, realpath, find, xargs: GNU coreutils 9.1 and
 * findutils 4.9, in the C locale, as root, without a terminal.
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import type { FileStatus } from "../../file-system.ts";
import { fail, fileErrorText, parseOptions, tool, usageError } from "./support.ts";

/* ------------------------------------------------------------------------------------------------------------------- ls */

function modeText(status: FileStatus): string {
  const type = status.type === "directory" ? "d" : status.type === "symlink" ? "l" : status.type === "device" ? "c" : "-";
  const bits = "rwxrwxrwx";
  return type + [...bits].map((letter, i) => ((status.mode >> (8 - i)) & 1 ? letter : "-")).join("");
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Days since 1970 as year, month (0-11) and day, in the proleptic Gregorian calendar. */
function civil(days: number): { readonly year: number; readonly month: number; readonly day: number } {
  let year = 1970;
  let rest = days;
  const isLeap = (y: number) => (y % 4 === 0 && y % 100 !== 0) || y % 400 === 0;
  for (let length = 365; rest >= length || rest < 0; ) {
    length = isLeap(year) ? 366 : 365;
    if (rest < length) break;
    rest -= length;
    year++;
    length = isLeap(year) ? 366 : 365;
  }
  const lengths = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  let month = 0;
  while (rest >= (lengths[month] as number)) rest -= lengths[month++] as number;
  return { year, month, day: rest + 1 };
}

function timeText(context: CommandContext, status: FileStatus): string {
  const seconds = context.machine.epochSeconds + Math.floor(status.modifiedAtNs / 1e9);
  const { month, day } = civil(Math.floor(seconds / 86400));
  const ofDay = seconds % 86400;
  const clock = `${String(Math.floor(ofDay / 3600)).padStart(2, "0")}:${String(Math.floor((ofDay % 3600) / 60)).padStart(2, "0")}`;
  return `${MONTHS[month]} ${String(day).padStart(2)} ${clock}`;
}

function runLs(context: CommandContext): number {
  const options = parseOptions(context.args, "laA1dhRrtSiFpnog", { all: "a", "almost-all": "A", directory: "d", "human-readable": "h", recursive: "R", reverse: "r", "color=": "!", color: "!" });
  const { files } = context.machine;
  const isLong = options.has("l") || options.has("n") || options.has("o") || options.has("g");
  let status = 0;
  const plain: string[] = [];
  const folders: string[] = [];
  for (const path of options.operands.length === 0 ? ["."] : options.operands) {
    const found = files.status(files.resolve(context.cwd, path));
    if (found === undefined) {
      context.stderr.write(`${context.name}: cannot access '${path}': No such file or directory\n`);
      status = 2;
    } else if (found.type === "directory" && !options.has("d")) folders.push(path);
    else plain.push(path);
  }
  const show = (names: readonly string[], base: string) => {
    const rows = names.map((name) => ({ name, status: files.status(files.resolve(base, name)) }));
    if (options.has("S")) rows.sort((a, b) => (b.status?.sizeBytes ?? 0) - (a.status?.sizeBytes ?? 0));
    if (options.has("t")) rows.sort((a, b) => (b.status?.modifiedAtNs ?? 0) - (a.status?.modifiedAtNs ?? 0));
    if (options.has("r")) rows.reverse();
    const width = Math.max(1, ...rows.map((row) => String(row.status?.sizeBytes ?? 0).length));
    for (const row of rows) {
      if (row.status === undefined) continue;
      const suffix = (options.has("F") || options.has("p")) && row.status.type === "directory" ? "/" : "";
      const owner = options.has("n") ? "0 0" : options.has("o") || options.has("g") ? "root" : "root root";
      const text = isLong ? `${modeText(row.status)} 1 ${owner} ${String(row.status.sizeBytes).padStart(width)} ${timeText(context, row.status)} ${row.name}` : row.name;
      context.stdout.write(`${options.has("i") ? `${row.status.inode} ` : ""}${text}${suffix}\n`);
    }
  };
  show([...plain].sort(), context.cwd);
  const visit = (path: string, isFirst: boolean, hasTitle: boolean) => {
    const absolute = files.resolve(context.cwd, path);
    let names = [...files.list(absolute)].sort();
    if (!options.has("a") && !options.has("A")) names = names.filter((name) => !name.startsWith("."));
    if (options.has("a")) names = [".", "..", ...names];
    if (hasTitle) context.stdout.write(`${isFirst ? "" : "\n"}${path}:\n`);
    if (isLong) context.stdout.write("total 0\n");
    show(names, absolute);
    if (options.has("R")) for (const name of names) if (name !== "." && name !== ".." && files.status(files.resolve(absolute, name))?.type === "directory") visit(`${path === "/" ? "" : path}/${name}`, false, true);
  };
  for (const [index, path] of folders.sort().entries()) visit(path, index === 0 && plain.length === 0, folders.length + plain.length > 1 || options.has("R") || status !== 0);
  return status;
}

/* ------------------------------------------------------------------------------------------------- making and removing */

function runRm(context: CommandContext): number {
  const options = parseOptions(context.args, "rRfidv", { recursive: "r", force: "f", verbose: "v", dir: "d" });
  if (options.operands.length === 0) return options.has("f") ? 0 : usageError(context, "missing operand", 1);
  const { files } = context.machine;
  const isRecursive = options.has("r") || options.has("R");
  let status = 0;
  for (const path of options.operands) {
    const absolute = files.resolve(context.cwd, path);
    const found = files.status(absolute);
    if (found === undefined) {
      if (!options.has("f")) status = fail(context, `cannot remove '${path}': No such file or directory`);
      continue;
    }
    if (found.type === "directory" && !isRecursive && !options.has("d")) {
      status = fail(context, `cannot remove '${path}': Is a directory`);
      continue;
    }
    try {
      files.remove(absolute, { recursive: isRecursive });
      if (options.has("v")) context.stdout.write(`removed ${found.type === "directory" ? "directory " : ""}'${path}'\n`);
    } catch (error) {
      status = fail(context, `cannot remove '${path}': ${fileErrorText(error)}`);
    }
  }
  return status;
}

function runMkdir(context: CommandContext): number {
  const options = parseOptions(context.args, "pm:v", { parents: "p", "mode=": "m", verbose: "v" });
  if (options.operands.length === 0) return usageError(context, "missing operand", 1);
  const { files } = context.machine;
  let status = 0;
  for (const path of options.operands) {
    const absolute = files.resolve(context.cwd, path);
    try {
      if (options.has("p") && files.status(absolute)?.type === "directory") continue;
      files.makeDirectory(absolute, { parents: options.has("p") });
      if (options.has("v")) context.stdout.write(`mkdir: created directory '${path}'\n`);
    } catch (error) {
      status = fail(context, `cannot create directory '${path}': ${fileErrorText(error)}`);
    }
  }
  return status;
}

function runRmdir(context: CommandContext): number {
  const options = parseOptions(context.args, "p");
  if (options.operands.length === 0) return usageError(context, "missing operand", 1);
  const { files } = context.machine;
  let status = 0;
  for (const path of options.operands) {
    const absolute = files.resolve(context.cwd, path);
    const found = files.status(absolute);
    try {
      if (found !== undefined && found.type !== "directory") status = fail(context, `failed to remove '${path}': Not a directory`);
      else if (found !== undefined && files.list(absolute).length > 0) status = fail(context, `failed to remove '${path}': Directory not empty`);
      else files.remove(absolute, { recursive: true });
    } catch (error) {
      status = fail(context, `failed to remove '${path}': ${fileErrorText(error)}`);
    }
  }
  return status;
}

function runTouch(context: CommandContext): number {
  const options = parseOptions(context.args, "acmd:t:r:", { "no-create": "c" });
  if (options.operands.length === 0) return usageError(context, "missing file operand", 1);
  const { files } = context.machine;
  let status = 0;
  for (const path of options.operands) {
    const absolute = files.resolve(context.cwd, path);
    try {
      if (files.exists(absolute) || !options.has("c")) files.touch(absolute);
    } catch (error) {
      status = fail(context, `cannot touch '${path}': ${fileErrorText(error)}`);
    }
  }
  return status;
}

/** Where a copy or move of `source` to `target` ends up. */
function destinationOf(context: CommandContext, source: string, target: string): string {
  const { files } = context.machine;
  const absolute = files.resolve(context.cwd, target);
  return files.status(absolute)?.type === "directory" ? files.resolve(absolute, baseName(source)) : absolute;
}

function copyTree(context: CommandContext, from: string, to: string): void {
  const { files } = context.machine;
  const status = files.status(from);
  if (status?.type !== "directory") {
    files.write(to, files.read(from));
    if (status !== undefined) files.setMode(to, status.mode);
    return;
  }
  if (!files.exists(to)) files.makeDirectory(to);
  for (const name of files.list(from)) copyTree(context, files.resolve(from, name), files.resolve(to, name));
}

function runCopy(context: CommandContext, moves: boolean): number {
  const options = parseOptions(context.args, "rRafpvinuTt:", { recursive: "r", archive: "a", force: "f", verbose: "v", "no-clobber": "n", "target-directory=": "t" });
  const operands = [...options.operands];
  const target = options.value("t") ?? operands.pop();
  if (target === undefined || operands.length === 0) return usageError(context, target === undefined ? "missing file operand" : `missing destination file operand after '${target}'`, 1);
  const { files } = context.machine;
  if (operands.length > 1 && files.status(files.resolve(context.cwd, target))?.type !== "directory") return fail(context, `target '${target}' is not a directory`);
  let status = 0;
  for (const source of operands) {
    const from = files.resolve(context.cwd, source);
    const found = files.status(from);
    if (found === undefined) {
      status = fail(context, `cannot stat '${source}': No such file or directory`);
      continue;
    }
    if (found.type === "directory" && !moves && !["r", "R", "a"].some((letter) => options.has(letter))) {
      status = fail(context, `-r not specified; omitting directory '${source}'`);
      continue;
    }
    const to = destinationOf(context, source, target);
    if (to === from) {
      status = fail(context, `'${source}' and '${target}' are the same file`);
      continue;
    }
    if (options.has("n") && files.exists(to)) continue;
    try {
      if (moves) files.rename(from, to);
      else copyTree(context, from, to);
      if (options.has("v")) context.stdout.write(moves ? `renamed '${source}' -> '${target}'\n` : `'${source}' -> '${target}'\n`);
    } catch (error) {
      status = fail(context, moves ? `cannot move '${source}' to '${target}': ${fileErrorText(error)}` : `cannot create regular file '${target}': ${fileErrorText(error)}`);
    }
  }
  return status;
}

function runLn(context: CommandContext): number {
  const options = parseOptions(context.args, "sfnvT", { symbolic: "s", force: "f" });
  const [target, name] = options.operands;
  if (target === undefined) return usageError(context, "missing file operand", 1);
  const { files } = context.machine;
  const path = destinationOf(context, target, name ?? ".");
  try {
    if (files.exists(path)) {
      if (!options.has("f")) return fail(context, `failed to create symbolic link '${name ?? baseName(target)}': File exists`);
      files.remove(path);
    }
    if (options.has("s")) files.link(target, path);
    else copyTree(context, files.resolve(context.cwd, target), path);
    return 0;
  } catch (error) {
    return fail(context, `failed to create ${options.has("s") ? "symbolic" : "hard"} link '${name ?? baseName(target)}': ${fileErrorText(error)}`);
  }
}

/* ------------------------------------------------------------------------------------------------------------- metadata */

function runChmod(context: CommandContext): number {
  const args = context.args.filter((word) => word !== "-R" && word !== "-v" && word !== "-f");
  const [mode, ...paths] = args;
  if (mode === undefined) return usageError(context, "missing operand", 1);
  if (paths.length === 0) return usageError(context, `missing operand after '${mode}'`, 1);
  const { files } = context.machine;
  let status = 0;
  for (const path of paths) {
    const absolute = files.resolve(context.cwd, path);
    const found = files.status(absolute);
    if (found === undefined) {
      status = fail(context, `cannot access '${path}': No such file or directory`);
      continue;
    }
    const bits = newMode(mode, found.mode);
    if (bits === undefined) return usageError(context, `invalid mode: '${mode}'`, 1);
    try {
      files.setMode(absolute, bits);
    } catch (error) {
      status = fail(context, `changing permissions of '${path}': ${fileErrorText(error)}`);
    }
  }
  return status;
}

const WHO: Readonly<Record<string, number>> = { u: 0o700, g: 0o070, o: 0o007, a: 0o777 };
const WHAT: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111, X: 0o111 };

/** `755`, `u+x,go-w`: the new permission bits. */
function newMode(text: string, before: number): number | undefined {
  if (/^[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8);
  let mode = before;
  for (const clause of text.split(",")) {
    const match = /^([ugoa]*)([-+=])([rwxX]*)$/.exec(clause);
    if (match === null) return undefined;
    const who = match[1] === "" ? 0o777 : [...(match[1] as string)].reduce((bits, letter) => bits | (WHO[letter] as number), 0);
    const bits = [...(match[3] as string)].reduce((sum, letter) => sum | (WHAT[letter] as number), 0) & who;
    mode = match[2] === "+" ? mode | bits : match[2] === "-" ? mode & ~bits : (mode & ~who) | bits;
  }
  return mode;
}

function runStat(context: CommandContext): number {
  const options = parseOptions(context.args, "c:Lt", { "format=": "c", "printf=": "c" });
  if (options.operands.length === 0) return usageError(context, "missing operand", 1);
  const { files } = context.machine;
  let status = 0;
  for (const path of options.operands) {
    const found = files.status(files.resolve(context.cwd, path));
    if (found === undefined) {
      status = fail(context, `cannot statx '${path}': No such file or directory`);
      continue;
    }
    const type = found.type === "directory" ? "directory" : found.type === "symlink" ? "symbolic link" : found.type === "device" ? "character special file" : found.sizeBytes === 0 ? "regular empty file" : "regular file";
    const format = options.value("c");
    if (format === undefined) return fail(context, "lvsim: only stat -c FORMAT is simulated");
    const values: Readonly<Record<string, string>> = { n: path, s: String(found.sizeBytes), a: found.mode.toString(8), A: modeText(found), F: type, U: "root", G: "root", u: "0", g: "0", i: String(found.inode), Y: String(context.machine.epochSeconds + Math.floor(found.modifiedAtNs / 1e9)), N: `'${path}'` };
    context.stdout.write(`${format.replace(/%([a-zA-Z%])/g, (word, letter: string) => (letter === "%" ? "%" : (values[letter] ?? word)))}\n`);
  }
  return status;
}

/* ---------------------------------------------------------------------------------------------------------------- names */

function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? (path === "" ? "" : "/") : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

function runBasename(context: CommandContext): number {
  const options = parseOptions(context.args, "as:z", { multiple: "a", "suffix=": "s" });
  const [first, second, third] = options.operands;
  if (first === undefined) return usageError(context, "missing operand", 1);
  const isMany = options.has("a") || options.has("s");
  if (!isMany && third !== undefined) return usageError(context, `extra operand '${third}'`, 1);
  const suffix = options.value("s") ?? (isMany ? "" : (second ?? ""));
  for (const path of isMany ? options.operands : [first]) {
    const name = baseName(path);
    context.stdout.write(`${suffix !== "" && name !== suffix && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name}\n`);
  }
  return 0;
}

function runDirname(context: CommandContext): number {
  const { operands } = parseOptions(context.args, "z");
  if (operands.length === 0) return usageError(context, "missing operand", 1);
  for (const path of operands) {
    const trimmed = path.replace(/\/+$/, "");
    const slash = trimmed.lastIndexOf("/");
    context.stdout.write(`${trimmed === "" && path !== "" ? "/" : slash < 0 ? "." : slash === 0 ? "/" : trimmed.slice(0, slash).replace(/\/+$/, "") || "/"}\n`);
  }
  return 0;
}

function runRealpath(context: CommandContext): number {
  const options = parseOptions(context.args, "efmnqs", { canonicalize: "f" });
  const { files } = context.machine;
  if (options.operands.length === 0) return usageError(context, "missing operand", 1);
  let status = 0;
  for (const path of options.operands) {
    const absolute = files.resolve(context.cwd, path);
    const isLink = files.status(absolute)?.type === "symlink";
    if (context.name.endsWith("readlink") && !options.has("f") && !options.has("e") && !isLink) {
      status = 1;
      continue;
    }
    context.stdout.write(`${absolute}${options.has("n") ? "" : "\n"}`);
  }
  return status;
}

/* ------------------------------------------------------------------------------------------------------- find and xargs */

interface FindTest {
  (path: string, status: FileStatus): boolean;
}

const FIND_FILES_MAX = 100_000;

function globRegex(pattern: string, ignoreCase: boolean): (text: string) => boolean {
  // Iterative matching with one point to fall back to: linear enough for any pattern.
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  const glob = fold(pattern);
  return (given) => {
    const text = fold(given);
    let t = 0;
    let p = 0;
    let star = -1;
    let mark = 0;
    while (t < text.length) {
      if (p < glob.length && (glob[p] === "?" || glob[p] === text[t]) && glob[p] !== "*") {
        t++;
        p++;
      } else if (glob[p] === "*") {
        star = p++;
        mark = t;
      } else if (star >= 0) {
        p = star + 1;
        t = ++mark;
      } else return false;
    }
    while (glob[p] === "*") p++;
    return p === glob.length;
  };
}

function* runFind(context: CommandContext): Running<number> {
  const { files } = context.machine;
  const args = [...context.args];
  const roots: string[] = [];
  while (args[0] !== undefined && !/^[-(!]/.test(args[0])) roots.push(args.shift() as string);
  const tests: FindTest[] = [];
  let maxDepth = Number.POSITIVE_INFINITY;
  let minDepth = 0;
  let exec: string[] | undefined;
  let deletes = false;
  let isNegated = false;
  const add = (test: FindTest) => {
    const negated = isNegated;
    tests.push(negated ? (path, status) => !test(path, status) : test);
    isNegated = false;
  };
  while (args.length > 0) {
    const word = args.shift() as string;
    switch (word) {
      case "!":
      case "-not":
        isNegated = true;
        break;
      case "-name":
      case "-iname": {
        const matches = globRegex(args.shift() ?? "", word === "-iname");
        add((path) => matches(baseName(path)));
        break;
      }
      case "-path": {
        const matches = globRegex(args.shift() ?? "", false);
        add((path) => matches(path));
        break;
      }
      case "-type": {
        const type = args.shift();
        add((_, status) => (type === "d" ? status.type === "directory" : type === "l" ? status.type === "symlink" : type === "f" ? status.type === "file" : false));
        break;
      }
      case "-empty":
        add((path, status) => (status.type === "directory" ? files.list(files.resolve(context.cwd, path)).length === 0 : status.sizeBytes === 0));
        break;
      case "-maxdepth":
        maxDepth = Number(args.shift());
        break;
      case "-mindepth":
        minDepth = Number(args.shift());
        break;
      case "-print":
      case "-a":
      case "-and":
        break;
      case "-delete":
        deletes = true;
        break;
      case "-exec": {
        const end = args.findIndex((part) => part === ";" || part === "+");
        if (end < 0) return fail(context, "missing argument to `-exec'");
        exec = args.splice(0, end + 1);
        break;
      }
      default:
        return fail(context, word.startsWith("-") ? `unknown predicate \`${word}'` : `lvsim: ${word} is not simulated`);
    }
  }
  const found: string[] = [];
  let status = 0;
  const visit = (path: string, depth: number) => {
    const absolute = files.resolve(context.cwd, path);
    const info = files.status(absolute);
    if (info === undefined) {
      status = fail(context, `'${path}': No such file or directory`);
      return;
    }
    if (depth >= minDepth && tests.every((test) => test(path, info))) found.push(path);
    if (info.type === "directory" && depth < maxDepth && found.length < FIND_FILES_MAX) for (const name of files.list(absolute)) visit(path.endsWith("/") ? path + name : `${path}/${name}`, depth + 1);
  };
  for (const root of roots.length === 0 ? ["."] : roots) visit(root, 0);
  if (deletes) for (const path of found.reverse()) files.remove(files.resolve(context.cwd, path), { recursive: true });
  else if (exec === undefined) for (const path of found) context.stdout.write(`${path}\n`);
  else if (exec.at(-1) === "+") yield* context.spawn(exec.slice(0, -1).flatMap((word) => (word === "{}" ? found : [word])));
  else for (const path of found) yield* context.spawn(exec.slice(0, -1).map((word) => word.replaceAll("{}", path)));
  return status;
}

function* runXargs(context: CommandContext): Running<number> {
  const args = [...context.args];
  let perCall = Number.POSITIVE_INFINITY;
  let replace: string | undefined;
  let isNullSeparated = false;
  let skipsEmpty = false;
  while (args[0]?.startsWith("-") === true) {
    const option = args.shift() as string;
    if (option.startsWith("-n")) perCall = Number(option.slice(2) || args.shift());
    else if (option.startsWith("-I")) replace = option.slice(2) || args.shift();
    else if (option === "-0") isNullSeparated = true;
    else if (option === "-r") skipsEmpty = true;
    else if (option.startsWith("-P")) {
      if (option === "-P") args.shift();
    } else return usageError(context, `invalid option -- '${option.replace(/^-+/, "")[0]}'`, 1);
  }
  const text = yield* context.stdin.readAll();
  const command = args.length === 0 ? ["echo"] : args;
  let status = 0;
  const call = function* (argv: readonly string[]): Running<void> {
    const exit = yield* context.spawn(argv);
    if (exit === 127 || exit === 126) status = exit;
    else if (exit !== 0 && status === 0) status = 123;
  };
  if (replace !== undefined) {
    const mark = replace;
    for (const line of text.split(isNullSeparated ? "\0" : "\n").filter((item) => item.trim() !== "")) yield* call(command.map((word) => word.replaceAll(mark, line.trimStart())));
    return status;
  }
  const items = isNullSeparated ? text.split("\0").filter((item) => item !== "") : (text.match(/'[^']*'|"[^"]*"|(?:\\.|[^\s'"\\])+/g) ?? []).map((item) => item.replace(/^(['"])(.*)\1$/s, "$2").replace(/\\(.)/g, "$1"));
  if (items.length === 0) {
    if (!skipsEmpty) yield* call(command);
    return status;
  }
  for (let i = 0; i < items.length; i += Math.min(perCall, items.length)) yield* call([...command, ...items.slice(i, i + Math.min(perCall, items.length))]);
  return status;
}

export const fileCommands: readonly Command[] = [
  tool("/usr/bin/ls", 2, runLs),
  tool("/usr/bin/rm", 1, runRm),
  tool("/usr/bin/mkdir", 1, runMkdir),
  tool("/usr/bin/rmdir", 1, runRmdir),
  tool("/usr/bin/touch", 1, runTouch),
  tool("/usr/bin/cp", 1, (context) => runCopy(context, false)),
  tool("/usr/bin/mv", 1, (context) => runCopy(context, true)),
  tool("/usr/bin/ln", 1, runLn),
  tool("/usr/bin/chmod", 1, runChmod),
  tool("/usr/bin/stat", 1, runStat),
  tool("/usr/bin/basename", 1, runBasename),
  tool("/usr/bin/dirname", 1, runDirname),
  tool("/usr/bin/readlink", 1, runRealpath),
  tool("/usr/bin/realpath", 1, runRealpath),
  { path: "/usr/bin/find", run: runFind },
  { path: "/usr/bin/xargs", run: runXargs },
];
