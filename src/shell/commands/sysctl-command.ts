/**
 * sysctl(8): reads, writes and lists /proc/sys.
 *
 * procps 4.0.2 src/sysctl.c (main, ReadSetting, write_setting, Preload, PreloadSystem).
 */

import type { Errno, SysctlLeaf } from "../../host/host.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { FileError } from "../file-system.ts";

const USAGE = `
Usage:
 sysctl [options] [variable[=value] ...]

Options:
  -a, --all            display all variables
  -A                   alias of -a
  -X                   alias of -a
      --deprecated     include deprecated parameters to listing
      --dry-run        Print the key and values but do not write
  -b, --binary         print value without new line
  -e, --ignore         ignore unknown variables errors
  -N, --names          print variable names without values
  -n, --values         print only values of the given variable(s)
  -p, --load[=<file>]  read values from file
  -f                   alias of -p
      --system         read values from all system directories
  -r, --pattern <expression>
                       select setting that match expression
  -q, --quiet          do not echo variable set
  -w, --write          enable writing a value to variable
  -o                   does nothing
  -x                   does nothing
  -d                   alias of -h

 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see sysctl(8).
`;

const DEFAULT_FILE = "/etc/sysctl.conf";
/** In order of precedence: a name in an earlier folder hides the same name in later ones. */
const SYSTEM_FOLDERS = ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];
const LINES_MAX = 100_000;

interface Options {
  isAll: boolean;
  isQuiet: boolean;
  isIgnoring: boolean;
  isDryRun: boolean;
  isWriting: boolean;
  isSystem: boolean;
  isLoading: boolean;
  hasDeprecated: boolean;
  /** What is printed of a variable. */
  form: "both" | "name" | "value" | "bare";
  pattern: RegExp | undefined;
  files: string[];
  words: string[];
}

type Request = { readonly options: Options } | { readonly exit: number; readonly out?: string; readonly err?: string };

interface Setting {
  readonly key: string;
  readonly value: string;
  /** A dash before the name: failing does not matter. */
  readonly isOptional: boolean;
}

const LONG_OPTIONS: Readonly<Record<string, string>> = {
  all: "a",
  deprecated: "D",
  "dry-run": "R",
  binary: "b",
  ignore: "e",
  names: "N",
  values: "n",
  load: "p",
  system: "S",
  pattern: "r",
  quiet: "q",
  write: "w",
  help: "h",
  version: "V",
};

function parseOptions(args: readonly string[]): Request {
  const options: Options = {
    isAll: false,
    isQuiet: false,
    isIgnoring: false,
    isDryRun: false,
    isWriting: false,
    isSystem: false,
    isLoading: false,
    hasDeprecated: false,
    form: "both",
    pattern: undefined,
    files: [],
    words: [],
  };
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string;
    if (arg === "--") {
      options.words.push(...args.slice(at + 1));
      break;
    }
    if (arg.startsWith("--")) {
      const equals = arg.indexOf("=");
      const name = arg.slice(2, equals < 0 ? undefined : equals);
      const full = Object.keys(LONG_OPTIONS).filter((known) => known.startsWith(name));
      const letter = LONG_OPTIONS[full.find((known) => known === name) ?? (full.length === 1 ? (full[0] as string) : "")];
      if (letter === undefined) return { exit: 0, out: USAGE, err: `sysctl: unrecognized option '${arg}'\n` };
      let value = equals < 0 ? undefined : arg.slice(equals + 1);
      if (letter === "r" && value === undefined) value = args[++at];
      const done = applyOption(letter, value, options);
      if (done !== undefined) return done;
    } else if (arg.startsWith("-") && arg !== "-") {
      for (let i = 1; i < arg.length; i++) {
        const letter = arg[i] as string;
        const rest = arg.slice(i + 1);
        const takesRest = letter === "r" || (letter === "p" && rest !== "");
        const value = takesRest ? (rest !== "" ? rest : args[++at]) : undefined;
        const done = applyOption(letter, value, options);
        if (done !== undefined) return done;
        if (takesRest) break;
      }
    } else options.words.push(arg);
  }
  return { options };
}

function applyOption(letter: string, value: string | undefined, options: Options): Request | undefined {
  switch (letter) {
    case "a":
    case "A":
    case "X":
      options.isAll = true;
      return undefined;
    case "b":
      options.form = "bare";
      return undefined;
    case "D":
      options.hasDeprecated = true;
      return undefined;
    case "e":
      options.isIgnoring = true;
      return undefined;
    case "N":
      options.form = "name";
      return undefined;
    case "n":
      options.form = "value";
      return undefined;
    case "p":
    case "f":
      options.isLoading = true;
      if (value !== undefined) options.files.push(value);
      return undefined;
    case "q":
      options.isQuiet = true;
      return undefined;
    case "R":
      options.isDryRun = true;
      return undefined;
    case "S":
      options.isSystem = true;
      return undefined;
    case "w":
      options.isWriting = true;
      return undefined;
    case "r":
      if (value === undefined) return { exit: 0, out: USAGE, err: "sysctl: option requires an argument -- 'r'\n" };
      try {
        options.pattern = new RegExp(value);
      } catch {
        return { exit: 1, err: `sysctl: invalid regular expression "${value}"\n` };
      }
      return undefined;
    case "o":
    case "x":
      return undefined;
    case "h":
    case "d":
      return { exit: 0, out: USAGE };
    case "V":
      return { exit: 0, out: "sysctl from procps-ng 4.0.2\n" };
    default:
      return { exit: 0, out: USAGE, err: `sysctl: invalid option -- '${letter}'\n` };
  }
}

