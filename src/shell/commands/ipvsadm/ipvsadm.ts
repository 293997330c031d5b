/**
 * ipvsadm, ipvsadm-save, ipvsadm-restore: the table of the machine's IPVS from the command line.
 *
 * ipvsadm 1.31. Not simulated: IPv6 services.
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import type { DestSpec, Ipvs, ServiceKey, ServiceSpec } from "../../../ipvs/ipvs.ts";
import type { Command, CommandContext, Running } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import { formatConnection, formatConnectionTitles, formatRules, formatService, formatTitles, type ListFormat, type ListOptions, sortDests, sortServices, VERSION_LINE } from "./listing.ts";
import { NameService } from "./names.ts";
import { UsageError } from "./option-reader.ts";
import { type ParsedCommand, parseCommand } from "./options.ts";
import { USAGE } from "./usage.ts";

const VERSION = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";
const KERNEL_ERROR_STATUS = 255;
const LIST_FORMATS: readonly ListFormat[] = ["stats", "rate", "thresholds", "persistent-conn", "tun-info"];

export const ipvsadmCommand: Command = { path: "/usr/sbin/ipvsadm", run: runIpvsadm };

/** A script around `ipvsadm -S`. */
export const ipvsadmSaveCommand: Command = { path: "/usr/sbin/ipvsadm-save", run: (context) => execute(context, ["-S", ...context.args]) };

/** A script that clears the table first. */
export const ipvsadmRestoreCommand: Command = {
  path: "/usr/sbin/ipvsadm-restore",
  *run(context) {
    execute(context, ["-C"]);
    return yield* restore(context);
  },
};

function runIpvsadm(context: CommandContext): number | Running<number> {
  const [first] = context.args;
  if (first === "-R" || first === "--restore") return restore(context);
  return execute(context, context.args);
}

/** Each line of standard input is a call; the last one's status is the result. */
function* restore(context: CommandContext): Running<number> {
  context.machine.ipvs.load();
  let status = 0;
  for (let line = yield* context.stdin.readLine(); line !== undefined; line = yield* context.stdin.readLine()) {
    const words = line.split(/\s+/).filter((word) => word !== "");
    if (words.length === 0) continue;
    try {
      status = obey(context, words);
    } catch (error) {
      // A mistake in the words themselves ends the program; a refusal by the kernel does not, nor an option that popt does not understand.
      if (!(error instanceof UsageError)) throw error;
      status = complain(context, error);
      if (!error.endsLineOnly) return status;
    }
  }
  return status;
}

function execute(context: CommandContext, args: readonly string[]): number {
  context.machine.ipvs.load();
  try {
    return obey(context, args);
  } catch (error) {
    if (error instanceof UsageError) return complain(context, error);
    throw error;
  }
}

/** Throws a UsageError for words that are no command. */
function obey(context: CommandContext, args: readonly string[]): number {
  return act(context, parseCommand(args, new NameService(context.machine.files), (scheduler) => context.machine.ipvs.schedulerFlags(scheduler)));
}

function complain(context: CommandContext, error: UsageError): number {
  context.stderr.write(`${error.message}\n`);
  return error.status;
}

function act(context: CommandContext, parsed: ParsedCommand): number {
  const { ipvs } = context.machine;
  const key = parsed.service as ServiceKey;
  const dest = parsed.dest as DestSpec;
  switch (parsed.command) {
    case "add-service":
      return report(context, parsed, ipvs.addService(parsed.serviceSpec as ServiceSpec));
    case "edit-service":
      return report(context, parsed, ipvs.editService(parsed.serviceSpec as ServiceSpec));
    case "delete-service":
      return report(context, parsed, ipvs.deleteService(key));
    case "flush":
      ipvs.flush();
      return 0;
    case "add-server":
      return report(context, parsed, ipvs.addDest(key, dest));
    case "edit-server":
      return report(context, parsed, ipvs.editDest(key, dest));
    case "delete-server":
      return report(context, parsed, ipvs.deleteDest(key, dest.address, dest.port));
    case "set": {
      const [tcp, tcpFin, udp] = parsed.timeouts as readonly [number, number, number];
      return report(context, parsed, ipvs.setTimeouts(tcp, tcpFin, udp));
    }
    case "zero":
      return report(context, parsed, ipvs.zero(parsed.service));
    case "start-daemon":
      return report(context, parsed, ipvs.startDaemon(parsed.role as "master", parsed.daemon));
    case "stop-daemon":
      return report(context, parsed, ipvs.stopDaemon(parsed.role as "master"));
    case "save":
      return save(context, parsed);
    case "list":
      return list(context, parsed);
    case "restore":
      return 0;
    case "version":
      context.stdout.write(VERSION);
      return 0;
    case "help":
      context.stdout.write(VERSION + USAGE);
      return 0;
  }
}

