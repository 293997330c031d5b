/**
 * /proc apart from sys and net: the processes, and what tells about the machine.
 *
 * The machine is the one of the lab: a user-mode Linux 6.1.176 with one processor and 1 GiB.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import { FileError, type FileProvider } from "./file-system.ts";
import { MODULES } from "./kernel-modules.ts";
import type { Machine, PowerAction } from "./machine.ts";
import type { Process } from "./process.ts";

const VERSION =
  "Linux version 6.1.176 (buildd@x86-grnet-03) (gcc (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 Sat Jul  4 15:38:16 UTC 2026\n";
const CPU = "processor\t: 0\nvendor_id\t: User Mode Linux\nmodel name\t: UML\nmode\t\t: skas\ncache_alignment\t: 64\nbogomips\t: 5149.49\n\n";
const MEMORY: readonly (readonly [string, number])[] = [
  ["MemTotal", 1016500],
  ["MemFree", 940352],
  ["MemAvailable", 950284],
  ["Buffers", 0],
  ["Cached", 20452],
  ["SwapCached", 0],
  ["SwapTotal", 0],
  ["SwapFree", 0],
];
const FILESYSTEMS = "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tpipefs\nnodev\tdevpts\n\text4\nnodev\thostfs\n";
const MOUNTS =
  "root / hostfs ro,relatime,/ 0 0\ndevtmpfs /dev devtmpfs rw,relatime,mode=755 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\nsys /sys sysfs rw,relatime 0 0\nvar /var tmpfs rw,relatime 0 0\ntmp /tmp tmpfs rw,relatime 0 0\nrun /run tmpfs rw,relatime 0 0\nkad /etc/keepalived tmpfs rw,relatime 0 0\n";

/** A provider of files by name, each made when it is read; names may hold slashes. */
export function textFiles(files: () => ReadonlyMap<string, () => string>, mode = 0o444): FileProvider {
  const isFolder = (path: string): boolean => path === "" || [...files().keys()].some((name) => name.startsWith(`${path}/`));
  return {
    status(path) {
      if (files().has(path)) return { type: "file", mode };
      return isFolder(path) ? { type: "directory", mode: 0o555 } : undefined;
    },
    list(path) {
      const prefix = path === "" ? "" : `${path}/`;
      const names = new Set<string>();
      for (const name of files().keys()) if (name.startsWith(prefix)) names.add(name.slice(prefix.length).split("/")[0] as string);
      return [...names];
    },
    read(path) {
      const read = files().get(path);
      if (read === undefined) throw new FileError("ENOENT", path);
      return read();
    },
    write: () => "EACCES",
  };
}

export function machineProcFiles(machine: Machine): FileProvider {
  const general: readonly (readonly [string, () => string])[] = [
    ["cmdline", () => "mem=1024M root=/dev/root rootfstype=hostfs rootflags=/ ro\n"],
    ["cpuinfo", () => CPU],
    ["filesystems", () => FILESYSTEMS],
    ["loadavg", () => `0.00 0.00 0.00 1/${machine.processes.list.length} ${machine.processes.list.at(-1)?.pid ?? 1}\n`],
    ["meminfo", () => MEMORY.map(([name, value]) => `${`${name}:`.padEnd(16)}${String(value).padStart(8)} kB\n`).join("")],
    [
      "modules",
      () =>
        MODULES.map(
          ({ name, sizeBytes, users }) => `${name} ${sizeBytes} ${users.length} ${users.length === 0 ? "-" : `${users.join(",")},`} Live 0x0000000000000000\n`,
        ).join(""),
    ],
    ["mounts", () => MOUNTS],
    ["stat", () => `cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nbtime ${machine.epochSeconds + Math.floor(machine.bootedAtNs / NS_PER_SECOND)}\nprocesses ${machine.processes.list.length}\n`],
    ["uptime", () => `${((machine.host.loop.nowNs - machine.bootedAtNs) / NS_PER_SECOND).toFixed(2)} ${((machine.host.loop.nowNs - machine.bootedAtNs) / NS_PER_SECOND).toFixed(2)}\n`],
    ["version", () => VERSION],
  ];
  const files = textFiles(() => {
    const files = new Map(general);
    for (const process of machine.processes.list) addProcess(files, process);
    return files;
  });
  return withSysrq(files, machine);
}

/** Magic keys that end everything at once (drivers/tty/sysrq.c). */
const SYSRQ_ACTIONS: Readonly<Record<string, PowerAction>> = { b: "reboot", o: "poweroff", c: "panic" };

/** /proc/sysrq-trigger: one letter does it. */
function withSysrq(files: FileProvider, machine: Machine): FileProvider {
  const NAME = "sysrq-trigger";
  return {
    ...files,
    status: (path) => (path === NAME ? { type: "file", mode: 0o200 } : files.status(path)),
    list: (path) => (path === "" ? [...files.list(path), NAME] : files.list(path)),
    write(path, text) {
      if (path !== NAME) return files.write(path, text);
      const action = SYSRQ_ACTIONS[text[0] ?? ""];
      if (action !== undefined) machine.host.loop.after(0, { onEvent: () => machine.onPower?.(action) });
      return undefined;
    },
  };
}

function addProcess(files: Map<string, () => string>, process: Process): void {
  const { pid } = process;
  files.set(`${pid}/cmdline`, () => `${process.args.join("\0")}\0`);
  files.set(`${pid}/comm`, () => `${process.name}\n`);
  files.set(`${pid}/stat`, () => `${pid} (${process.name}) S ${process.parentPid} 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0\n`);
  files.set(
    `${pid}/status`,
    () =>
      `Name:\t${process.name}\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t${pid}\nPid:\t${pid}\nPPid:\t${process.parentPid}\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n`,
  );
}
