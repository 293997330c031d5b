/**
 * Puts a machine together: a Linux host, its files, processes and programs.
 */

import { NS_PER_MS } from "../base/time.ts";
import type { Host } from "../host/host.ts";
import type { KernelOptions } from "../host/kernel-options.ts";
import { LinuxHost } from "../host/linux-host.ts";
import type { Iptables } from "../host/netfilter/iptables.ts";
import { Iptables as IptablesTables } from "../host/netfilter/iptables.ts";
import { IpVirtualServer } from "../ipvs/ip-virtual-server.ts";
import type { Ipvs } from "../ipvs/ipvs.ts";
import type { SchedulerDefinition } from "../ipvs/schedulers/scheduler-class.ts";
import type { EventLoop } from "../kernel/event-loop.ts";
import type { RandomStreams } from "../kernel/random.ts";
import type { Tracer } from "../trace/tracer.ts";
import type { ScriptBudget } from "./bash/shell.ts";
import type { Command } from "./command.ts";
import { INSTALLED_COMMANDS } from "./installed-commands.ts";
import { DEFAULT_SHELL_LIMITS, type LimitError, type ShellLimits } from "./limits.ts";
import type { Machine, PowerAction } from "./machine.ts";
import { MemoryFileSystem } from "./memory-file-system.ts";
import { networkFiles } from "./proc-files.ts";
import { machineProcFiles, textFiles } from "./proc-machine.ts";
import { deviceFiles } from "./sys-class-net.ts";
import { sysctlFiles } from "./proc-network.ts";
import { MachineProcessTable } from "./process-table.ts";
import { Runtime } from "./runtime.ts";
import { shellCommands } from "./shell-commands.ts";
import { addStandardFiles, WRITABLE_PLACES } from "./standard-files.ts";

/** Bytes of /dev/urandom that a reading by path sees. */
const RANDOM_CHARACTERS = 4096;
const SEARCH_DIRECTORIES = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

export interface MachineParts {
  readonly host: Host;
  readonly ipvs: Ipvs;
  readonly iptables: Iptables;
  /** Programs; those that every machine has without it. */
  readonly commands?: readonly Command[];
  readonly epochSeconds: number;
  readonly limits?: Partial<ShellLimits>;
  /** How long every program takes to start. */
  readonly programStartNs?: number;
  /** The file system of the machine's earlier life: a reboot. */
  readonly disk?: MemoryFileSystem;
}

/** fork, exec and dynamic linking: so much at least lies between two commands of a script, and what the network had under way is over by then. */
const PROGRAM_START_NS = 10 * NS_PER_MS;

export class LvsMachine implements Machine {
  readonly host: Host;
  readonly ipvs: Ipvs;
  readonly iptables: Iptables;
  readonly files: MemoryFileSystem;
  readonly processes: MachineProcessTable;
  readonly commands: ReadonlyMap<string, Command>;
  epochSeconds: number;
  readonly bootedAtNs: number;
  slowdownNs = 0;
  onPower: ((action: PowerAction) => void) | undefined;
  readonly runtime: Runtime;
  readonly limits: ShellLimits;
  hostname: string;
  /** Scripts that have not ended, for limits that one of their processes passes. */
  readonly #scripts = new Map<ScriptBudget, (error: LimitError) => void>();

