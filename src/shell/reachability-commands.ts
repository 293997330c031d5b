/**
 * The programs that look at neighbours and paths, for the list of installed commands.
 */

import type { Command } from "./command.ts";
import { arpCommand } from "./commands/arp-command.ts";
import { arpingCommand } from "./commands/arping.ts";
import { pingCommand } from "./commands/ping.ts";
import { tracerouteCommand } from "./commands/traceroute.ts";

export const reachabilityCommands: readonly Command[] = [arpCommand, arpingCommand, pingCommand, tracerouteCommand];
