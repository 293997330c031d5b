/**
 * ip(8): options, and which part does what.
 *
 * iproute2 6.1 ip/ip.c (main, do_cmd, do_batch).
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import { runIpAddress } from "./ip-address.ts";
import { runIpFou } from "./ip-fou.ts";
import { IP_HELP } from "./ip-help.ts";
import { runIpLink } from "./ip-link.ts";
import { runIpMaddress } from "./ip-maddr.ts";
import { runIpNeigh } from "./ip-neigh.ts";
import { runIpNetconf } from "./ip-netconf.ts";
import { runIpNtable } from "./ip-ntable.ts";
import { chosenOf, IpExit, type IpFlags, type IpSession, isCutOf, unsupported } from "./ip-output.ts";
import { runIpRoute } from "./ip-route.ts";
import { runIpRule } from "./ip-rule.ts";
import { runIpTunnel } from "./ip-tunnel.ts";

/** Objects in the order of iproute2's table: the first that a word abbreviates is meant. */
const OBJECTS =
  "address addrlabel maddress route rule neighbor neighbour ntable ntbl link l2tp fou ila macsec tunnel tunl tuntap tap token tcpmetrics monitor xfrm mroute mrule netns netconf vrf sr nexthop mptcp ioam help stats".split(
    " ",
  );

/** Bound on the lines of a batch. */
const BATCH_LINES_MAX = 100_000;

interface Options {
  family: IpFlags["family"];
  statistics: number;
  details: number;
  isOneLine: boolean;
  isBrief: boolean;
  isJson: boolean;
  isPretty: boolean;
  isHuman: boolean;
  isIec: boolean;
  isForced: boolean;
  batchFile: string | undefined;
}

type Parsed = { readonly options: Options; readonly rest: readonly string[] };

function parseOptions(args: readonly string[]): Parsed | "version" | "help" {
  const options: Options = {
    family: undefined,
    statistics: 0,
    details: 0,
    isOneLine: false,
    isBrief: false,
    isJson: false,
    isPretty: false,
    isHuman: false,
    isIec: false,
    isForced: false,
    batchFile: undefined,
  };
  let at = 0;
  for (; at < args.length; at++) {
    let option = args[at] as string;
    if (option === "--") return { options, rest: args.slice(at + 1) };
    if (!option.startsWith("-") || option === "-") break;
    if (option.startsWith("--")) option = option.slice(1);
    // -h comes first in the table of options, and means -human-readable.
    if (option !== "-h" && isCutOf(option, "-help")) return "help";
    const isKnown = applySwitch(option, options);
    if (isKnown) continue;
    if (isCutOf(option, "-Version")) return "version";
    if (isCutOf(option, "-family") || isCutOf(option, "-loops") || isCutOf(option, "-netns") || isCutOf(option, "-rcvbuf") || isCutOf(option, "-batch")) {
      const value = args[++at];
      if (value === undefined) throw new IpExit(255, isCutOf(option, "-batch") ? IP_HELP : 'Command line is not complete. Try option "help"\n');
      applyValue(option, value, options);
      continue;
    }
    throw new IpExit(255, `Option "${args[at]}" is unknown, try "ip -help".\n`);
  }
  return { options, rest: args.slice(at) };
}

/** An option without a value; the order of the comparisons is iproute2's. False when it is none. */
function applySwitch(option: string, options: Options): boolean {
  if (option === "-4") options.family = "inet";
  else if (option === "-6") options.family = "inet6";
  else if (option === "-0") options.family = "link";
  else if (option === "-M" || option === "-B") unsupported(`"${option}"`);
  else if (option === "-h" || option === "-human" || option === "-human-readable") options.isHuman = true;
  else if (option === "-iec") options.isIec = true;
  else if (option === "-Numeric" || option === "-N" || option === "-resolve" || option === "-r") return true;
  else if (isCutOf(option, "-stats") || isCutOf(option, "-statistics")) options.statistics++;
  else if (isCutOf(option, "-details")) options.details++;
  else if (isCutOf(option, "-oneline")) options.isOneLine = true;
  else if (isCutOf(option, "-timestamp") || isCutOf(option, "-tshort") || isCutOf(option, "-all")) return true;
  else if (isCutOf(option, "-force") && option.length > 2) options.isForced = true;
  else if (isCutOf(option, "-brief") && option.length > 2) options.isBrief = true;
  else if (isCutOf(option, "-json")) options.isJson = true;
  else if (isCutOf(option, "-pretty")) options.isPretty = true;
  // Output that is no terminal has no colours unless they are forced.
  else if (option === "-c" || /^-color(=(auto|never))?$/.test(option)) return true;
  else if (/^-c(olor)?=always$/.test(option)) unsupported(`"${option}"`);
  else return false;
  return true;
}

