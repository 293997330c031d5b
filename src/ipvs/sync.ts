/**
 * The sync daemons of one director: a master that tells other directors of its connections, a backup that listens, or both.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_sync.c (start_sync_thread, stop_sync_thread), ip_vs_ctl.c:ip_vs_genl_new_daemon.
 */

import { isMulticast } from "../base/ipv4-address.ts";
import type { Errno } from "../host/host.ts";
import type { Connections } from "./connections.ts";
import type { Director } from "./director.ts";
import type { SyncDaemonSpec } from "./ipvs.ts";
import { SyncBackup } from "./sync-backup.ts";
import { SyncMaster } from "./sync-master.ts";

const DEFAULT_GROUP = 0xe0000051;
const DEFAULT_PORT = 8848;
const THREADS_MAX = 64;
const HEADERS_BYTES = 28;
const DATAGRAM_MAX_BYTES = 65535 - HEADERS_BYTES;
const MASTER_MTU = 1500;
const BACKUP_MTU_LEAST = 1500;
const BACKUP_LENGTH_LEAST = 1024;

export class SyncDaemons {
  readonly #director: Director;
  readonly #connections: Connections;
  #master: SyncMaster | undefined = undefined;
  #backup: SyncBackup | undefined = undefined;
  /** Both daemons use the number that the first of them found in net.ipv4.vs.sync_ports. */
  #threadCount = 1;

  constructor(director: Director, connections: Connections) {
    this.#director = director;
    this.#connections = connections;
  }

  start(role: "master" | "backup", wanted: SyncDaemonSpec): Errno | undefined {
    const director = this.#director;
    const { host, settings } = director;
    if (wanted.group !== 0 && !isMulticast(wanted.group)) return "EINVAL";
    if (director.master === undefined && director.backup === undefined) this.#threadCount = Math.min(settings.sync_ports.value, THREADS_MAX);
    const device = host.devices.byName(wanted.device);
    if (device === undefined) {
      host.log.write(`IPVS: Unknown mcast interface: ${wanted.device}`);
      return "ENODEV";
    }
    if (director[role] !== undefined) return "EEXIST";
    const spec = withDefaults(role, wanted, device.mtu);
    if (role === "master") {
      const master = SyncMaster.start(director, spec, device, this.#threadCount);
      if (typeof master === "string") return master;
      this.#master = master;
      director.syncConnection = (connection, packets) => master.sync(connection, packets);
    } else {
      const backup = SyncBackup.start(director, this.#connections, spec, device, this.#threadCount);
      if (typeof backup === "string") return backup;
      this.#backup = backup;
    }
    director[role] = spec;
    return undefined;
  }

  stop(role: "master" | "backup"): Errno | undefined {
    const director = this.#director;
    if (director[role] === undefined) return "ESRCH";
    director[role] = undefined;
    if (role === "master") {
      director.syncConnection = undefined;
      this.#master?.stop();
      this.#master = undefined;
    } else {
      this.#backup?.stop();
      this.#backup = undefined;
    }
    return undefined;
  }
}

function withDefaults(role: "master" | "backup", wanted: SyncDaemonSpec, mtu: number): SyncDaemonSpec {
  const lengthLeast = role === "backup" ? BACKUP_LENGTH_LEAST : 1;
  const lengthDefault = (role === "backup" ? Math.min(Math.max(mtu, BACKUP_MTU_LEAST), 65535) : MASTER_MTU) - HEADERS_BYTES;
  return {
    ...wanted,
    group: wanted.group === 0 ? DEFAULT_GROUP : wanted.group,
    port: wanted.port === 0 ? DEFAULT_PORT : wanted.port,
    ttl: wanted.ttl === 0 ? 1 : wanted.ttl,
    maxLength: wanted.maxLength === 0 ? lengthDefault : Math.min(Math.max(wanted.maxLength, lengthLeast), DATAGRAM_MAX_BYTES),
  };
}
