/**
 * iptables, iptables-save and iptables-restore.
 *
 * iptables v1.8.9 (legacy): iptables/iptables-standalone.c, iptables-save.c, iptables-restore.c.
 */

import type { Iptables } from "../../../host/netfilter/iptables.ts";
import { Table } from "../../../host/netfilter/table.ts";
import type { Command, CommandContext } from "../../command.ts";
import { type ExecuteContext, execute, TableError, wordsOf } from "./execute.ts";
import { XtablesError } from "./extension.ts";
import { IPTABLES_HELP, IPTABLES_VERSION } from "./help.ts";
import { Names } from "./names.ts";
import { HelpRequest, parseCommandLine } from "./rule-parser.ts";

const STATUS_OTHER = 1;
const STATUS_VERSION = 3;

/** Opens a table or ends the command as the real one does when the kernel has no such table. */
export function openTable(iptables: Iptables, name: string): Table {
  const table = iptables.open(name);
  if (table instanceof Table) return table;
  throw new XtablesError(
    `can't initialize iptables table \`${name}': Table does not exist (do you need to insmod?)\nPerhaps iptables or your kernel needs to be upgraded.`,
    {
      status: STATUS_VERSION,
      hasHint: false,
    },
  );
}

export function executeContext(context: CommandContext, names: Names): ExecuteContext {
  return { names, write: (text) => void context.stdout.write(text), warn: (text) => void context.stderr.write(text) };
}

/** A mistake in the words. `line`: of a file that is restored. */
export function reportUsage(context: CommandContext, program: string, error: XtablesError, line?: number): number {
  let text = error.isBare ? error.message : `${program} v1.8.9 (legacy): ${error.message}`;
  if (text !== "") text += "\n";
  if (line !== undefined && error.hasHint) text += `Error occurred at line: ${line}\n`;
  if (error.hasHint) text += `Try \`${program} -h' or '${program} --help' for more information.\n`;
  context.stderr.write(text);
  return error.status;
}

function reportRefusal(context: CommandContext, error: TableError): number {
  context.stderr.write(`iptables: ${error.message}.${error.errno === "EINVAL" ? " Run `dmesg' for more information." : ""}\n`);
  return STATUS_OTHER;
}

function runIptables(context: CommandContext): number {
  const { iptables, files } = context.machine;
  const names = new Names(files);
  try {
    const command = parseCommandLine(context.args, { names, isRestore: false, warn: (text) => void context.stderr.write(text) });
    const table = openTable(iptables, command.table);
    // libiptc hands nothing back when nothing was touched, as by -X where there are no chains to delete.
    const touchesNothing = command.letters.every(
      (letter) => letter === "L" || letter === "S" || letter === "C" || (letter === "X" && table.chains.every(({ policy }) => policy !== undefined)),
    );
    execute(command, table, executeContext(context, names));
    if (touchesNothing) return 0;
    const errno = iptables.commit(table);
    if (errno !== undefined) throw new TableError(errno, wordsOf(errno));
    traceChange(context);
    return 0;
  } catch (error) {
    if (error instanceof XtablesError) return reportUsage(context, "iptables", error);
    if (error instanceof TableError) return reportRefusal(context, error);
    if (!(error instanceof HelpRequest)) throw error;
    context.stdout.write(error.what === "help" ? IPTABLES_HELP : `${IPTABLES_VERSION}\n`);
    return 0;
  }
}

/** Records what was typed: the record of a rule change. */
function traceChange(context: CommandContext): void {
  const { host } = context.machine;
  if (host.trace.isFull)
    host.trace.emit({ kind: "table", host: host.name, cause: 0, table: "netfilter", change: "change", entry: `iptables ${context.args.join(" ")}` });
}

export const iptablesCommand: Command = { path: "/usr/sbin/iptables", run: runIptables };
export const iptablesLegacyCommand: Command = { path: "/usr/sbin/iptables-legacy", run: runIptables };
