/**
 * One simulated machine: the Linux host with its kernel parts, files, processes and installed commands.
 */

import type { Host } from "../host/host.ts";
import type { Iptables } from "../host/netfilter/iptables.ts";
import type { Ipvs } from "../ipvs/ipvs.ts";
import type { Command } from "./command.ts";
import type { FileSystem } from "./file-system.ts";
import type { ProcessTable } from "./process.ts";

/** What a machine does at the end of its life. `panic`: the kernel stops where it is. */
export type PowerAction = "reboot" | "poweroff" | "halt" | "panic";

export interface Machine {
  readonly host: Host;
  readonly ipvs: Ipvs;
  readonly iptables: Iptables;
  readonly files: FileSystem;
  readonly processes: ProcessTable;
  /** Installed commands by path; `commandNamed` searches the usual PATH. */
  readonly commands: ReadonlyMap<string, Command>;
  commandNamed(name: string): Command | undefined;
  /** The host's name as `hostname` prints and sets it. */
  hostname: string;
  /** Wall-clock time that `date` shows at simulated time 0, in seconds since 1970. Setting the clock changes it. */
  epochSeconds: number;
  /** Simulated time at which this kernel started; 0 for the first one. */
  readonly bootedAtNs: number;
  /** What each request to the machine's web server takes longer than it should: a slow disk, a busy processor. */
  slowdownNs?: number;
  /** Takes the power away or presses reset; set by who owns the machine's hardware. The machine is dead when it returns. */
  onPower?: ((action: PowerAction) => void) | undefined;
}
