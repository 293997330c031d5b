/**
 * What VRRP instances, groups and scripts have at hand.
 */

import type { Host } from "../../../host/host.ts";
import type { GlobalConfig, Script } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";
import type { DaemonProcess } from "../daemon-process.ts";
import type { KeepalivedOptions } from "../options.ts";
import type { Mailer } from "../mailer.ts";
import type { GratuitousArps } from "./gratuitous-arps.ts";
import type { Instance } from "./instance.ts";
import type { Netlink } from "./netlink.ts";

export interface VrrpContext {
  readonly daemon: DaemonProcess;
  readonly host: Host;
  readonly log: DaemonLog;
  readonly options: KeepalivedOptions;
  readonly global: GlobalConfig;
  readonly netlink: Netlink;
  readonly arps: GratuitousArps;
  readonly mailer: Mailer;
  readonly runScript: (script: Script, extra: readonly string[]) => void;
  /** An instance became master or is no longer: the IPVS synchronization daemon follows one of them. */
  readonly roleChanged: (instance: Instance, role: "initial" | "master" | "backup") => void;
  /** No transmission before this time (vrrp_startup_delay). */
  readonly delayedStartNs: number;
}
