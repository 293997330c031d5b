/**
 * Kernel modules: lsmod, modprobe, rmmod, insmod, depmod, modinfo. kmod 30.
 *
 * As in the reference laboratory every module is loaded from the start, for all hosts of a run: loading one succeeds and does nothing, but for
 * ip_vs, whose sysctls and /proc files appear with it. Taking a module away is refused: the machine has no way to go on without it.
 */

import type { Command, CommandContext } from "../../command.ts";
import { formatModules, isKnownModule, MODULES } from "../../kernel-modules.ts";
import { fail, parseOptions, tool } from "../tools/support.ts";

/** A dash and an underscore are the same in a module's name. */
const canonical = (name: string): string => name.replaceAll("-", "_");

function runLsmod(context: CommandContext): number {
  if (context.args.length > 0) {
    context.stderr.write("Usage: lsmod\n");
    return 1;
  }
  context.stdout.write(formatModules());
  return 0;
}

const MODPROBE_LONG = {
  all: "a", remove: "r", "dry-run": "n", "show": "n", quiet: "q", verbose: "v", "first-time": "F", "use-blacklist": "b", force: "f", "ignore-install": "i", "ignore-remove": "i", "show-depends": "D",
  "set-version=": "S", syslog: "s", "dirname=": "d", "config=": "C", "resolve-alias": "R", showconfig: "c",
};

function runModprobe(context: CommandContext): number {
  const options = parseOptions(context.args, "arnqvFbfiDsS:d:C:Rc", MODPROBE_LONG);
  const { machine } = context;
  for (const letter of ["D", "S", "d", "C", "R", "c"]) if (options.has(letter)) return fail(context, `ERROR: option -${letter} is not simulated`);
  if (options.operands.length === 0) return fail(context, "ERROR: missing parameters. See -h.");
  // Without -a what follows the name are the module's parameters.
  const names = options.has("a") || options.has("r") ? options.operands : options.operands.slice(0, 1);
  let exit = 0;
  for (const asked of names) {
    const name = canonical(asked);
    if (!isKnownModule(name) || (name === "ip_vs_twos" && !machine.host.options.ipvsHasTwos)) {
      exit = 1;
      if (options.has("a")) context.stderr.write(`modprobe: WARNING: Module ${asked} not found in directory /lib/modules/${machine.host.options.release}\n`);
      else if (!options.has("q")) context.stderr.write(`modprobe: FATAL: Module ${asked} not found in directory /lib/modules/${machine.host.options.release}\n`);
    } else if (options.has("r")) exit = fail(context, inUse(name) ? `FATAL: Module ${asked} is in use.` : `FATAL: removing module ${asked} is not simulated`);
    else if (/^ip_vs/.test(name) && !options.has("n") && !machine.ipvs.isLoaded) machine.ipvs.load();
  }
  return exit;
}

function inUse(name: string): boolean {
  return (MODULES.find((module) => module.name === name)?.useCount ?? 0) > 0;
}

function runRmmod(context: CommandContext): number {
  const options = parseOptions(context.args, "fsvw", { force: "f", syslog: "s", verbose: "v" });
  if (options.operands.length === 0) return fail(context, "ERROR: missing module name.");
  for (const asked of options.operands) {
    const found = MODULES.find((module) => module.name === canonical(asked));
    if (found === undefined) fail(context, `ERROR: Module ${asked} is not currently loaded`);
    else if (found.users.length > 0) fail(context, `ERROR: Module ${asked} is in use by: ${found.users.join(" ")}`);
    else fail(context, `ERROR: removing module ${asked} is not simulated`);
  }
  return 1;
}

function runInsmod(context: CommandContext): number {
  const path = context.args.find((word) => !word.startsWith("-"));
  if (path === undefined) return fail(context, "ERROR: missing filename.");
  const isThere = context.machine.files.exists(context.machine.files.resolve(context.cwd, path));
  return fail(context, `ERROR: could not ${isThere ? `insert module ${path}: Invalid module format` : `load module ${path}: No such file or directory`}`);
}

function runModinfo(context: CommandContext): number {
  const options = parseOptions(context.args, "adlpnF:k:b:0", { "field=": "F", author: "a", description: "d", license: "l", parameters: "p", filename: "n" });
  const name = options.operands[0];
  if (name === undefined) return fail(context, "ERROR: missing module or filename.");
  if (!isKnownModule(name)) return fail(context, `ERROR: Module ${name} not found.`);
  return fail(context, "ERROR: descriptions of modules are not simulated");
}

export const moduleCommands: readonly Command[] = [
  { path: "/usr/sbin/lsmod", run: runLsmod },
  tool("/usr/sbin/modprobe", 1, runModprobe),
  tool("/usr/sbin/rmmod", 1, runRmmod),
  tool("/usr/sbin/insmod", 1, runInsmod),
  { path: "/usr/sbin/depmod", run: () => 0 },
  tool("/usr/sbin/modinfo", 1, runModinfo),
];
