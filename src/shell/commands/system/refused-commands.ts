/**
 * Programs that exist on the machines and are not simulated: each says so and fails, so that nobody takes silence for success.
 *
 * What the reference laboratory has not installed (crontab, rpm, sudo, nano, setenforce, chkconfig, ...) is not here: the shell says
 * "command not found" about it, there as here.
 */

import type { Command } from "../../command.ts";
import { fail } from "../tools/support.ts";

const PATHS = [
  "/usr/bin/vi", "/usr/bin/vim", "/usr/bin/shuf", "/usr/bin/split", "/usr/bin/df", "/usr/bin/umount",
  "/usr/bin/dpkg", "/usr/bin/stty", "/usr/bin/script", "/usr/bin/fuser", "/usr/bin/lsof",
  "/usr/sbin/hwclock", "/usr/bin/top", "/usr/bin/vmstat", "/usr/bin/ssh", "/usr/bin/scp",
];

export const refusedCommands: readonly Command[] = PATHS.map((path) => ({
  path,
  run: (context) => fail(context, "lvsim: this program is not simulated"),
}));
