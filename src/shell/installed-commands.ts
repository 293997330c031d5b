/**
 * Every program of a machine but its shells (`shell-commands.ts`), which belong to one machine each.
 */

import type { Command } from "./command.ts";
import { awkCommands } from "./commands/awk/awk.ts";
import { dnsmasqCommand } from "./daemons/dnsmasq.ts";
import { ifconfigCommand } from "./commands/ifconfig.ts";
import { ipCommand } from "./commands/ip/ip.ts";
import { ipvsadmCommand, ipvsadmRestoreCommand, ipvsadmSaveCommand } from "./commands/ipvsadm/ipvsadm.ts";
import { opensslCommand } from "./commands/openssl/openssl.ts";
import { routeCommand } from "./commands/route.ts";
import { socatCommand } from "./commands/socat.ts";
import { sysctlCommand } from "./commands/sysctl-command.ts";
import { systemCommands } from "./commands/system/system-commands.ts";
import { tcCommand } from "./commands/tc/tc.ts";
import { tcpdumpCommand } from "./commands/tcpdump/tcpdump.ts";
import { fileCommands } from "./commands/tools/files.ts";
import { grepCommands } from "./commands/tools/grep.ts";
import { sedCommands } from "./commands/tools/sed.ts";
import { sortCommands } from "./commands/tools/sort.ts";
import { testCommands } from "./commands/tools/test-command.ts";
import { textCommands } from "./commands/tools/text.ts";
import { netfilterCommands } from "./netfilter-commands.ts";
import { genhashCommand } from "./keepalived/genhash.ts";
import { keepalivedCommand } from "./keepalived/keepalived-command.ts";
import { networkCommands } from "./network-commands.ts";
import { reachabilityCommands } from "./reachability-commands.ts";

export const INSTALLED_COMMANDS: readonly Command[] = [
  ...awkCommands,
  dnsmasqCommand,
  ...fileCommands,
  ...grepCommands,
  ifconfigCommand,
  ipCommand,
  ipvsadmCommand,
  ipvsadmRestoreCommand,
  ipvsadmSaveCommand,
  genhashCommand,
  keepalivedCommand,
  ...netfilterCommands,
  ...networkCommands,
  ...reachabilityCommands,
  opensslCommand,
  routeCommand,
  ...sedCommands,
  ...sortCommands,
  socatCommand,
  sysctlCommand,
  ...systemCommands,
  tcCommand,
  tcpdumpCommand,
  ...testCommands,
  ...textCommands,
];