/** The words of libipvs for an errno, which depend on what was asked. */
function report(context: CommandContext, parsed: ParsedCommand, errno: string | undefined): number {
  if (errno === undefined) return 0;
  const isServer = parsed.command.endsWith("-server");
  const isDaemon = parsed.command.endsWith("-daemon");
  const messages: Readonly<Record<string, string>> = {
    EEXIST: isDaemon ? "Daemon has already run" : isServer ? "Destination already exists" : "Service already exists",
    ESRCH: isDaemon ? "No daemon is running" : isServer ? "Service not defined" : "No such service",
    ENOENT: isServer ? "No such destination" : "Scheduler or persistence engine not found",
    EINVAL: "Invalid operation.  Possibly wrong module version, address not unicast, ...",
    ERANGE: "Numerical result out of range",
    ENODEV: "No such device",
    ENOMEM: "Memory allocation problem",
  };
  context.stderr.write(`${messages[errno] ?? errorText(errno)}\n`);
  return KERNEL_ERROR_STATUS;
}

function listOptions(context: CommandContext, parsed: ParsedCommand): ListOptions {
  return {
    format: LIST_FORMATS.find((format) => parsed.options.has(format as "stats")) ?? "plain",
    isNumeric: parsed.options.has("numeric"),
    isExact: parsed.options.has("exact"),
    names: new NameService(context.machine.files),
  };
}

function list(context: CommandContext, parsed: ParsedCommand): number {
  const { ipvs, host } = context.machine;
  const { stdout } = context;
  const options = listOptions(context, parsed);
  if (parsed.options.has("connection")) {
    stdout.write(formatConnectionTitles(parsed.options.has("persistent-conn")));
    for (const connection of ipvs.connections) stdout.write(formatConnection(connection, host.loop.nowNs, options));
    return 0;
  }
  if (parsed.options.has("timeout")) {
    const { tcpSeconds, tcpFinSeconds, udpSeconds } = ipvs.timeouts;
    stdout.write(`Timeout (tcp tcpfin udp): ${tcpSeconds} ${tcpFinSeconds} ${udpSeconds}\n`);
    return 0;
  }
  if (parsed.options.has("daemon")) return listDaemons(context, ipvs);
  const isSorted = !parsed.options.has("nosort");
  const destsOf = (service: { readonly dests: readonly DestSpec[] }) => (isSorted ? sortDests(service.dests as never) : (service.dests as never));
  if (parsed.service !== undefined) {
    const service = ipvs.service(parsed.service);
    if (service === undefined) {
      context.stderr.write("No such service\n");
      return 1;
    }
    stdout.write(formatTitles(options.format) + formatService(service, destsOf(service), options));
    return 0;
  }
  const services = isSorted ? sortServices(ipvs.services) : ipvs.services;
  stdout.write(VERSION_LINE + formatTitles(options.format) + services.map((service) => formatService(service, destsOf(service), options)).join(""));
  return 0;
}

function listDaemons(context: CommandContext, ipvs: Ipvs): number {
  for (const role of ["master", "backup"] as const) {
    const daemon = ipvs.daemons[role];
    if (daemon === undefined) continue;
    context.stdout.write(
      `${role} sync daemon (mcast=${daemon.device}, syncid=${daemon.syncId}, maxlen=${daemon.maxLength}, group=${formatIpv4Address(daemon.group)}, port=${daemon.port}, ttl=${daemon.ttl})\n`,
    );
  }
  return 0;
}

function save(context: CommandContext, parsed: ParsedCommand): number {
  const options = listOptions(context, parsed);
  for (const service of sortServices(context.machine.ipvs.services)) context.stdout.write(formatRules(service, sortDests(service.dests), options));
  return 0;
}
