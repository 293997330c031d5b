/**
 * Which services start at boot: the links that `systemctl enable`, `update-rc.d` and `chkconfig` make, and nothing else, so that a file
 * system alone says it.
 */

import type { FileSystem } from "../file-system.ts";

const WANTS = "/etc/systemd/system/multi-user.target.wants";
const UNITS = "/usr/lib/systemd/system";
const RUN_LEVELS = [3, 5, 2];

function unitLink(name: string): string {
  return `${WANTS}/${name}.service`;
}

/** Names of services, in the order in which systemd would sort them. */
export function enabledServices(files: FileSystem): string[] {
  const names = new Set<string>();
  for (const name of namesIn(files, WANTS)) if (name.endsWith(".service")) names.add(name.slice(0, -".service".length));
  for (const level of RUN_LEVELS)
    for (const folder of [`/etc/rc.d/rc${level}.d`, `/etc/rc${level}.d`])
      for (const name of namesIn(files, folder)) {
        const match = /^S\d\d(.+)$/.exec(name);
        if (match !== null) names.add(match[1] as string);
      }
  return [...names].sort();
}

function namesIn(files: FileSystem, folder: string): readonly string[] {
  return files.status(folder)?.type === "directory" ? files.list(folder) : [];
}

export function isServiceEnabled(files: FileSystem, name: string): boolean {
  return enabledServices(files).includes(name);
}

/** Makes the link. True when it was not there. */
export function enableService(files: FileSystem, name: string): boolean {
  if (files.linkStatus(unitLink(name)) !== undefined) return false;
  files.makeDirectory(WANTS, { parents: true });
  files.link(`${UNITS}/${name}.service`, unitLink(name));
  return true;
}

/** Removes every link that starts the service. */
export function disableService(files: FileSystem, name: string): void {
  if (files.linkStatus(unitLink(name)) !== undefined) files.remove(unitLink(name));
  for (const level of RUN_LEVELS)
    for (const folder of [`/etc/rc.d/rc${level}.d`, `/etc/rc${level}.d`])
      for (const link of namesIn(files, folder)) if (new RegExp(`^S\\d\\d${name.replace(/[^\w-]/g, "\\$&")}$`).test(link)) files.remove(`${folder}/${link}`);
}
