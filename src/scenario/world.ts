/**
 * Everything that exists in a run: the loop, the links, the machines, as a scenario describes them. Before anything is typed.
 */

import { assert } from "../base/assert.ts";
import { prefixMask } from "../base/ipv4-address.ts";
import { type NetDevice, SCOPE_GLOBAL } from "../host/device.ts";
import type { Host } from "../host/host.ts";
import { fibEntry } from "../host/route.ts";
import type { SchedulerDefinition } from "../ipvs/schedulers/scheduler-class.ts";
import type { EventLoop } from "../kernel/event-loop.ts";
import { SimulationLoop } from "../kernel/loop.ts";
import { RandomStreams } from "../kernel/random.ts";
import { Switch, type SwitchPort } from "../link/switch.ts";
import type { FileSystem } from "../shell/file-system.ts";
import type { LimitError as ShellLimitError } from "../shell/limits.ts";
import type { Machine } from "../shell/machine.ts";
import { Tracer } from "../trace/tracer.ts";
import { MachineLife } from "./machine-life.ts";
import { ScenarioError } from "./scenario-error.ts";
import type { HostSpec, InterfaceSpec, Scenario } from "./scenario-file.ts";

export { EPOCH_SECONDS } from "./machine-life.ts";

export interface MachineOptions {
  readonly name: string;
  readonly loop: EventLoop;
  readonly trace: Tracer;
  readonly random: RandomStreams;
  readonly epochSeconds: number;
  /** Schedulers that `ipvsadm -s` knows beside the kernel's. */
  readonly schedulers?: readonly SchedulerDefinition[] | undefined;
  /** The machine before a reboot: its files stay. */
  readonly previous?: Machine;
}

/** A script that was started on a machine. */
export interface RunningScript {
  readonly stdout: string;
  readonly stderr: string;
  /** undefined until the shell and everybody who holds its outputs open has ended. */
  readonly exit: number | undefined;
  /** Nobody waits any longer: the outputs break, what still runs goes on until it writes. */
  abandon(): void;
  /** Ctrl-C. */
  interrupt(): void;
}

export interface ScriptOptions {
  readonly outputCharsMax: number;
  readonly onEnd: () => void;
  readonly onLimit: (error: ShellLimitError) => void;
}

/** How machines are made and scripts are run on them: the real ones, or fakes in tests. */
export interface WorldParts {
  createMachine(options: MachineOptions): Machine;
  /**
   * Runs `bash -c script` as root. `onEnd` is called once, inside an event or before this returns; before it `onLimit`, when the script
   * wanted more than it may and was killed.
   */
  startScript(machine: Machine, script: string, options: ScriptOptions): RunningScript;
}

/** One interface of the scenario with both its ends. */
export interface Attachment {
  readonly spec: InterfaceSpec;
  readonly port: SwitchPort;
  /** Another one after each reboot. */
  device: NetDevice;
}

export interface WorldOptions {
  readonly parts: WorldParts;
  /** The scenario's own when absent. */
  readonly seed?: string | undefined;
  /** Schedulers that every director knows beside the kernel's, by their names. */
  readonly schedulers?: readonly SchedulerDefinition[] | undefined;
}

/** The simulator's objects of one run: loop, links, machines. Not a stable interface; `Lab` is. */
export class World {
  readonly loop = new SimulationLoop();
  readonly trace: Tracer;
  readonly random: RandomStreams;
  readonly links = new Map<string, Switch>();
  readonly machines = new Map<string, Machine>();
  /** By host, in file order. */
  readonly attachments = new Map<string, readonly Attachment[]>();
  /** Simulated time at which the timeline starts: 0 until the setup scripts have taken some. */
  originNs = 0;
  /** Called when a machine has come up again, before its boot script runs: `machines` holds the new one. */
  readonly onBoot: ((hostName: string) => void)[] = [];
  readonly parts: WorldParts;
  readonly schedulers: readonly SchedulerDefinition[] | undefined;
  readonly #lives = new Map<string, MachineLife>();

  constructor(scenario: Scenario, options: WorldOptions) {
    this.parts = options.parts;
    this.schedulers = options.schedulers;
    this.trace = new Tracer(this.loop);
    this.random = new RandomStreams(options.seed ?? scenario.seed);
    for (const { name, properties } of scenario.links) {
      this.links.set(name, new Switch({ name, loop: this.loop, trace: this.trace, random: this.random.stream(`link/${name}`), properties }));
    }
    for (const host of scenario.hosts) this.#addHost(host);
  }

