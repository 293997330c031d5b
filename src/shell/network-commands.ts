/**
 * The programs that use TCP and UDP, for the list of installed commands.
 */

import type { Command } from "./command.ts";
import { abCommand } from "./commands/ab.ts";
import { curlCommand } from "./commands/curl/curl.ts";
import { ncCommands } from "./commands/nc.ts";
import { netstatCommand } from "./commands/netstat.ts";
import { nstatCommand } from "./commands/nstat.ts";
import { ssCommand } from "./commands/ss.ts";
import { telnetCommand } from "./commands/telnet.ts";
import { wgetCommand } from "./commands/wget.ts";
import { httpdCommands } from "./daemons/httpd.ts";

export const networkCommands: readonly Command[] = [
  abCommand,
  curlCommand,
  ...ncCommands,
  netstatCommand,
  nstatCommand,
  ssCommand,
  telnetCommand,
  wgetCommand,
  ...httpdCommands,
];
