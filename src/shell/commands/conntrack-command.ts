/**
 * conntrack: lists, deletes, counts and flushes tracked connections.
 *
 * conntrack-tools v1.4.7 src/conntrack.c. Not simulated: -E, -I, -U, -G, the expect, dying and unconfirmed tables, XML.
 */

import { isInPrefix, parseIpv4Cidr } from "../../base/ipv4-address.ts";
import type { Connection } from "../../host/netfilter/connection.ts";
import type { Conntrack } from "../../host/netfilter/conntrack.ts";
import type { Command, CommandContext } from "../command.ts";
import { formatConnection } from "../conntrack-text.ts";

const VERSION = "conntrack v1.4.7 (conntrack-tools)";
const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, icmp: 1, udplite: 136, sctp: 132, dccp: 33, gre: 47 };
const COMMANDS: Readonly<Record<string, string>> = {
  "-L": "L",
  "--dump": "L",
  "-D": "D",
  "--delete": "D",
  "-F": "F",
  "--flush": "F",
  "-C": "C",
  "--count": "C",
  "-S": "S",
  "--stats": "S",
  "-h": "h",
  "--help": "h",
  "-V": "V",
  "--version": "V",
};

/** A mistake in the words, or something that is not simulated. */
class ConntrackUsage extends Error {
  override readonly name = "ConntrackUsage";
}

type Filter = (connection: Connection) => boolean;

interface Parsed {
  command: string | undefined;
  isExtended: boolean;
  readonly filters: Filter[];
}

function addressFilter(text: string, address: (connection: Connection) => number): Filter {
  const cidr = parseIpv4Cidr(text);
  if (cidr === undefined) throw new ConntrackUsage(`Invalid IP address \`${text}'`);
  return (connection) => isInPrefix(address(connection), cidr.address, cidr.prefixLength);
}

function numberOf(text: string, option: string): number {
  if (!/^(0x[0-9a-fA-F]+|\d+)$/.test(text)) throw new ConntrackUsage(`the simulator cannot read \`${text}' after ${option}`);
  return Number(text);
}

/** Options with a value, and the filter that each makes. */
const VALUE_OPTIONS: Readonly<Record<string, (value: string, option: string) => Filter>> = {
  "-s": (value) => addressFilter(value, ({ original }) => original.src),
  "-d": (value) => addressFilter(value, ({ original }) => original.dst),
  "-r": (value) => addressFilter(value, ({ reply }) => reply.src),
  "-q": (value) => addressFilter(value, ({ reply }) => reply.dst),
  "--sport": (value, option) => {
    const port = numberOf(value, option);
    return ({ original }) => original.srcPort === port;
  },
  "--dport": (value, option) => {
    const port = numberOf(value, option);
    return ({ original }) => original.dstPort === port;
  },
  "--reply-port-src": (value, option) => {
    const port = numberOf(value, option);
    return ({ reply }) => reply.srcPort === port;
  },
  "--reply-port-dst": (value, option) => {
    const port = numberOf(value, option);
    return ({ reply }) => reply.dstPort === port;
  },
  "--state": (value) => (connection) => connection.state === value.toUpperCase(),
  "-m": (value, option) => {
    const [mark = "", mask = "0xffffffff"] = value.split("/");
    const wanted = numberOf(mark, option);
    const bits = numberOf(mask, option);
    return (connection) => (connection.mark & bits) >>> 0 === wanted;
  },
  "-u": (value) => statusFilter(value.toUpperCase()),
};

const ALIASES: Readonly<Record<string, string>> = {
  "--src": "-s",
  "--orig-src": "-s",
  "--dst": "-d",
  "--orig-dst": "-d",
  "--reply-src": "-r",
  "--reply-dst": "-q",
  "--orig-port-src": "--sport",
  "--orig-port-dst": "--dport",
  "--mark": "-m",
  "--status": "-u",
  "--protonum": "-p",
  "--proto": "-p",
  "--family": "-f",
  "--output": "-o",
  "--src-nat": "-n",
  "--dst-nat": "-g",
  "--any-nat": "-j",
};

function statusFilter(text: string): Filter {
  const names = text.split(",");
  for (const name of names)
    if (!["ASSURED", "SEEN_REPLY", "UNSET"].includes(name)) throw new ConntrackUsage(`the simulator does not support status \`${name}'`);
  return (connection) =>
    names.every((name) =>
      name === "ASSURED" ? connection.isAssured : name === "SEEN_REPLY" ? connection.hasReply : !connection.hasReply && !connection.isAssured,
    );
}

function natFilter(option: string, value: string | undefined): Filter {
  const cidr = value === undefined ? undefined : parseIpv4Cidr(value);
  if (value !== undefined && cidr === undefined) throw new ConntrackUsage(`Invalid network \`${value}'`);
  const isSource = ({ original, reply }: Connection): boolean =>
    original.src !== reply.dst && (cidr === undefined || isInPrefix(reply.dst, cidr.address, cidr.prefixLength));
  const isDestination = ({ original, reply }: Connection): boolean =>
    original.dst !== reply.src && (cidr === undefined || isInPrefix(reply.src, cidr.address, cidr.prefixLength));
  if (option === "-n") return isSource;
  return option === "-g" ? isDestination : (connection) => isSource(connection) || isDestination(connection);
}