function applyValue(option: string, value: string, options: Options): void {
  if (isCutOf(option, "-batch")) options.batchFile = value;
  else if (isCutOf(option, "-netns")) unsupported('"-netns"');
  else if (isCutOf(option, "-family")) {
    if (value === "inet" || value === "inet6" || value === "link") options.family = value;
    else if (value === "mpls" || value === "bridge") unsupported(`family ${value}`);
    else throw new IpExit(255, `Error: argument "${value}" is wrong: invalid protocol family\n\n`);
  }
}

function sessionOf(context: CommandContext, flags: IpFlags): IpSession {
  return {
    context,
    flags,
    host: context.machine.host,
    out: (text) => void context.stdout.write(text),
    err: (text) => void context.stderr.write(text),
    nl: flags.isOneLine ? "\\" : "\n",
  };
}

function runObject(session: IpSession, words: readonly string[]): number {
  const object = words[0] ?? "";
  const rest = words.slice(1);
  switch (chosenOf(object, OBJECTS)) {
    case "address":
      return runIpAddress(session, rest);
    case "link":
      return runIpLink(session, rest);
    case "route":
      return runIpRoute(session, rest);
    case "maddress":
      return runIpMaddress(session, rest);
    case "rule":
      return runIpRule(session, rest);
    case "neighbor":
    case "neighbour":
      return runIpNeigh(session, rest);
    case "ntable":
    case "ntbl":
      return runIpNtable(session, rest);
    case "tunnel":
    case "tunl":
      return runIpTunnel(session, rest);
    case "netconf":
      return runIpNetconf(session, rest);
    case "fou":
      return runIpFou(session, rest);
    case "help":
      session.err(IP_HELP);
      return 255;
    case "monitor":
      if (
        rest[0] !== undefined &&
        chosenOf(rest[0], [
          "label",
          "all-nsid",
          "dev",
          "file",
          "link",
          "address",
          "route",
          "mroute",
          "maddress",
          "prefix",
          "neigh",
          "rule",
          "netconf",
          "nsid",
          "nexthop",
          "stats",
          "all",
          "help",
        ]) === undefined
      ) {
        throw new IpExit(255, `Argument "${rest[0]}" is unknown, try "ip monitor help".\n`);
      }
      return unsupported('"ip monitor"');
    case undefined:
      throw new IpExit(1, `Object "${object}" is unknown, try "ip help".\n`);
    default:
      return unsupported(`"ip ${object}"`);
  }
}

/** Runs one command; its failure is its exit status, never an exception. */
function guarded(session: IpSession, words: readonly string[]): number {
  try {
    return runObject(session, words);
  } catch (failure) {
    if (!(failure instanceof IpExit)) throw failure;
    session.err(failure.text);
    return failure.exit;
  }
}

function* runBatch(session: IpSession, options: Options): Running<number> {
  const name = options.batchFile as string;
  const { machine, cwd, stdin } = session.context;
  const files = machine.files;
  const path = files.resolve(cwd, name);
  if (name !== "-" && !files.exists(path)) {
    session.err(`Cannot open file "${name}" for reading: No such file or directory\n`);
    return 1;
  }
  const text = name === "-" ? yield* stdin.readAll() : files.read(path);
  const lines = text.split("\n").slice(0, BATCH_LINES_MAX);
  let exit = 0;
  for (let at = 0; at < lines.length; at++) {
    const words = (lines[at] as string)
      .replace(/#.*$/, "")
      .trim()
      .split(/\s+/)
      .filter((word) => word !== "");
    if (words.length === 0) continue;
    const status = guarded(session, words);
    if (status === 0) continue;
    session.err(`Command failed ${name}:${at + 1}\n`);
    exit = 1;
    if (!options.isForced) break;
  }
  return exit;
}

function* run(context: CommandContext): Running<number> {
  let parsed: Parsed | "version" | "help";
  try {
    parsed = parseOptions(context.args);
  } catch (failure) {
    if (!(failure instanceof IpExit)) throw failure;
    context.stderr.write(failure.text);
    return failure.exit;
  }
  if (parsed === "version") {
    context.stdout.write("ip utility, iproute2-6.1.0, libbpf 1.1.2\n");
    return 0;
  }
  if (parsed === "help") {
    context.stderr.write(IP_HELP);
    return 255;
  }
  const { options, rest } = parsed;
  const session = sessionOf(context, options);
  if (options.batchFile !== undefined) return yield* runBatch(session, options);
  if (rest.length === 0) {
    context.stderr.write(IP_HELP);
    return 255;
  }
  return guarded(session, rest);
}

export const ipCommand: Command = { path: "/usr/sbin/ip", run };