/** `net/ipv4/conf/eth0.5/rp_filter` and `net.ipv4.conf.eth0/5.rp_filter` are one key: the first separator decides which is meant. */
export function sysctlKeyOf(name: string): string {
  const slash = name.indexOf("/");
  const dot = name.indexOf(".");
  if (slash < 0 || (dot >= 0 && dot < slash)) return name;
  return name
    .split("")
    .map((c) => (c === "/" ? "." : c === "." ? "/" : c))
    .join("");
}

function pathOf(key: string): string {
  return `/proc/sys/${key
    .split("")
    .map((c) => (c === "/" ? "." : c === "." ? "/" : c))
    .join("")}`;
}

class Sysctl {
  readonly #context: CommandContext;
  readonly #options: Options;
  /** What patterns leave alone: keys with a dash and no value, and those that have a line of their own. */
  readonly #spared = new Set<string>();

  constructor(context: CommandContext, options: Options) {
    this.#context = context;
    this.#options = options;
  }

  get #tree() {
    return this.#context.machine.host.sysctl;
  }

  complain(text: string): void {
    this.#context.stderr.write(`sysctl: ${text}\n`);
  }

  /* ------------------------------------------------------------------------------------------------------------- reading */

  show(key: string, leaf: SysctlLeaf): void {
    const { form, pattern } = this.#options;
    if (pattern !== undefined && !pattern.test(key)) return;
    if (((leaf.mode ?? 0o644) & 0o400) === 0) return;
    const { stdout } = this.#context;
    if (form === "name") {
      stdout.write(`${key}\n`);
      return;
    }
    const value = leaf.read();
    if (form === "bare") stdout.write(value);
    else stdout.write(form === "value" ? `${value}\n` : `${key} = ${value}\n`);
  }

  showAll(): number {
    for (const key of this.#tree.keys(this.#options.hasDeprecated)) {
      const leaf = this.#tree.leaf(key);
      if (leaf !== undefined) this.show(key, leaf);
    }
    return 0;
  }

  /** A variable, or everything below a folder. */
  read(name: string): number {
    if (name.trim() === "") {
      this.complain("malformed setting");
      return 1;
    }
    const key = sysctlKeyOf(name);
    const leaf = this.#tree.leaf(key);
    if (leaf !== undefined) {
      this.show(key, leaf);
      return 0;
    }
    const below = this.#tree.keys().filter((other) => other.startsWith(`${key}.`));
    for (const one of below) this.show(one, this.#tree.leaf(one) as SysctlLeaf);
    if (below.length > 0) return 0;
    return this.#unknown(key);
  }

  #unknown(key: string): number {
    if (this.#options.isIgnoring) return 0;
    this.complain(`cannot stat ${pathOf(key)}: ${errorText("ENOENT")}`);
    return 1;
  }

  /* ------------------------------------------------------------------------------------------------------------- writing */

  /** `key = value` of a file or the command line; what is wrong with it otherwise, after saying so. */
  parse(where: string, line: number, text: string): Setting | "no setting" | "no path" {
    const equals = text.indexOf("=");
    const isOptional = text.startsWith("-");
    const key = (equals < 0 ? text : text.slice(0, equals)).slice(isOptional ? 1 : 0).trim();
    if (equals < 0 && isOptional) {
      this.#spared.add(sysctlKeyOf(key));
      return "no setting";
    }
    if (equals < 0) {
      this.complain(`${where}(${line}): invalid syntax, continuing...`);
      return "no setting";
    }
    if (key === "") {
      this.complain("Path is not under /proc/sys/: /proc/sys/");
      return "no path";
    }
    return { key: sysctlKeyOf(key), value: text.slice(equals + 1).trim(), isOptional };
  }

  /** The settings of files: there, and only there, a key may be a pattern. */
  applyAll(settings: readonly Setting[]): number {
    let exit = 0;
    for (const { key } of settings) this.#spared.add(key);
    for (const setting of settings) {
      const keys = /[*?[]/.test(setting.key) ? this.#expand(setting.key) : [setting.key];
      for (const key of keys) exit |= this.write(key, setting);
    }
    return exit;
  }

  #expand(pattern: string): string[] {
    const source = pattern
      .replace(/[.+^${}()|\\]/g, "\\$&")
      .replaceAll("*", "[^.]*")
      .replaceAll("?", "[^.]");
    const matcher = new RegExp(`^${source}$`);
    return this.#tree.keys().filter((key) => matcher.test(key) && !this.#spared.has(key));
  }

  write(key: string, setting: Setting): number {
    const leaf = this.#tree.leaf(key);
    if (leaf === undefined) {
      if (this.#tree.keys().some((other) => other.startsWith(`${key}.`))) {
        this.complain(`setting key "${key}": ${errorText("EISDIR")}`);
        return 1;
      }
      return this.#unknown(key);
    }
    if (((leaf.mode ?? 0o644) & 0o200) === 0) {
      // The program warns with whatever errno it finds, and counts it as success.
      this.complain(`setting key "${key}": ${errorText("EINVAL")}`);
      return 0;
    }
    const errno: Errno | undefined = this.#options.isDryRun ? undefined : this.#tree.write(key, `${setting.value}\n`);
    if (errno !== undefined) {
      this.complain(`setting key "${key}"${setting.isOptional ? ", ignoring" : ""}: ${errorText(errno)}`);
      return setting.isOptional ? 0 : 1;
    }
    this.#echo(key, setting.value);
    return 0;
  }

  #echo(key: string, value: string): void {
    const { isQuiet, form } = this.#options;
    if (isQuiet) return;
    const { stdout } = this.#context;
    if (form === "name") stdout.write(`${key}\n`);
    else if (form === "value") stdout.write(`${value}\n`);
    else if (form === "bare") stdout.write(value);
    else stdout.write(`${key} = ${value}\n`);
  }

  /* --------------------------------------------------------------------------------------------------------------- files */

  /** The settings of a file; syntax errors are told at once and count as success, values are written when all files have been read. */
  load(name: string, text: string, settings: Setting[]): number {
    let exit = 0;
    const lines = text.split("\n").slice(0, LINES_MAX);
    lines.forEach((raw, i) => {
      const line = raw.trim();
      if (line === "" || line.startsWith("#") || line.startsWith(";")) return;
      const setting = this.parse(name, i + 1, line);
      if (setting === "no path") exit = 1;
      else if (setting !== "no setting") settings.push(setting);
    });
    return exit;
  }

  *loadFile(name: string, settings: Setting[]): Running<number> {
    const { machine, cwd, stdin } = this.#context;
    if (name === "-") return this.load("-", yield* stdin.readAll(), settings);
    try {
      return this.load(name, machine.files.read(machine.files.resolve(cwd, name)), settings);
    } catch (failure) {
      if (!(failure instanceof FileError)) throw failure;
      if (failure.errno === "EISDIR") return 0;
      this.complain(`cannot open "${name}": ${errorText(failure.errno)}`);
      return 1;
    }
  }

  *loadSystem(settings: Setting[]): Running<number> {
    const { files } = this.#context.machine;
    const chosen = new Map<string, string>();
    for (const folder of SYSTEM_FOLDERS) {
      if (!files.exists(folder)) continue;
      for (const name of files.list(folder)) if (name.endsWith(".conf") && !chosen.has(name)) chosen.set(name, `${folder}/${name}`);
    }
    const paths = [...chosen.keys()].sort().map((name) => chosen.get(name) as string);
    let exit = 0;
    for (const path of [...paths, DEFAULT_FILE]) {
      if (!files.exists(path)) continue;
      if (!this.#options.isQuiet) this.#context.stdout.write(`* Applying ${path} ...\n`);
      exit |= yield* this.loadFile(path, settings);
    }
    return exit;
  }
}