function parse(args: readonly string[]): Parsed {
  const parsed: Parsed = { command: undefined, isExtended: false, filters: [] };
  for (let i = 0; i < args.length; i++) {
    const word = args[i] ?? "";
    const command = COMMANDS[word];
    if (command !== undefined) {
      if (parsed.command !== undefined) throw new ConntrackUsage("Invalid commands combination");
      parsed.command = command;
      if (args[i + 1] === "conntrack") i++;
      else if (args[i + 1] !== undefined && args[i + 1]?.startsWith("-") !== true)
        throw new ConntrackUsage(`the simulator does not support table \`${args[i + 1]}'`);
      continue;
    }
    const option = ALIASES[word] ?? word;
    const next = args[i + 1];
    if (option === "-n" || option === "-g" || option === "-j") {
      const hasValue = next !== undefined && !next.startsWith("-");
      parsed.filters.push(natFilter(option, hasValue ? next : undefined));
      if (hasValue) i++;
      continue;
    }
    if (!isKnown(option)) throw new ConntrackUsage(isUnsimulated(word) ? `the simulator does not support option \`${word}'` : `unknown option \`${word}'`);
    if (next === undefined) throw new ConntrackUsage(`option \`${word}' requires an argument`);
    i++;
    takeOption(parsed, option, word, next);
  }
  return parsed;
}

function isKnown(option: string): boolean {
  return option === "-p" || option === "-f" || option === "-o" || Object.hasOwn(VALUE_OPTIONS, option);
}

/** Options and commands of the real program that this one has not. */
function isUnsimulated(word: string): boolean {
  const names =
    "-E --event -I --create -A --add -U --update -G --get -e --event-mask -z --zero -c --secmark -l --label -t --timeout -w --zone --orig-zone --reply-zone -b --buffer-size --mask-src --mask-dst --tuple-src --tuple-dst --label-add --label-del --id";
  return names.split(" ").includes(word);
}

function takeOption(parsed: Parsed, option: string, word: string, value: string): void {
  switch (option) {
    case "-p": {
      const protocol = PROTOCOLS[value.toLowerCase()] ?? (/^\d+$/.test(value) ? Number(value) : undefined);
      if (protocol === undefined) throw new ConntrackUsage(`\`${value}' unsupported protocol`);
      parsed.filters.push(({ original }) => original.protocol === protocol);
      return;
    }
    case "-f":
      if (value !== "ipv4") throw new ConntrackUsage(`the simulator does not support family \`${value}'`);
      return;
    case "-o":
      if (value !== "extended") throw new ConntrackUsage(`the simulator does not support output \`${value}'`);
      parsed.isExtended = true;
      return;
    default: {
      const filter = VALUE_OPTIONS[option];
      if (filter === undefined) throw new ConntrackUsage(`the simulator does not support option \`${word}'`);
      parsed.filters.push(filter(value, word));
    }
  }
}

function run(context: CommandContext): number {
  let parsed: Parsed;
  try {
    parsed = parse(context.args);
  } catch (error) {
    if (!(error instanceof ConntrackUsage)) throw error;
    context.stderr.write(`${VERSION}: ${error.message}\nTry \`conntrack -h' or 'conntrack --help' for more information.\n`);
    return 2;
  }
  return act(context, parsed);
}

function act(context: CommandContext, parsed: Parsed): number {
  const { stdout, stderr, machine } = context;
  const conntrack = machine.host.conntrack as Conntrack;
  const { nowNs } = machine.host.loop;
  const show = (connection: Connection): string => `${parsed.isExtended ? "ipv4     2 " : ""}${formatConnection(connection, nowNs, 1)}\n`;
  const chosen = (): readonly Connection[] => conntrack.entries.filter((connection) => parsed.filters.every((filter) => filter(connection)));
  switch (parsed.command) {
    case "L": {
      const list = chosen();
      for (const connection of list) stdout.write(show(connection));
      stderr.write(`${VERSION}: ${list.length} flow entries have been shown.\n`);
      return 0;
    }
    case "D": {
      const list = chosen();
      for (const connection of list) {
        stdout.write(show(connection));
        conntrack.remove(connection);
      }
      stderr.write(`${VERSION}: ${list.length} flow entries have been deleted.\n`);
      return list.length === 0 ? 1 : 0;
    }
    case "F":
      for (const connection of conntrack.entries) conntrack.remove(connection);
      stderr.write(`${VERSION}: connection tracking table has been emptied.\n`);
      return 0;
    case "C":
      stdout.write(`${conntrack.entries.length}\n`);
      return 0;
    case "S": {
      const { invalid, insertFailed, drop, earlyDrop } = conntrack.statistics;
      stdout.write(
        `cpu=0   \tfound=0 invalid=${invalid} insert=0 insert_failed=${insertFailed} drop=${drop} early_drop=${earlyDrop} error=0 search_restart=0 clash_resolve=0 chaintoolong=0 \n`,
      );
      return 0;
    }
    case "V":
      stdout.write(`${VERSION}\n`);
      return 0;
    default:
      stdout.write("Command line interface for the connection tracking system. Version 1.4.7\nUsage: conntrack [commands] [options]\n");
      return 0;
  }
}

export const conntrackCommand: Command = { path: "/usr/sbin/conntrack", run };
