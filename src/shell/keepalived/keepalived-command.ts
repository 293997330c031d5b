/**
 * `keepalived`: the configuration test, and the start of the daemon.
 *
 * keepalived v2.2.7 core/main.c (keepalived_main), core/pidfile.c.
 */

import type { Command, CommandContext, OutputStream, Running } from "../command.ts";
import { KERNEL_BUILD } from "../commands/system/identity.ts";
import { FileError } from "../file-system.ts";
import type { Machine } from "../machine.ts";
import type { SharedState } from "./child.ts";
import {
  checkBfdConfig,
  type ConfigRequest,
  hasConfigFile,
  loadCheckConfig,
  loadParentConfig,
  loadVrrpConfig,
  type ParentConfig,
} from "./config/load-config.ts";
import { CONFIG_ERROR, ConfigReport, configTestExit, MissingParameter, type Unsupported } from "./config/report.ts";
import { keepIfRunnable } from "./config/scripts.ts";
import { DaemonLog } from "./daemon-log.ts";
import { DaemonProcess } from "./daemon-process.ts";
import { type KeepalivedOptions, parseCommandLine, VERSION } from "./options.ts";
import { KeepalivedParent, logStopped, type PidFiles } from "./parent.ts";

const EXIT_CONFIG = 2;
const EXIT_NO_CONFIG = 6;
const BUILT_FOR = "5.19.11";

function requestOf(context: CommandContext, options: KeepalivedOptions, isTest: boolean): ConfigRequest {
  const { machine } = context;
  return {
    machine,
    path: options.configPath,
    // A daemon lives in the root directory.
    cwd: isTest || !options.forks ? context.cwd : "/",
    configId: options.configId ?? (machine.hostname.split(".")[0] as string),
    includesAll: options.includesAll,
    random: machine.host.random(isTest ? "keepalived/config-test" : "keepalived/config"),
    isLook: isTest,
  };
}

/** Reads a whole configuration as each process will. */
function loadAll(parent: ParentConfig, request: ConfigRequest, report: ConfigReport): void {
  loadCheckConfig(parent, request, report, true);
  loadVrrpConfig(parent, request, report);
  checkBfdConfig(parent, request, report);
}

function writerOf(context: CommandContext, path: string | undefined): (text: string) => void {
  const { files } = context.machine;
  if (path === undefined) return (text) => context.stderr.write(`${text}\n`);
  const at = files.resolve(context.cwd, path);
  return (text) => (files.exists(at) ? files.append(at, `${text}\n`) : files.write(at, `${text}\n`));
}

/** `keepalived -t`. */
function testConfig(context: CommandContext, options: KeepalivedOptions): number {
  const request = requestOf(context, options, true);
  const report = new ConfigReport({ isTest: true, say: writerOf(context, options.testLog), log: () => {} });
  try {
    if (!hasConfigFile(request, report)) return configTestExit(report.worst);
    const parent = loadParentConfig(request, report);
    if (parent.hasFileError) return EXIT_NO_CONFIG;
    checkEdgeScripts(parent, request.machine, report);
    loadAll(parent, request, report);
  } catch (error) {
    if (error instanceof MissingParameter) return EXIT_CONFIG;
    throw error;
  }
  return configTestExit(report.worst);
}

