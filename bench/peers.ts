/**
 * The peers that this machine has: ns-3 and SimPy as Debian packages them. bench/peers/build.sh builds the programs when ns-3 is there.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Places } from "./main.ts";

export interface Peer {
  /** With its version: `ns-3 3.37`. */
  readonly name: string;
  readonly program: string;
  /** Before the workload's own options. */
  readonly args: readonly string[];
}

const NS3_HEADER = "/usr/include/ns3.37/ns3/core-module.h";
const SIMPY_PYTHON = "/usr/bin/python3";

export class Peers {
  readonly ns3Lan: Peer | undefined;
  readonly ns3Hold: Peer | undefined;
  readonly simpyHold: Peer | undefined;

  private constructor(peers: { readonly ns3Lan?: Peer | undefined; readonly ns3Hold?: Peer | undefined; readonly simpyHold?: Peer | undefined }) {
    this.ns3Lan = peers.ns3Lan;
    this.ns3Hold = peers.ns3Hold;
    this.simpyHold = peers.simpyHold;
  }

  static none(): Peers {
    return new Peers({});
  }

  /** Builds what can be built; says what is not there. */
  static installed(places: Places, note: (text: string) => void): Peers {
    const folder = join(places.here, "peers");
    const programs = join(places.output, "peers");
    const ns3 = packageVersion("libns3-dev") ?? (existsSync(NS3_HEADER) ? "" : undefined);
    if (ns3 !== undefined) {
      const built = spawnSync("sh", [join(folder, "build.sh"), programs], { encoding: "utf8" });
      if (built.status !== 0) note(`the ns-3 peers could not be built:\n${built.stderr ?? built.error?.message ?? ""}\n`);
    } else note("ns-3 is not installed (apt-get install g++ ns3 libns3-dev): compared without it\n");
    const ns3Peer = (program: string): Peer | undefined => {
      const path = join(programs, program);
      return ns3 !== undefined && existsSync(path) ? { name: `ns-3 ${ns3}`.trim(), program: path, args: [] } : undefined;
    };
    const simpy = packageVersion("python3-simpy3");
    return new Peers({
      ns3Lan: ns3Peer("ns3-lan"),
      ns3Hold: ns3Peer("ns3-hold"),
      simpyHold: simpy === undefined ? undefined : { name: `SimPy ${simpy}`, program: SIMPY_PYTHON, args: [join(folder, "hold-simpy.py")] },
    });
  }
}

/** The upstream version of an installed Debian package. */
function packageVersion(name: string): string | undefined {
  const { status, stdout } = spawnSync("dpkg-query", ["-W", "-f", "${db:Status-Status} ${Version}", name], { encoding: "utf8" });
  const [state = "", version = ""] = (stdout ?? "").split(" ");
  return status === 0 && state === "installed" ? version.replace(/-[^-]*$/, "") : undefined;
}
