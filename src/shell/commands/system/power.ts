/**
 * reboot, poweroff, halt, shutdown, init and telinit; last, which tells when machines came up.
 *
 * systemd 252 systemctl-compat-halt.c, systemctl-compat-shutdown.c, systemctl-compat-telinit.c; util-linux 2.38 last.c.
 */

import { NS_PER_SECOND } from "../../../base/time.ts";
import { shutDown } from "../../boot/power.ts";
import type { Command, CommandContext } from "../../command.ts";
import type { Machine, PowerAction } from "../../machine.ts";
import { formatMoment } from "./date.ts";

/** What a planned shutdown waits for, by machine. */
const planned = new WeakMap<object, number>();

function refuse(context: CommandContext, text: string): number {
  context.stderr.write(`${text}\n`);
  return 1;
}

/** `-f` goes without asking anybody. */
function begin(context: CommandContext, action: PowerAction, isForced: boolean): number {
  const { machine } = context;
  if (machine.onPower === undefined) return refuse(context, `lvsim: ${machine.hostname} has no power switch: it belongs to no scenario`);
  if (isForced) machine.host.loop.after(0, { onEvent: () => machine.onPower?.(action) });
  else shutDown(machine, action);
  return 0;
}

function halting(action: PowerAction): (context: CommandContext) => number {
  return (context) => {
    let chosen = action;
    let isForced = false;
    for (const word of context.args) {
      if (word === "-f" || word === "--force") isForced = true;
      else if (word === "-p" || word === "--poweroff") chosen = "poweroff";
      else if (word === "--halt") chosen = "halt";
      else if (word === "--reboot") chosen = "reboot";
      else if (word === "-w" || word === "--wtmp-only") return 0;
      else if (/^(-d|-n|--no-wtmp|--no-sync|--no-wall)$/.test(word)) continue;
      else if (word.startsWith("-")) return refuse(context, `${context.name}: ${word.startsWith("--") ? `unrecognized option '${word}'` : `invalid option -- '${word[1] ?? ""}'`}`);
      else return refuse(context, "Too many arguments.");
    }
    return begin(context, chosen, isForced);
  };
}

/** `now`, `+5`, `23:15`: seconds from now; undefined when it is none. */
function waitSeconds(machine: Machine, text: string): number | undefined {
  if (text === "now") return 0;
  const minutes = /^\+?(\d{1,6})$/.exec(text);
  if (minutes !== null) return Number(minutes[1]) * 60;
  const clock = /^(\d{1,2}):(\d\d)$/.exec(text);
  if (clock === null || Number(clock[1]) > 23 || Number(clock[2]) > 59) return undefined;
  const now = (machine.epochSeconds + Math.floor(machine.host.loop.nowNs / NS_PER_SECOND)) % 86_400;
  const at = Number(clock[1]) * 3600 + Number(clock[2]) * 60;
  return at >= now ? at - now : at + 86_400 - now;
}

function runShutdown(context: CommandContext): number {
  const { machine } = context;
  let action: PowerAction = "poweroff";
  const operands: string[] = [];
  for (const word of context.args) {
    if (word === "-r" || word === "--reboot") action = "reboot";
    else if (word === "-H" || word === "--halt") action = "halt";
    else if (word === "-h" || word === "-P" || word === "--poweroff") action = "poweroff";
    else if (word === "-c") {
      const event = planned.get(machine);
      if (event !== undefined) machine.host.loop.cancel(event);
      planned.delete(machine);
      return 0;
    } else if (word === "-k" || word === "--no-wall") continue;
    else if (word.startsWith("-")) return refuse(context, `${context.name}: ${word.startsWith("--") ? `unrecognized option '${word}'` : `invalid option -- '${word[1] ?? ""}'`}`);
    else operands.push(word);
  }
  const text = operands[0] ?? "+1";
  const seconds = waitSeconds(machine, text);
  if (seconds === undefined) return refuse(context, `Failed to parse time specification: ${text}`);
  if (seconds === 0) return begin(context, action, false);
  if (machine.onPower === undefined) return begin(context, action, false);
  const due = { seconds: machine.epochSeconds + Math.floor(machine.host.loop.nowNs / NS_PER_SECOND) + seconds, nanoseconds: 0 };
  const words = { reboot: "Reboot", poweroff: "Shutdown", halt: "Shutdown" }[action];
  context.stderr.write(`${words} scheduled for ${formatMoment("%a %Y-%m-%d %H:%M:%S UTC", due)}, use 'shutdown -c' to cancel.\n`);
  planned.set(
    machine,
    machine.host.loop.after(seconds * NS_PER_SECOND, { onEvent: () => shutDown(machine, action) }),
  );
  return 0;
}

function runInit(context: CommandContext): number {
  const [level = ""] = context.args;
  if (level === "6") return begin(context, "reboot", false);
  if (level === "0") return begin(context, "poweroff", false);
  if (/^[1-5sS]$/.test(level) || /^[qQ]$/.test(level)) return 0;
  return refuse(context, level === "" ? `${context.name}: required argument missing.` : `${context.name}: Excess arguments.`);
}

/** systemctl's own verbs. */
export function systemctlPower(context: CommandContext, verb: string): number | undefined {
  const isForced = context.args.includes("-f") || context.args.includes("--force");
  return verb === "reboot" || verb === "poweroff" || verb === "halt" ? begin(context, verb, isForced) : undefined;
}

/** Boots only: nobody logs in on these machines. Newest first, from /var/log/wtmp. */
function runLast(context: CommandContext): number {
  const { machine } = context;
  const boots = machine.files.exists("/var/log/wtmp") ? machine.files.read("/var/log/wtmp").trim().split("\n").map(Number) : [];
  const only = context.args.find((word) => !word.startsWith("-"));
  const count = context.args.map((word) => /^-n?(\d+)$/.exec(word)?.[1]).find((word) => word !== undefined);
  const time = (seconds: number) => formatMoment("%a %b %e %H:%M", { seconds, nanoseconds: 0 });
  if (only === undefined || only === "reboot")
    for (const seconds of boots.filter((one) => one > 0).reverse().slice(0, count === undefined ? undefined : Number(count))) {
      const isThis = seconds === boots.at(-1);
      context.stdout.write(`reboot   system boot  ${machine.host.options.release.padEnd(16)} ${time(seconds)}${isThis ? "   still running" : ""}\n`);
    }
  const first = boots.find((one) => one > 0);
  context.stdout.write(`\nwtmp begins ${formatMoment("%a %b %e %H:%M:%S %Y", { seconds: first ?? machine.epochSeconds, nanoseconds: 0 })}\n`);
  return 0;
}

export const powerCommands: readonly Command[] = [
  { path: "/usr/sbin/reboot", run: halting("reboot") },
  { path: "/usr/sbin/poweroff", run: halting("poweroff") },
  { path: "/usr/sbin/halt", run: halting("halt") },
  { path: "/usr/sbin/shutdown", run: runShutdown },
  { path: "/usr/sbin/init", run: runInit },
  { path: "/usr/sbin/telinit", run: runInit },
  { path: "/usr/bin/last", run: runLast },
];
