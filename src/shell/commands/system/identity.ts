/**
 * Who and where: id, whoami, groups, hostname, uname, arch, nproc, tty, uptime, free.
 *
 * Everything runs as root on a machine with one processor, as in the reference laboratory.
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../../base/time.ts";
import type { Command, CommandContext } from "../../command.ts";
import { hostNameOf, resolveHost } from "../../names.ts";
import { fail, parseOptions, readFile, tool, usageError } from "../tools/support.ts";
import { dateLine, formatMoment } from "./date.ts";

const HOST_NAME_MAX = 64;
/** What `uname -v` prints. */
export const KERNEL_BUILD = "#1 Sat Jul  4 15:38:16 UTC 2026";

function runId(context: CommandContext): number {
  const options = parseOptions(context.args, "ugGnrzaZ", { user: "u", group: "g", groups: "G", name: "n", real: "r", zero: "z" });
  const user = options.operands[0] ?? "root";
  if (user !== "root" && user !== "0") return fail(context, `'${user}': no such user`);
  if (options.has("Z")) return fail(context, "--context (-Z) works only on an SELinux-enabled kernel");
  const chosen = ["u", "g", "G"].filter((letter) => options.has(letter));
  if (chosen.length > 1) return fail(context, "cannot print \"only\" of more than one choice");
  if (chosen.length === 0 && (options.has("n") || options.has("r"))) return fail(context, "cannot print only names or real IDs in default format");
  context.stdout.write(chosen.length === 0 ? "uid=0(root) gid=0(root) groups=0(root)\n" : options.has("n") ? "root\n" : "0\n");
  return 0;
}

/** A command without operands that prints one line. */
function oneLine(path: string, line: (context: CommandContext) => string): Command {
  return tool(path, 1, (context) => {
    const { operands } = parseOptions(context.args, "");
    if (operands[0] !== undefined) return usageError(context, `extra operand '${operands[0]}'`, 1);
    context.stdout.write(`${line(context)}\n`);
    return 0;
  });
}

function runGroups(context: CommandContext): number {
  const { operands } = parseOptions(context.args, "");
  const unknown = operands.find((user) => user !== "root");
  if (unknown !== undefined) return fail(context, `'${unknown}': no such user`);
  context.stdout.write(operands.length === 0 ? "root\n" : operands.map((user) => `${user} : root\n`).join(""));
  return 0;
}

const HOSTNAME_USAGE =
  "Usage: hostname [-b] {hostname|-F file}         set host name (from file)\n       hostname [-a|-A|-d|-f|-i|-I|-s|-y]       display formatted name\n" +
  "       hostname                                 display host name\n\n       {yp,nis,}domainname {nisdomain|-F file}  set NIS domain name (from file)\n" +
  "       {yp,nis,}domainname                      display NIS domain name\n\n       dnsdomainname                            display dns domain name\n\n" +
  "       hostname -V|--version|-h|--help          print info and exit\n\n";

function setHostname(context: CommandContext, name: string): number {
  if (name.length > HOST_NAME_MAX) return fail(context, "name too long");
  // hostname.c:check_name.
  if (!/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(name)) return fail(context, "the specified hostname is invalid");
  context.machine.hostname = name;
  return 0;
}

const HOSTNAME_LONG = {
  "file=": "F", short: "s", fqdn: "f", long: "f", "ip-address": "i", "all-ip-addresses": "I", domain: "d", alias: "a", "all-fqdns": "A", boot: "b", yp: "y", nis: "y",
};