  machine(name: string): Machine {
    const machine = this.machines.get(name);
    assert(machine !== undefined, `the world has no host ${name}`);
    return machine;
  }

  /** The switch port of one interface, or of every interface, goes up or down: the host sees its carrier change. */
  setPorts(hostName: string, interfaceName: string | undefined, isUp: boolean): void {
    if (isUp) this.#lives.get(hostName)?.revived();
    for (const { spec, port } of this.attachments.get(hostName) ?? []) if (interfaceName === undefined || spec.name === interfaceName) port.setUp(isUp);
  }

  /**
   * Every interface goes dark at once. What runs on the host goes on, unheard, until `up`: so the lab does it. When a reboot comes
   * instead, it starts from the files as they are now.
   */
  crash(hostName: string): void {
    if (this.trace.isOn) this.trace.follow(this.trace.emit({ kind: "link", host: hostName, device: "", state: "crashed", cause: 0 }));
    this.#lives.get(hostName)?.crashed();
    this.setPorts(hostName, undefined, false);
  }

  /** False while a machine is off, or on its way up. */
  isRunning(hostName: string): boolean {
    return this.life(hostName).isRunning;
  }

  /** Power off, reset, boot. */
  life(hostName: string): MachineLife {
    const life = this.#lives.get(hostName);
    assert(life !== undefined, `the world has no host ${hostName}`);
    return life;
  }

  #addHost(spec: HostSpec): void {
    const life = new MachineLife(this, spec);
    this.#lives.set(spec.name, life);
    const { machine } = life;
    this.machines.set(spec.name, machine);
    const { host } = machine;
    // The lab plugs in every interface of a host first and configures them then: the order of ports on a link is file order either way.
    const attachments = spec.interfaces.map((one) => this.#attach(host, one));
    this.attachments.set(spec.name, attachments);
    for (const { device, spec: one } of attachments) configureInterface(host, device, one);
    if (spec.gateway !== undefined) addDefaultRoute(host, spec.gateway, spec);
    if (spec.forward) this.#must(host.sysctl.write("net.ipv4.ip_forward", "1"), spec, "forwarding");
    for (const { path, text } of spec.files) writeFile(machine.files, path, text);
  }

  #attach(host: Host, spec: InterfaceSpec): Attachment {
    const link = this.links.get(spec.link);
    assert(link !== undefined, `the world has no link ${spec.link}`);
    const linkPosition = link.ports.length;
    const port = link.addPort();
    const device = host.devices.addEthernet({ name: spec.name, mac: spec.mac, mtu: spec.mtu, port, link: spec.link, linkPosition });
    port.connect(device);
    return { spec, port, device };
  }

  #must(errno: string | undefined, spec: HostSpec, what: string): void {
    if (errno !== undefined) throw new ScenarioError([{ ...spec.place, message: `${what} of host ${spec.name}: ${errno}`, remedy: "" }]);
  }
}

/** `ip addr add ADDRESS brd + dev NAME` for each address, then `ip link set NAME up`. */
function configureInterface(host: Host, device: NetDevice, spec: InterfaceSpec): void {
  for (const { address, prefixLength } of spec.addresses) {
    const broadcast = prefixLength > 30 ? 0 : (address | ~prefixMask(prefixLength)) >>> 0;
    const errno = host.addresses.add(device, { address, peer: address, prefixLength, broadcast, scope: SCOPE_GLOBAL, label: spec.name, noPrefixRoute: false });
    if (errno !== undefined) throw new ScenarioError([{ ...spec.place, message: `address of ${host.name}.${spec.name}: ${errno}`, remedy: "" }]);
  }
  host.devices.setUp(device);
}

/** `ip route add default via GATEWAY`. */
function addDefaultRoute(host: Host, gateway: number, spec: HostSpec): void {
  const errno = host.fib.add(fibEntry({ gateway }), "add");
  if (errno !== undefined) throw new ScenarioError([{ ...spec.place, message: `default route of host ${spec.name}: ${errno}`, remedy: "" }]);
}

function writeFile(files: FileSystem, path: string, text: string): void {
  const directory = path.slice(0, path.lastIndexOf("/"));
  if (directory !== "") files.makeDirectory(directory, { parents: true });
  files.write(path, text);
}
