/**
 * What a program writes to build a lab: the keys and notations of a scenario file (docs/SCENARIOS.md), as types.
 *
 * It becomes the object that a scenario file would be after reading; the same schema and the same checks judge both.
 */

import { type Scenario, scenarioFromObject } from "../scenario/scenario-file.ts";
import { LabError, type LabTime } from "./lab-error.ts";

/** One Ethernet interface of a host. It is up from the start. */
export interface InterfaceOptions {
  /** Name of the link that it is plugged into; a link that nobody described exists with the defaults. */
  readonly link: string;
  /** IPv4 address with prefix length, `10.0.0.1/24`, or several. Without one the interface is up and unnumbered. */
  readonly address?: string | readonly string[];
  /** `02:00:00:00:00:01`; counted up from that over all interfaces when absent. */
  readonly mac?: string;
  /** Bytes, 68 to 65535; 1500 when absent. */
  readonly mtu?: number;
}

/** One Linux host. */
export interface HostOptions {
  /** By name, `eth0`: at most 15 characters. */
  readonly interfaces: Readonly<Record<string, InterfaceOptions>>;
  /** IPv4 address of the default route; it must be in one of the host's subnets. */
  readonly gateway?: string;
  /** Routes packets of others from the start (net.ipv4.ip_forward = 1). */
  readonly forward?: boolean;
  /** Texts by absolute path, there before anything runs. */
  readonly files?: Readonly<Record<string, string>>;
  /** A shell script, run as root when the lab boots: hosts in order, one after the other, 60 simulated seconds at most each. */
  readonly run?: string;
}

/** One learning switch with its cables. */
export interface LinkOptions {
  /** Time on the wire; `10us` when absent. */
  readonly latency?: LabTime;
  /** `1Gbit`, `100Mbit`, `64kbit`, or a number of bits a second; 1 Gbit/s when absent, 0 for no limit. */
  readonly bandwidth?: string | number;
  /** Share of frames that are lost, `0.5%` or a number of percent. */
  readonly loss?: string | number;
  /** Frames that wait at each port; 1000 when absent. */
  readonly queue?: number;
}

/** Something of the timeline; exactly one of `run`, `down`, `up` and `crash`. */
export interface StepOptions {
  /** The host of `run`. */
  readonly host?: string;
  /** A shell script, run as root. */
  readonly run?: string;
  /** Simulated time that `run` is given; `120s` when absent. After it the exit status is 124. */
  readonly timeout?: LabTime;
  /** What `run` must give: a string must be equal, one between slashes is a regular expression. */
  readonly expect?: { readonly exit?: number; readonly stdout?: string; readonly stderr?: string };
  /** `HOST` or `HOST.INTERFACE` whose switch port goes down. */
  readonly down?: string;
  /** The same, up again. */
  readonly up?: string;
  /** The host whose interfaces go dark all at once. */
  readonly crash?: string;
}

/** Collects what the calls of a program say. */
export class TopologyDraft {
  readonly #links = new Map<string, LinkOptions>();
  readonly #hosts = new Map<string, HostOptions>();
  readonly #timeline: (StepOptions & { readonly at: LabTime })[] = [];

  get hostNames(): readonly string[] {
    return [...this.#hosts.keys()];
  }

  addLink(name: string, options: LinkOptions): void {
    if (this.#links.has(name)) throw new LabError(`link ${JSON.stringify(name)} was described before; describe it once`);
    this.#links.set(name, { ...options });
  }

  addHost(name: string, options: HostOptions): void {
    if (this.#hosts.has(name)) throw new LabError(`there is a host ${JSON.stringify(name)} already; choose another name`);
    this.#hosts.set(name, { ...options });
  }

  addStep(at: LabTime, options: StepOptions): void {
    this.#timeline.push({ at, ...options });
  }

  /** Throws a ScenarioError with all that is wrong. */
  toScenario(options: { readonly title: string; readonly seed: string | number; readonly duration: LabTime }): Scenario {
    const object = {
      ...options,
      links: Object.fromEntries(this.#links),
      hosts: Object.fromEntries(this.#hosts),
      timeline: this.#timeline,
    };
    return scenarioFromObject(object, "lab");
  }
}