  constructor(parts: MachineParts) {
    const { host } = parts;
    this.host = host;
    this.ipvs = parts.ipvs;
    this.iptables = parts.iptables;
    this.epochSeconds = parts.epochSeconds;
    this.bootedAtNs = host.loop.nowNs;
    this.hostname = host.name;
    this.limits = { ...DEFAULT_SHELL_LIMITS, ...parts.limits };
    this.processes = new MachineProcessTable({ loop: host.loop, limits: this.limits, hostName: host.name, trace: host.trace });
    this.files = parts.disk ?? new MemoryFileSystem({ clock: host.loop, charactersMax: this.limits.filesMax, writable: WRITABLE_PLACES });
    this.runtime = new Runtime(this, this.processes, parts.programStartNs ?? PROGRAM_START_NS);
    const unowned: ScriptBudget = { limits: this.limits, commands: 0, line: 0, spendOutput: () => {} };
    const all = [...(parts.commands ?? INSTALLED_COMMANDS), ...shellCommands(this.runtime, unowned)];
    this.commands = new Map(all.map((command) => [command.path, command]));
    const randomText = (): string => Array.from({ length: RANDOM_CHARACTERS }, () => String.fromCharCode(host.random("shell/dev/urandom").below(256))).join("");
    if (parts.disk === undefined) addStandardFiles(this.files, { hostname: host.name, randomText, commands: all });
    else this.hostname = bootHostname(parts.disk, host.name);
    this.files.mount("/proc", machineProcFiles(this));
    this.files.mount("/proc/sys", sysctlFiles(host.sysctl));
    this.files.mount(
      "/proc/net",
      textFiles(() => networkFiles(this)),
    );
    this.files.mount("/sys/class/net", deviceFiles(host));
    this.processes.onLimit = (error, process) => {
      const budget = this.runtime.budgetOf(process);
      const tell = budget === undefined ? undefined : this.#scripts.get(budget);
      if (tell === undefined) throw error;
      tell(error);
    };
  }

  commandNamed(name: string): Command | undefined {
    for (const directory of SEARCH_DIRECTORIES) {
      const real = this.files.realPath(`${directory}/${name}`);
      const command = real === undefined ? undefined : this.commands.get(real);
      if (command !== undefined) return command;
    }
    return undefined;
  }

  /** The machine has what it starts with: from now on its read-only places are. */
  seal(): void {
    this.files.seal();
  }

  noteBudget(budget: ScriptBudget, onLimit: (error: LimitError) => void): void {
    this.#scripts.set(budget, onLimit);
  }

  forgetBudget(budget: ScriptBudget): void {
    this.#scripts.delete(budget);
  }
}

function bootHostname(disk: MemoryFileSystem, name: string): string {
  const text = disk.exists("/etc/hostname") ? disk.read("/etc/hostname").trim() : "";
  return text === "" ? name : text;
}

export function createMachine(parts: MachineParts): LvsMachine {
  return new LvsMachine(parts);
}

export interface LinuxMachineOptions {
  readonly name: string;
  readonly loop: EventLoop;
  readonly trace: Tracer;
  readonly random: RandomStreams;
  readonly epochSeconds: number;
  readonly limits?: Partial<ShellLimits>;
  /** How long every program takes to start; 10 ms unless given. */
  readonly programStartNs?: number;
  /** Schedulers that `ipvsadm -s` knows beside the kernel's. */
  readonly schedulers?: readonly SchedulerDefinition[] | undefined;
  /** Behaviour of another kernel than the reference's. */
  readonly options?: KernelOptions;
  /** The machine as it was before a reboot: its files and whatever belongs to its case stay, everything else is new. */
  readonly previous?: Machine;
}

/** A whole machine: kernel with IPVS loaded, as the lab's are, and everything that is installed there. */
export function createLinuxMachine(options: LinuxMachineOptions): LvsMachine {
  const host = new LinuxHost(options);
  const ipvs = new IpVirtualServer(host, options.schedulers === undefined ? {} : { schedulers: options.schedulers });
  const iptables = new IptablesTables(host, host.conntrack);
  ipvs.load();
  iptables.setIpvsMatcher(ipvs.matcher);
  return new LvsMachine({
    host,
    ipvs,
    iptables,
    epochSeconds: options.epochSeconds,
    ...(options.previous instanceof LvsMachine ? { disk: options.previous.files } : {}),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.programStartNs === undefined ? {} : { programStartNs: options.programStartNs }),
  });
}
