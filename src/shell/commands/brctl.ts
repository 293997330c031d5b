/**
 * brctl: bridge-utils 1.7 brctl/brctl.c. There are no bridges on the machines, and none can be made.
 */

import type { Command } from "../command.ts";

/** Name, words that it wants, their description. */
const COMMANDS: readonly (readonly [string, number, string, string])[] = [
  ["addbr", 1, "<bridge>\t", "add bridge"],
  ["delbr", 1, "<bridge>\t", "delete bridge"],
  ["addif", 2, "<bridge> <device>", "add interface to bridge"],
  ["delif", 2, "<bridge> <device>", "delete interface from bridge"],
  ["hairpin", 3, "<bridge> <port> {on|off}", "turn hairpin on/off"],
  ["setageing", 2, "<bridge> <time>\t", "set ageing time"],
  ["setbridgeprio", 2, "<bridge> <prio>\t", "set bridge priority"],
  ["setfd", 2, "<bridge> <time>\t", "set bridge forward delay"],
  ["sethello", 2, "<bridge> <time>\t", "set hello time"],
  ["setmaxage", 2, "<bridge> <time>\t", "set max message age"],
  ["setpathcost", 3, "<bridge> <port> <cost>", "set path cost"],
  ["setportprio", 3, "<bridge> <port> <prio>", "set port priority"],
  ["show", 0, "[ <bridge> ]\t", "show a list of bridges"],
  ["showmacs", 1, "<bridge>\t", "show a list of mac addrs"],
  ["showstp", 1, "<bridge>\t", "show bridge stp info"],
  ["stp", 2, "<bridge> {on|off}", "turn stp on/off"],
];

const USAGE = `Usage: brctl [commands]\ncommands:\n${COMMANDS.map(([name, , words, what]) => `\t${name.padEnd(10)}\t${words}\t${what}\n`).join("")}`;

export const brctlCommand: Command = {
  path: "/usr/sbin/brctl",
  run(context) {
    const { args, stdout, stderr, machine } = context;
    const [name, ...words] = args;
    if (name === "-V" || name === "--version") {
      stdout.write("bridge-utils, 1.7\n");
      return 0;
    }
    const command = COMMANDS.find(([one]) => one === name);
    if (command === undefined) {
      if (name !== undefined && !name.startsWith("-")) stderr.write(`never heard of command [${name}]\n`);
      stdout.write(USAGE);
      return 1;
    }
    if (words.length < command[1]) {
      stdout.write(`Incorrect number of arguments for command\nUsage: brctl ${command[0]} ${command[2]}\t${command[3]}\n`);
      return 1;
    }
    const [bridge = ""] = words;
    switch (name) {
      case "show":
        if (words.length === 0) stdout.write("bridge name\tbridge id\t\tSTP enabled\tinterfaces\n");
        for (const one of words) stderr.write(machine.host.devices.byName(one) === undefined ? `bridge ${one} does not exist!\n` : `device ${one} is not a bridge!\n`);
        return words.length === 0 ? 0 : 1;
      case "showmacs":
        if (machine.host.devices.byName(bridge) !== undefined) break;
        stderr.write("read of forward table failed: No such device\n");
        return 1;
      case "delbr":
        if (machine.host.devices.byName(bridge) !== undefined) break;
        stderr.write(`bridge ${bridge} doesn't exist; can't delete it\n`);
        return 1;
      case "addif":
        if (machine.host.devices.byName(bridge) !== undefined) break;
        stderr.write(`bridge ${bridge} does not exist!\n`);
        return 1;
      default:
        break;
    }
    stderr.write(`brctl: "${name}" is not supported by this simulator\n`);
    return 1;
  },
};