function* run(context: CommandContext): Running<number> {
  if (context.args.length === 0) {
    context.stderr.write(USAGE);
    return 1;
  }
  const request = parseOptions(context.args);
  if (!("options" in request)) {
    context.stderr.write(request.err ?? "");
    context.stdout.write(request.out ?? "");
    return request.exit;
  }
  const { options } = request;
  const sysctl = new Sysctl(context, options);
  if (options.isAll) return sysctl.showAll();
  if (options.isSystem || options.isLoading) {
    const settings: Setting[] = [];
    let exit = 0;
    if (options.isSystem) exit = yield* sysctl.loadSystem(settings);
    else {
      const files = [...options.files, ...options.words];
      for (const file of files.length === 0 ? [DEFAULT_FILE] : files) exit |= yield* sysctl.loadFile(file, settings);
    }
    return exit | sysctl.applyAll(settings);
  }
  if (options.words.length === 0) {
    context.stderr.write("sysctl: no variables specified\nTry `sysctl --help' for more information.\n");
    return 1;
  }
  let exit = 0;
  for (const word of options.words) {
    if (!options.isWriting && !word.includes("=")) {
      // Each variable that cannot be read counts.
      exit += sysctl.read(word);
      continue;
    }
    const setting = sysctl.parse("command line", 0, word);
    // A word that is no setting ends the list: `sysctl -w a = 1` complains once.
    if (typeof setting === "string") return exit | 1;
    exit |= sysctl.write(setting.key, setting);
  }
  return exit;
}

export const sysctlCommand: Command = { path: "/usr/sbin/sysctl", run };
