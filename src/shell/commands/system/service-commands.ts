/**
 * service and systemctl, and the programs that install: they do as much as the reference laboratory's scripts of these names do.
 *
 * `service NAME VERB` knows the web servers, keepalived and the firewall; everything else succeeds and does nothing. Of keepalived they do
 * what systemd does.
 */

import { NS_PER_SECOND } from "../../../base/time.ts";
import type { Command, CommandContext, Running } from "../../command.ts";
import { FileError } from "../../file-system.ts";
import { disableService, enableService, isServiceEnabled } from "../../boot/enabled-services.ts";
import type { Process } from "../../process.ts";
import { fail } from "../tools/support.ts";
import { systemctlPower } from "./power.ts";

const PID_FILE = "/run/httpd.pid";
const WEB_SERVERS = new Set(["httpd", "nginx", "apache2"]);

function* stopWebServer(context: CommandContext): Running<number> {
  const { files, processes } = context.machine;
  let text = "";
  try {
    text = files.read(PID_FILE).trim();
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
  }
  if (/^\d+$/.test(text)) processes.kill(Number(text), "TERM");
  yield* context.sleep(NS_PER_SECOND);
  return 0;
}

const KEEPALIVED_PID_FILE = "/run/keepalived.pid";
const EXIT_NOT_RUNNING = 3;
/** TimeoutStopSec of systemd. */
const STOP_TRIES = 900;

function mainProcess(context: CommandContext): Process | undefined {
  const { files, processes } = context.machine;
  const pid = files.exists(KEEPALIVED_PID_FILE) ? Number.parseInt(files.read(KEEPALIVED_PID_FILE), 10) : Number.NaN;
  const process = Number.isNaN(pid) ? undefined : processes.byPid(pid);
  return process?.name === "keepalived" && process.isAlive ? process : undefined;
}

/** Tells the main process to end and waits until it has. */
function* stopKeepalived(context: CommandContext): Running<void> {
  const main = mainProcess(context);
  if (main === undefined) return;
  context.machine.processes.kill(main.pid, "TERM");
  for (let i = 0; main.isAlive && i < STOP_TRIES; i++) yield* context.sleep(NS_PER_SECOND / 10);
  if (main.isAlive) context.machine.processes.kill(main.pid, "KILL");
}

function keepalivedStatus(context: CommandContext): number {
  const main = mainProcess(context);
  const isEnabled = isServiceEnabled(context.machine.files, "keepalived") ? "enabled" : "disabled";
  context.stdout.write(
    `${main === undefined ? "○" : "●"} keepalived.service - Keepalive Daemon (LVS and VRRP)\n` +
      `     Loaded: loaded (/lib/systemd/system/keepalived.service; ${isEnabled}; preset: enabled)\n` +
      (main === undefined ? "     Active: inactive (dead)\n" : `     Active: active (running)\n   Main PID: ${main.pid} (keepalived)\n`),
  );
  return main === undefined ? EXIT_NOT_RUNNING : 0;
}

function* serveKeepalived(context: CommandContext, verb: string): Running<number> {
  const { processes } = context.machine;
  switch (verb) {
    case "start":
      return yield* context.spawn(["keepalived"]);
    case "stop":
      yield* stopKeepalived(context);
      return 0;
    case "restart":
    case "force-reload":
      yield* stopKeepalived(context);
      return yield* context.spawn(["keepalived"]);
    case "reload": {
      const main = mainProcess(context);
      if (main === undefined) return fail(context, "keepalived.service is not active, cannot reload.");
      processes.kill(main.pid, "HUP");
      return 0;
    }
    case "status":
      return keepalivedStatus(context);
    case "is-active":
      context.stdout.write(mainProcess(context) === undefined ? "inactive\n" : "active\n");
      return mainProcess(context) === undefined ? EXIT_NOT_RUNNING : 0;
    default:
      return fail(context, `keepalived: ${verb}: not simulated`);
  }
}