function runHostname(context: CommandContext): number {
  const bad = context.args.find((word) => /^-[^-]/.test(word) && [...word.slice(1)].some((letter) => !"bF:sfiIdaAy".includes(letter)) && !word.startsWith("-F"));
  if (bad !== undefined) {
    context.stderr.write(`hostname: invalid option -- '${[...bad.slice(1)].find((letter) => !"bF:sfiIdaAy".includes(letter))}'\n${HOSTNAME_USAGE}`);
    return 255;
  }
  const options = parseOptions(context.args, "bF:sfiIdaAy", HOSTNAME_LONG);
  const { machine } = context;
  const path = options.value("F");
  if (path !== undefined) {
    const result = readFile(context, path);
    if ("error" in result) return fail(context, result.error);
    const line = result.text.split("\n").find((one) => one.trim() !== "" && !one.startsWith("#"));
    return setHostname(context, (line ?? "").trim());
  }
  if (options.operands[0] !== undefined) return setHostname(context, options.operands[0]);
  const address = resolveHost(machine, machine.hostname);
  const fullName = (address === undefined ? undefined : hostNameOf(machine, address)) ?? machine.hostname;
  if (options.has("I")) {
    const own = machine.host.devices.list.filter((device) => device.isUp && device !== machine.host.devices.loopback).flatMap((device) => device.addresses.map((one) => formatIpv4Address(one.address)));
    context.stdout.write(`${own.map((one) => `${one} `).join("")}\n`);
    return 0;
  }
  if ((options.has("i") || options.has("f") || options.has("d")) && address === undefined) return fail(context, "Temporary failure in name resolution");
  if (options.has("y")) return fail(context, "Local domain name not set");
  const dot = fullName.indexOf(".");
  const text = options.has("i") && address !== undefined ? formatIpv4Address(address)
    : options.has("f") || options.has("A") ? fullName
    : options.has("d") ? (dot < 0 ? "" : fullName.slice(dot + 1))
    : options.has("a") ? ""
    : options.has("s") ? (machine.hostname.split(".")[0] ?? "")
    : machine.hostname;
  if (text !== "" || !options.has("d")) context.stdout.write(`${text}\n`);
  return 0;
}

const UNAME_LONG = {
  all: "a", "kernel-name": "s", nodename: "n", "kernel-release": "r", "kernel-version": "v", machine: "m", processor: "p", "hardware-platform": "i", "operating-system": "o",
};

function runUname(context: CommandContext): number {
  const options = parseOptions(context.args, "asnrvmpio", UNAME_LONG);
  const extra = options.operands[0];
  if (extra !== undefined) return usageError(context, `extra operand '${extra}'`, 1);
  const { machine } = context;
  const parts: Readonly<Record<string, string>> = {
    s: "Linux", n: machine.hostname, r: machine.host.options.release, v: KERNEL_BUILD, m: "x86_64", p: "unknown", i: "unknown", o: "GNU/Linux",
  };
  const isAll = options.has("a");
  const letters = Object.keys(parts).filter((letter) => (isAll ? letter !== "p" && letter !== "i" : options.has(letter)));
  context.stdout.write(`${(letters.length === 0 ? ["s"] : letters).map((letter) => parts[letter]).join(" ")}\n`);
  return 0;
}

function runNproc(context: CommandContext): number {
  const options = parseOptions(context.args, "", { all: "a", "ignore=": "i" });
  const extra = options.operands[0];
  if (extra !== undefined) return usageError(context, `extra operand '${extra}'`, 1);
  context.stdout.write("1\n");
  return 0;
}

function runTty(context: CommandContext): number {
  const options = parseOptions(context.args, "s", { silent: "s", quiet: "s" });
  if (options.operands[0] !== undefined) return usageError(context, `extra operand '${options.operands[0]}'`, 2);
  if (!options.has("s")) context.stdout.write("not a tty\n");
  return 1;
}

/** `1 day,  2:03` or `5 min`, as procps' uptime shows it. */
function upFor(seconds: number, isPretty: boolean): string {
  const minutes = Math.floor(seconds / 60);
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
  const plural = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"}`;
  if (isPretty) {
    const parts = [...(days > 0 ? [plural(days, "day")] : []), ...(hours > 0 ? [plural(hours, "hour")] : []), ...(rest > 0 || minutes < 1 ? [plural(rest, "minute")] : [])];
    return parts.join(", ");
  }
  const start = days > 0 ? `${plural(days, "day")}, ` : "";
  return hours > 0 ? `${start}${String(hours).padStart(2)}:${String(rest).padStart(2, "0")}` : `${start}${rest} min`;
}

