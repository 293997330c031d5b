/**
 * service and systemctl, and the programs that install: they do as much as the reference laboratory's scripts of these names do.
 *
 * `service NAME VERB` knows the web servers, keepalived and the firewall; everything else succeeds and does nothing. Of keepalived they do
 * what systemd does.
 */

import { NS_PER_SECOND } from "../../../base/time.ts";
import type { Command, CommandContext, Running } from "../../command.ts";
import { FileError } from "../../file-system.ts";
import type { Process } from "../../process.ts";
import { fail } from "../tools/support.ts";

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

/** What systemd remembers of a unit that starts with the machine. */
const ENABLED_MARK = "/var/lib/systemd/deb-systemd-helper-enabled/multi-user.target.wants/keepalived.service";
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
  const isEnabled = context.machine.files.exists(ENABLED_MARK) ? "enabled" : "disabled";
  context.stdout.write(
    `${main === undefined ? "○" : "●"} keepalived.service - Keepalive Daemon (LVS and VRRP)\n` +
      `     Loaded: loaded (/lib/systemd/system/keepalived.service; ${isEnabled}; preset: enabled)\n` +
      (main === undefined ? "     Active: inactive (dead)\n" : `     Active: active (running)\n   Main PID: ${main.pid} (keepalived)\n`),
  );
  return main === undefined ? EXIT_NOT_RUNNING : 0;
}

function* serveKeepalived(context: CommandContext, verb: string): Running<number> {
  const { files, processes } = context.machine;
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
    case "enable":
      files.makeDirectory(ENABLED_MARK.slice(0, ENABLED_MARK.lastIndexOf("/")), { parents: true });
      files.write(ENABLED_MARK, "");
      return 0;
    case "disable":
      if (files.exists(ENABLED_MARK)) files.remove(ENABLED_MARK);
      return 0;
    case "is-enabled":
      context.stdout.write(files.exists(ENABLED_MARK) ? "enabled\n" : "disabled\n");
      return files.exists(ENABLED_MARK) ? 0 : 1;
    default:
      return fail(context, `keepalived: ${verb}: not simulated`);
  }
}

function* serve(context: CommandContext, name: string, verb: string): Running<number> {
  const isStart = verb === "start" || verb === "restart";
  if (WEB_SERVERS.has(name)) return isStart ? yield* context.spawn(["httpd"]) : verb === "stop" ? yield* stopWebServer(context) : 0;
  if (name === "keepalived") return yield* serveKeepalived(context, verb);
  if ((name === "firewalld" || name === "iptables") && verb === "stop") {
    yield* context.spawn(["iptables", "-F"]);
    yield* context.spawn(["iptables", "-P", "INPUT", "ACCEPT"]);
  }
  return 0;
}

function runService(context: CommandContext): Running<number> {
  return serve(context, context.args[0] ?? "", context.args[1] ?? "");
}

function runSystemctl(context: CommandContext): number | Running<number> {
  const words = context.args.filter((word) => !word.startsWith("-"));
  const [verb = "", unit = ""] = words;
  const name = unit.replace(/\.service$/, "");
  if (name !== "keepalived" && verb !== "start" && verb !== "stop" && verb !== "restart") return 0;
  return name === "keepalived" && verb === "enable" && context.args.includes("--now") ? enableNow(context) : serve(context, name, verb);
}

function* enableNow(context: CommandContext): Running<number> {
  yield* serveKeepalived(context, "enable");
  return yield* serveKeepalived(context, "start");
}

export const serviceCommands: readonly Command[] = [
  { path: "/usr/sbin/service", run: runService },
  { path: "/usr/bin/systemctl", run: runSystemctl },
  // Everything that a scenario needs is installed already.
  { path: "/usr/bin/yum", run: () => 0 },
  { path: "/usr/bin/dnf", run: () => 0 },
  { path: "/usr/bin/apt-get", run: () => 0 },
  { path: "/usr/bin/apt", run: () => 0 },
  { path: "/usr/sbin/ntpdate", run: () => 0 },
];