/** What the daemons would have to do and cannot: looked for before anything starts. */
function findUnsupported(request: ConfigRequest, options: KeepalivedOptions): readonly Unsupported[] {
  const report = new ConfigReport({ isTest: false, say: () => {}, log: () => {} });
  try {
    // Random choices of this look are its own.
    const look = { ...request, random: request.machine.host.random("keepalived/look"), isLook: true };
    const parent = loadParentConfig(look, report);
    if (options.runsCheckers) loadCheckConfig(parent, look, report, true);
    if (options.runsVrrp) loadVrrpConfig(parent, look, report);
  } catch (error) {
    if (!(error instanceof MissingParameter)) throw error;
  }
  const seen = new Set<string>();
  return report.unsupported.filter((one) => {
    const key = one.place + one.what;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** The scripts that run before the children start and after they have ended. */
function checkEdgeScripts({ global }: ParentConfig, machine: Machine, report: ConfigReport): void {
  const seen = { isScript: false, isInsecure: false };
  global.startupScript = keepIfRunnable(global.startupScript, machine.files, global, report, seen);
  global.shutdownScript = keepIfRunnable(global.shutdownScript, machine.files, global, report, seen);
  if (global.hasScriptSecurity || !seen.isScript) return;
  const text = `SECURITY VIOLATION - start/shutdown scripts are being executed but script_security not enabled.${seen.isInsecure ? " There are insecure scripts." : ""}`;
  report.error(CONFIG_ERROR.security, text);
}

function pidFilesOf(parent: ParentConfig, options: KeepalivedOptions): PidFiles {
  const { instanceLabel, usesPidDirectory } = parent.global;
  const directory = usesPidDirectory || instanceLabel !== undefined ? "/run/keepalived" : "/run";
  const name = (base: string): string => `${directory}/${base}${instanceLabel === undefined ? "" : `_${instanceLabel}`}.pid`;
  return {
    parent: options.pidFile ?? name("keepalived"),
    vrrp: options.vrrpPidFile ?? name("vrrp"),
    checker: options.checkersPidFile ?? name("checkers"),
  };
}

function isRunning(machine: Machine, pidFile: string): boolean {
  try {
    const pid = Number.parseInt(machine.files.read(pidFile), 10);
    return Number.isInteger(pid) && machine.processes.byPid(pid)?.isAlive === true;
  } catch (error) {
    if (error instanceof FileError) return false;
    throw error;
  }
}

function isAnyRunning(machine: Machine, pidFiles: PidFiles, options: KeepalivedOptions): boolean {
  return (
    isRunning(machine, pidFiles.parent) || (options.runsVrrp && isRunning(machine, pidFiles.vrrp)) || (options.runsCheckers && isRunning(machine, pidFiles.checker))
  );
}

function* runDaemon(context: CommandContext, options: KeepalivedOptions): Running<number> {
  const { machine } = context;
  const request = requestOf(context, options, false);
  const argv = [context.name, ...context.args];
  const console: OutputStream | undefined = options.logsToConsole ? context.stderr : undefined;
  const log = new DaemonLog(machine, { detail: options.detail, usesSyslog: options.usesSyslog, console }, "Keepalived", context.process.pid);
  log.line(`Starting ${VERSION}`);
  log.line(`Running on Linux ${machine.host.options.release} ${KERNEL_BUILD} (built for Linux ${BUILT_FOR})`);
  log.line(`Command line: ${argv.map((one) => `'${one}'`).join(" ")}`);
  const report = new ConfigReport({ isTest: false, say: (text) => log.line(text), log: (text) => log.line(text) });
  const ended = (status: number): number => {
    logStopped(log);
    return status;
  };
  if (!hasConfigFile(request, report)) return ended(EXIT_NO_CONFIG);
  let parent: ParentConfig;
  try {
    parent = loadParentConfig(request, report);
  } catch (error) {
    if (error instanceof MissingParameter) return EXIT_CONFIG;
    throw error;
  }
  if (parent.hasFileError) return ended(EXIT_NO_CONFIG);
  const unsupported = findUnsupported(request, options);
  if (unsupported.length > 0) {
    for (const one of unsupported) context.stderr.write(`keepalived: ${one.place}${one.what} is not simulated\n`);
    for (const one of unsupported) log.line(`${one.place}${one.what} is not simulated`);
    return ended(EXIT_CONFIG);
  }
  checkEdgeScripts(parent, machine, report);
  const pidFiles = pidFilesOf(parent, options);
  if (pidFiles.parent.startsWith("/run/keepalived/")) machine.files.makeDirectory("/run/keepalived", { parents: true });
  if (isAnyRunning(machine, pidFiles, options)) {
    log.line("daemon is already running");
    return 0;
  }
  const shared: SharedState = { config: parent, request };
  if (!options.forks) {
    const daemon = new DaemonProcess(machine, context.process);
    new KeepalivedParent(daemon, { log, options, shared, pidFiles, argv });
    return yield* daemon.run();
  }
  const init = machine.processes.byPid(1);
  machine.processes.start({ name: "keepalived", args: argv, parent: init }, (process) => {
    const daemon = new DaemonProcess(machine, process);
    const own = new DaemonLog(machine, { detail: options.detail, usesSyslog: options.usesSyslog, console }, "Keepalived", process.pid);
    new KeepalivedParent(daemon, { log: own, options, shared, pidFiles, argv });
    return daemon.run();
  });
  return 0;
}

function runKeepalived(context: CommandContext): number | Running<number> {
  const parsed = parseCommandLine(context.args, context.name);
  if (parsed.stdout !== "") context.stdout.write(parsed.stdout);
  if (parsed.stderr !== "") context.stderr.write(parsed.stderr);
  if (parsed.kind === "end") return parsed.exit;
  return parsed.options.isTest ? testConfig(context, parsed.options) : runDaemon(context, parsed.options);
}

export const keepalivedCommand: Command = { path: "/usr/sbin/keepalived", run: runKeepalived };
