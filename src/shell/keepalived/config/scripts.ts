/**
 * Scripts in a configuration: their words, their user, and whether they may be run.
 *
 * keepalived v2.2.7 lib/notify.c (notify_script_init, set_script_params_array, find_path, check_script_secure, check_security).
 */

import type { FileSystem } from "../../file-system.ts";
import type { GlobalConfig, Script } from "./model.ts";
import type { ConfigReport } from "./report.ts";
import { splitQuotedEscaped, type Words } from "./words.ts";

const SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
const DEFAULT_USER = "keepalived_script";
const OUR_USER = "root";

/** What a look at a script found. */
export interface ScriptCheck {
  readonly isScript: boolean;
  readonly isInsecure: boolean;
  /** Not to be run: its place may be written by others, and script security is on. */
  readonly isInhibited: boolean;
  readonly isMissing: boolean;
  readonly isExecutable: boolean;
  /** `< /path`: a file that must be readable. */
  readonly isSystem: boolean;
}

const NOTHING: ScriptCheck = { isScript: false, isInsecure: false, isInhibited: false, isMissing: false, isExecutable: false, isSystem: false };

function users(files: FileSystem): Set<string> {
  if (!files.exists("/etc/passwd")) return new Set();
  return new Set(
    files
      .read("/etc/passwd")
      .split("\n")
      .map((line) => line.split(":")[0] as string),
  );
}

/** True when the user exists; else it is said that it does not. */
export function checkScriptUser(files: FileSystem, user: string, report: ConfigReport): boolean {
  if (users(files).has(user)) return true;
  report.log(`Script user '${user}' does not exist`);
  return false;
}

/** Who runs scripts without a user of their own; undefined when nobody may. */
export function defaultScriptUser(files: FileSystem, global: GlobalConfig, report: ConfigReport): string | undefined {
  if (global.isScriptUserBad) return undefined;
  if (global.scriptUser === undefined) {
    global.scriptUser = OUR_USER;
    if (checkScriptUser(files, DEFAULT_USER, report)) global.scriptUser = DEFAULT_USER;
    else if (global.hasScriptSecurity) {
      report.general(`Unable to set default user ${DEFAULT_USER} for script`);
      global.isScriptUserBad = true;
      return undefined;
    }
  }
  return global.scriptUser;
}

/** The words of `misc_path`, `script` and the like: the second word of the line, split again as a shell would. */
export function scriptWords(words: Words): string[] | undefined {
  const text = words.quotedEscaped()?.[1];
  return text === undefined ? undefined : splitQuotedEscaped(text, words.report);
}

/** `notify_up "/path word" [user [group]]`. */
export function notifyScript(words: Words, kind: string, files: FileSystem, global: GlobalConfig): Script | undefined {
  const { report } = words;
  const parts = words.quotedEscaped();
  if (parts === undefined) {
    report.log("Unable to parse notify script");
    return undefined;
  }
  const args = parts[1] === undefined ? undefined : splitQuotedEscaped(parts[1], report);
  if (args === undefined) {
    report.log(`Unable to parse script '${parts[1] ?? ""}' - ignoring`);
    return undefined;
  }
  const named = parts[2];
  if (named !== undefined) {
    if (checkScriptUser(files, named, report)) return { args, user: named, hasInterpreter: true };
    report.log(`Invalid user/group for ${kind} script ${args[0]} - ignoring`);
    return undefined;
  }
  const user = defaultScriptUser(files, global, report);
  if (user !== undefined) return { args, user, hasInterpreter: true };
  report.log(`Failed to set default user for ${kind} script ${args[0]} - ignoring`);
  return undefined;
}

/** check_script_secure. Files here belong to root. */
export function checkScript(script: Script, files: FileSystem, global: GlobalConfig, report: ConfigReport): ScriptCheck {
  const first = script.args[0] as string;
  if (/^<[ \t]*\//.test(first)) return { ...NOTHING, isSystem: true };
  if (!first.includes("/")) {
    const found = searchPath(files, first);
    if (typeof found === "string") {
      report.log(`WARNING - script \`${first}\` resolved by path search to \`${found}\`. Please specify full path.`);
      script.args[0] = found;
    } else {
      report.log(found.isDenied ? `Permissions failure for script ${first} in path - disabling` : `Cannot find script ${first} in path - disabling`);
      return { ...NOTHING, isMissing: true };
    }
  }
  const name = script.args[0] as string;
  const absolute = files.resolve("/", name);
  const real = files.realPath(absolute);
  const status = real === undefined ? undefined : files.status(real);
  if (real === undefined || status === undefined) {
    report.log(`Script ${name} cannot be accessed - No such file or directory`);
    return { ...NOTHING, isMissing: true };
  }
  const isExecutable = (status.mode & 0o111) !== 0;
  if (!isExecutable) report.log(`WARNING - script '${name}' is not executable for uid:gid 0:0 - disabling.`);
  else if (!/^(#!|\x7fELF)/.test(status.type === "file" ? files.read(real).slice(0, 4) : "")) {
    report.log(`Please add a #! shebang to script ${name}`);
    script.hasInterpreter = false;
  }
  if (!isExecutable) return { ...NOTHING, isScript: true };
  // The name stays that of the link when both are the same file: programs look at what they are called.
  const directory = files.realPath(absolute.slice(0, absolute.lastIndexOf("/")) || "/") ?? "";
  script.args[0] = files.linkStatus(absolute)?.type === "symlink" && !real.endsWith(absolute.slice(absolute.lastIndexOf("/"))) ? `${directory}/${absolute.slice(absolute.lastIndexOf("/") + 1)}` : real;
  const isInsecure = isWritableByOthers(files, real, global, report);
  return { ...NOTHING, isScript: true, isExecutable: true, isInsecure, isInhibited: isInsecure && global.hasScriptSecurity };
}

function searchPath(files: FileSystem, name: string): string | { readonly isDenied: boolean } {
  let isDenied = false;
  for (const directory of SEARCH_PATH.split(":")) {
    const status = files.status(`${directory}/${name}`);
    if (status === undefined) continue;
    if (status.type === "file" && (status.mode & 0o111) !== 0) return `${directory}/${name}`;
    isDenied = true;
  }
  return { isDenied };
}

function isWritableByOthers(files: FileSystem, path: string, global: GlobalConfig, report: ConfigReport): boolean {
  const parts = path.split("/").slice(1);
  for (let depth = 0; depth <= parts.length; depth++) {
    const at = `/${parts.slice(0, depth).join("/")}`;
    const mode = files.linkStatus(at)?.mode ?? 0;
    const isLast = depth === parts.length;
    if ((isLast || (mode & 0o1000) === 0) && (mode & 0o002) !== 0) {
      report.log(`Unsafe permissions found for script '${path}'${global.hasScriptSecurity ? " - disabling" : ""}.`);
      return true;
    }
  }
  return false;
}

/** check_notify_script_secure: a script that may not be run is forgotten. */
export function keepIfRunnable(
  script: Script | undefined,
  files: FileSystem,
  global: GlobalConfig,
  report: ConfigReport,
  seen: { isScript: boolean; isInsecure: boolean },
): Script | undefined {
  if (script === undefined) return undefined;
  const check = checkScript(script, files, global, report);
  seen.isScript ||= check.isScript;
  seen.isInsecure ||= check.isInsecure;
  return check.isInhibited || check.isMissing || !check.isExecutable ? undefined : script;
}
