/**
 * Every command of this folder, for the list of installed commands.
 */

import type { Command } from "../../command.ts";
import { checksumCommands } from "./checksums.ts";
import { comparingCommands } from "./comparing.ts";
import { dateCommand } from "./date.ts";
import { dumpCommands } from "./dumps.ts";
import { exprCommand } from "./expr.ts";
import { identityCommands } from "./identity.ts";
import { layoutCommands } from "./layout.ts";
import { logCommands } from "./logs.ts";
import { moduleCommands } from "./modules.ts";
import { powerCommands } from "./power.ts";
import { printingCommands } from "./printing.ts";
import { psCommand } from "./process-list.ts";
import { processSignalCommands } from "./process-signals.ts";
import { refusedCommands } from "./refused-commands.ts";
import { runningCommands } from "./running.ts";
import { serviceCommands } from "./service-commands.ts";

export const systemCommands: readonly Command[] = [
  ...printingCommands,
  exprCommand,
  ...runningCommands,
  dateCommand,
  ...identityCommands,
  psCommand,
  ...processSignalCommands,
  ...checksumCommands,
  ...dumpCommands,
  ...comparingCommands,
  ...layoutCommands,
  ...moduleCommands,
  ...powerCommands,
  ...serviceCommands,
  ...logCommands,
  ...refusedCommands,
];
