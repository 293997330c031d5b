/**
 * service and systemctl, and the programs that install: they do as much as the reference laboratory's scripts of these names do.
 *
 * `service NAME VERB` knows the web servers, keepalived and the firewall; everything else succeeds and does nothing.
 */

import { NS_PER_SECOND } from "../../../base/time.ts";
import type { Command, CommandContext, Running } from "../../command.ts";
import { FileError } from "../../file-system.ts";
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

function* serve(context: CommandContext, name: string, verb: string): Running<number> {
  const isStart = verb === "start" || verb === "restart";
  if (WEB_SERVERS.has(name)) return isStart ? yield* context.spawn(["httpd"]) : verb === "stop" ? yield* stopWebServer(context) : 0;
  if (name === "keepalived") {
    if (isStart && context.machine.commandNamed("keepalived") === undefined) return fail(context, "keepalived is not simulated on this machine");
    if (isStart) return yield* context.spawn(["keepalived"]);
    if (verb === "stop") for (const process of context.machine.processes.list) if (process.name === "keepalived") context.machine.processes.kill(process.pid, "TERM");
    return 0;
  }
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
  const [verb = "", unit = ""] = context.args;
  if (verb !== "start" && verb !== "stop" && verb !== "restart") return 0;
  return serve(context, unit.replace(/\.service$/, ""), verb);
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
