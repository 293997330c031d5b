/**
 * Schedulers named on the command line: the kernel's by name, a user's by the file of a JavaScript module. Only the command line can name a
 * file; nothing that a scenario, workload or script says is ever loaded.
 */

import { existsSync, statSync } from "node:fs";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Scheduler } from "../ipvs/schedulers/scheduler.ts";
import { schedulerByName, schedulerNames } from "../ipvs/schedulers/registry.ts";
import { defineScheduler, isSchedulerDefinition } from "../ipvs/schedulers/scheduler-class.ts";
import { nearestWord } from "../scenario/suggest.ts";
import { fileErrorText, UsageError } from "./failure.ts";

const MODULE_EXTENSIONS = [".js", ".mjs", ".cjs"];
const HELP = "see docs/SCHEDULERS.md";

/** The schedulers that a module exports, as default or by name. Throws a UsageError that says what is wrong with the file. */
export async function loadSchedulers(file: string): Promise<readonly Scheduler[]> {
  if (!existsSync(file)) throw new UsageError(`${file}: no such file or directory`);
  if (!MODULE_EXTENSIONS.includes(extname(file))) throw new UsageError(`${file}: a scheduler is a JavaScript module, with a name that ends with ${MODULE_EXTENSIONS.join(", ")}`);
  if (!statSync(file).isFile()) throw new UsageError(`${file}: is no file`);
  const exported = await importModule(file);
  const found = [...new Set(Object.values(exported))].filter(isSchedulerDefinition);
  if (found.length > 0) return found.map((definition) => defined(file, definition));
  // What is nearly one says better what is missing than a general message.
  const candidate = exported.default ?? Object.values(exported).find((value) => typeof value === "function");
  if (candidate !== undefined) return [defined(file, candidate)];
  throw new UsageError(`${file}: exports no scheduler; export a class with \`static schedulerName\` and \`schedule(service, packet)\`, ${HELP}`);
}

/** Those of several modules. */
export async function loadAllSchedulers(files: readonly string[]): Promise<readonly Scheduler[]> {
  return (await Promise.all(files.map(loadSchedulers))).flat();
}

/** One scheduler: a name of the kernel's, or the file of a module that exports one. */
export async function schedulerOf(argument: string): Promise<Scheduler> {
  const kernels = schedulerByName(argument);
  if (kernels !== undefined) return kernels;
  if (!looksLikeFile(argument)) {
    const meant = nearestWord(argument, schedulerNames());
    throw new UsageError(`unknown scheduler \`${argument}\`; ${meant === undefined ? `known: ${schedulerNames().join(", ")}, or the file of a module such as mine.js` : `did you mean \`${meant}\`?`}`);
  }
  const schedulers = await loadSchedulers(argument);
  if (schedulers.length > 1) throw new UsageError(`${argument}: exports ${schedulers.length} schedulers (${schedulers.map(({ name }) => name).join(", ")}), which is one too many here; export one`);
  return schedulers[0] as Scheduler;
}

/** `mh+mh-port`, `mine.js+loud`: a scheduler and its flags. */
export async function contenderOf(argument: string): Promise<{ readonly label: string; readonly scheduler: Scheduler; readonly flags: readonly string[] }> {
  const [name = "", ...flags] = existsSync(argument) ? [argument] : argument.split("+");
  const scheduler = await schedulerOf(name);
  for (const flag of flags) {
    if (!scheduler.flags.includes(flag) && !/^flag-[123]$/.test(flag)) throw new UsageError(`scheduler ${scheduler.name} has no flag \`${flag}\`; ${scheduler.flags.length === 0 ? "it has none" : `it has ${scheduler.flags.join(", ")}`}`);
  }
  return { label: [scheduler.name, ...flags].join("+"), scheduler, flags };
}

function looksLikeFile(argument: string): boolean {
  return argument.includes("/") || argument.includes("\\") || argument.includes(".");
}

async function importModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") throw new UsageError(fileErrorText(error, file));
    throw new UsageError(`${file}: cannot be loaded: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
  }
}

function defined(file: string, definition: unknown): Scheduler {
  try {
    return defineScheduler(definition);
  } catch (error) {
    if (error instanceof Error && error.name === "SchedulerDefinitionError") throw new UsageError(`${file}: ${error.message}; ${HELP}`);
    throw error;
  }
}
