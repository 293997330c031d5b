/**
 * What a run of a workload tells about a scheduler: figures collected while it runs, and their summary. docs/SCHEDULERS.md gives the formulas.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { Percentiles } from "../workload/samples.ts";

export interface ServerFigures {
  readonly name: string;
  /** Connections given to it. */
  readonly connections: number;
  /** Part of all connections that were given to a server. */
  readonly share: number;
  /** The part that its weight asks for. */
  readonly expectedShare: number;
  /** Part of all work, in time at speed 1. */
  readonly workShare: number;
  /** Work given to it over the work that it could have done while it was in the service; undefined when it never was. */
  readonly load: number | undefined;
  /** Unfinished connections: mean over the time of arrivals, and the most at once. */
  readonly meanOpen: number;
  readonly peakOpen: number;
  readonly wait: Percentiles;
}

/** What a change of the servers did to clients. */
export interface DisruptionFigures {
  readonly atSeconds: number;
  /** `remove s1`, `weight s1 0`, ... */
  readonly change: string;
  /** Clients with a connection before and one after it (before the next change). */
  readonly clients: number;
  /** Those whose first connection after it went to another server than their last before. */
  readonly moved: number;
  /** Of these, those whose server was still there to be chosen. */
  readonly movedNeedlessly: number;
}

export interface WorkloadFigures {
  readonly arrived: number;
  /** Served to the end. */
  readonly served: number;
  /** The director found no server. */
  readonly refused: number;
  /** Open at a server when it was removed. */
  readonly broken: number;
  /** Not done when the run ended. */
  readonly unfinished: number;
  /** Half the sum of |share - expectedShare|: the part of connections that would have to go elsewhere. */
  readonly misplaced: number;
  /** Highest load of a server over the load of all together. */
  readonly peakOverMean: number | undefined;
  /** From the arrival until a worker begins. */
  readonly wait: Percentiles;
  /** From the arrival until the work is done. */
  readonly response: Percentiles;
  /** Part of a client's connections that went where its connection before went; undefined when nobody came twice. */
  readonly affinity: number | undefined;
  /** Over all changes that took a server away: clients that moved, and that moved needlessly; undefined when there was none. */
  readonly disruption: { readonly moved: number; readonly movedNeedlessly: number } | undefined;
  readonly changes: readonly DisruptionFigures[];
  readonly servers: readonly ServerFigures[];
}

/** Where each client went last, and what changes of the servers did to that. */
export class ClientMemory {
  readonly #last: Int16Array;
  /** Number of changes that had happened at its last connection. */
  readonly #epochs: Int32Array;
  readonly #changes: { readonly atSeconds: number; readonly change: string; readonly isLoss: boolean; clients: number; moved: number; movedNeedlessly: number }[] = [];
  #pairs = 0;
  #faithful = 0;

  constructor(clientCount: number) {
    this.#last = new Int16Array(clientCount).fill(-1);
    this.#epochs = new Int32Array(clientCount);
  }

  change(atNs: number, change: string, isLoss: boolean): void {
    this.#changes.push({ atSeconds: atNs / NS_PER_SECOND, change, isLoss, clients: 0, moved: 0, movedNeedlessly: 0 });
  }

  connect(client: number, server: number, canTake: (server: number) => boolean): void {
    const last = this.#last[client] as number;
    if (last >= 0) {
      this.#pairs++;
      if (last === server) this.#faithful++;
      const epoch = this.#changes[this.#changes.length - 1];
      if (epoch !== undefined && (this.#epochs[client] as number) < this.#changes.length) {
        epoch.clients++;
        if (last !== server) {
          epoch.moved++;
          if (canTake(last)) epoch.movedNeedlessly++;
        }
      }
    }
    this.#last[client] = server;
    this.#epochs[client] = this.#changes.length;
  }

  summary(): Pick<WorkloadFigures, "affinity" | "disruption" | "changes"> {
    const losses = this.#changes.filter((change) => change.isLoss);
    const clients = losses.reduce((sum, change) => sum + change.clients, 0);
    return {
      affinity: this.#pairs === 0 ? undefined : this.#faithful / this.#pairs,
      disruption:
        clients === 0
          ? undefined
          : {
              moved: losses.reduce((sum, change) => sum + change.moved, 0) / clients,
              movedNeedlessly: losses.reduce((sum, change) => sum + change.movedNeedlessly, 0) / clients,
            },
      changes: this.#changes.map(({ atSeconds, change, clients: seen, moved, movedNeedlessly }) => ({ atSeconds, change, clients: seen, moved, movedNeedlessly })),
    };
  }
}