function runUptime(context: CommandContext): number {
  const options = parseOptions(context.args, "ps", { pretty: "p", since: "s" });
  const { machine } = context;
  const seconds = (machine.host.loop.nowNs - machine.bootedAtNs) / NS_PER_SECOND;
  if (options.has("p")) context.stdout.write(`up ${upFor(seconds, true)}\n`);
  else if (options.has("s")) context.stdout.write(`${formatMoment("%F %T", { seconds: machine.epochSeconds + Math.floor(machine.bootedAtNs / NS_PER_SECOND), nanoseconds: 0 })}\n`);
  else context.stdout.write(` ${dateLine(machine, "%T")} up ${upFor(seconds, false)},  0 user,  load average: 0.00, 0.00, 0.00\n`);
  return 0;
}

function humanSize(kibibytes: number): string {
  if (kibibytes === 0) return "0B";
  let value = kibibytes;
  for (const unit of ["Ki", "Mi", "Gi", "Ti"]) {
    if (value < 1000) return `${value < 10 && unit !== "Ki" ? (Math.floor(value * 10) / 10).toFixed(1) : Math.floor(value)}${unit}`;
    value /= 1024;
  }
  return `${Math.floor(value)}Pi`;
}

/** Kibibytes: total, used, free, shared, buffers and cache, available; as procps works them out. */
function memory(context: CommandContext): readonly [number, number, number, number, number, number] {
  const text = context.machine.files.read("/proc/meminfo");
  const value = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
  const [total, available] = [value("MemTotal"), value("MemAvailable")];
  return [total, total - available, value("MemFree"), value("Shmem"), value("Buffers") + value("Cached") + value("SReclaimable"), available];
}

function runFree(context: CommandContext): number {
  const options = parseOptions(context.args, "bkmghts:c:wlv", { bytes: "b", kibi: "k", mebi: "m", gibi: "g", human: "h", total: "t", wide: "w", "seconds=": "s", "count=": "c" });
  for (const letter of ["s", "c", "w", "l", "v"]) if (options.has(letter)) return fail(context, `lvsim: option -${letter} is not simulated`);
  const show = (kibibytes: number): string =>
    options.has("h") ? humanSize(kibibytes)
    : options.has("b") ? String(kibibytes * 1024)
    : String(Math.floor(kibibytes / (options.has("g") ? 1024 * 1024 : options.has("m") ? 1024 : 1)));
  const row = (label: string, values: readonly number[]): string => `${label.padEnd(8)}${values.map((value) => show(value).padStart(12)).join("")}\n`;
  const amounts = memory(context);
  const heads = ["total", "used", "free", "shared", "buff/cache", "available"];
  context.stdout.write(`${" ".repeat(8)}${heads.map((head) => head.padStart(12)).join("")}\n${row("Mem:", amounts)}${row("Swap:", [0, 0, 0])}`);
  if (options.has("t")) context.stdout.write(row("Total:", amounts.slice(0, 3)));
  return 0;
}

export const identityCommands: readonly Command[] = [
  tool("/usr/bin/id", 1, runId),
  oneLine("/usr/bin/whoami", () => "root"),
  oneLine("/usr/bin/arch", () => "x86_64"),
  tool("/usr/bin/groups", 1, runGroups),
  tool("/usr/bin/hostname", 255, runHostname),
  tool("/usr/bin/uname", 1, runUname),
  tool("/usr/bin/nproc", 1, runNproc),
  tool("/usr/bin/tty", 2, runTty),
  tool("/usr/bin/uptime", 1, runUptime),
  tool("/usr/bin/free", 1, runFree),
];
