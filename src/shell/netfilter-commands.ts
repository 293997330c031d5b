/**
 * Every command around the packet filter, for the machine's list.
 */

import type { Command } from "./command.ts";
import { arptablesLegacyCommand } from "./commands/arptables/arptables-command.ts";
import { conntrackCommand } from "./commands/conntrack-command.ts";
import { arptablesCommand, ebtablesCommand, ip6tablesCommand, ip6tablesSaveCommand } from "./commands/iptables/empty-tables.ts";
import { iptablesCommand, iptablesLegacyCommand } from "./commands/iptables/iptables-command.ts";
import { iptablesLegacyRestoreCommand, iptablesLegacySaveCommand, iptablesRestoreCommand, iptablesSaveCommand } from "./commands/iptables/save-restore.ts";

export const netfilterCommands: readonly Command[] = [
  iptablesCommand,
  iptablesLegacyCommand,
  iptablesSaveCommand,
  iptablesLegacySaveCommand,
  iptablesRestoreCommand,
  iptablesLegacyRestoreCommand,
  ip6tablesCommand,
  ip6tablesSaveCommand,
  arptablesCommand,
  arptablesLegacyCommand,
  ebtablesCommand,
  conntrackCommand,
];