function* serve(context: CommandContext, name: string, verb: string): Running<number> {
  const isStart = verb === "start" || verb === "restart";
  if (WEB_SERVERS.has(name)) return isStart ? yield* context.spawn([name === "nginx" ? "nginx" : "httpd"]) : verb === "stop" ? yield* stopWebServer(context) : 0;
  if (name === "keepalived") return yield* serveKeepalived(context, verb);
  if ((name === "firewalld" || name === "iptables") && verb === "stop") {
    yield* context.spawn(["iptables", "-F"]);
    yield* context.spawn(["iptables", "-P", "INPUT", "ACCEPT"]);
  }
  return 0;
}

/** Writes what runs to where the boot reads it, as `service NAME save` of Red Hat's init scripts. */
function saveRules(context: CommandContext, name: string): number {
  const { machine } = context;
  let text = "";
  const stdout = {
    write: (part: string) => {
      text += part;
      return true;
    },
  };
  const program = name === "iptables" ? "iptables-save" : "ipvsadm-save";
  const exit = machine.commandNamed(program)?.run({ ...context, name: program, args: name === "iptables" ? [] : ["-n"], stdout });
  if (exit !== 0) return 1;
  machine.files.makeDirectory("/etc/sysconfig", { parents: true });
  machine.files.write(`/etc/sysconfig/${name}`, text);
  return 0;
}

function runService(context: CommandContext): number | Running<number> {
  const [name = "", verb = ""] = context.args;
  if (verb === "save" && (name === "iptables" || name === "ipvsadm")) return saveRules(context, name);
  return serve(context, name, verb);
}

function runSystemctl(context: CommandContext): number | Running<number> {
  const [verb = "", ...words] = context.args.filter((word) => !/^--(no-pager|now|quiet|system|force)$|^-[qf]$/.test(word));
  const names = words.map((unit) => unit.replace(/\.service$/, ""));
  const power = systemctlPower(context, verb);
  if (power !== undefined) return power;
  if (verb === "is-enabled") return tellEnabled(context, names);
  if (verb === "enable") for (const name of names) enableService(context.machine.files, name);
  if (verb === "disable") for (const name of names) disableService(context.machine.files, name);
  const now = context.args.includes("--now") ? { enable: "start", disable: "stop" }[verb] : undefined;
  const wanted = now ?? verb;
  if (names[0] === "keepalived" && wanted !== "enable" && wanted !== "disable") return serve(context, "keepalived", wanted);
  if (wanted !== "start" && wanted !== "stop" && wanted !== "restart") return 0;
  return serve(context, names[0] ?? "", wanted);
}

function tellEnabled(context: CommandContext, names: readonly string[]): number {
  const states = names.map((name) => isServiceEnabled(context.machine.files, name));
  for (const state of states) context.stdout.write(state ? "enabled\n" : "disabled\n");
  return states.includes(true) ? 0 : 1;
}

/** `update-rc.d NAME defaults|enable|disable|remove`. */
function runUpdateRcD(context: CommandContext): number {
  const [name, verb] = context.args.filter((word) => !word.startsWith("-"));
  if (name === undefined || verb === undefined) return fail(context, "usage: update-rc.d [-f] <basename> defaults|enable|disable|remove");
  if (verb === "defaults" || verb === "enable") enableService(context.machine.files, name);
  else if (verb === "disable" || verb === "remove") disableService(context.machine.files, name);
  else return fail(context, `lvsim: ${verb} is not simulated (known: defaults, enable, disable, remove)`);
  return 0;
}

export const serviceCommands: readonly Command[] = [
  { path: "/usr/sbin/service", run: runService },
  { path: "/usr/bin/systemctl", run: runSystemctl },
  { path: "/usr/sbin/update-rc.d", run: runUpdateRcD },
  // Everything that a scenario needs is installed already.
  { path: "/usr/bin/yum", run: () => 0 },
  { path: "/usr/bin/dnf", run: () => 0 },
  { path: "/usr/bin/apt-get", run: () => 0 },
  { path: "/usr/bin/apt", run: () => 0 },
  { path: "/usr/sbin/ntpdate", run: () => 0 },
];
