/**
 * The programs that look at neighbours, cables, names and paths, for the list of installed commands.
 */

import type { Command } from "./command.ts";
import { arpCommand } from "./commands/arp-command.ts";
import { arpingCommand } from "./commands/arping.ts";
import { brctlCommand } from "./commands/brctl.ts";
import { ethtoolCommand } from "./commands/ethtool.ts";
import { getentCommand } from "./commands/getent.ts";
import { pingCommand } from "./commands/ping.ts";
import { tracerouteCommand } from "./commands/traceroute.ts";

export const reachabilityCommands: readonly Command[] = [arpCommand, arpingCommand, brctlCommand, ethtoolCommand, getentCommand, pingCommand, tracerouteCommand];
