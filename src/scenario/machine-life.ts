/**
 * The life of one machine: it runs, dies by a crash or at a shutdown, and comes up again with nothing but its files.
 *
 *   running ── power off, panic ──▶ off ── reset, power on ──▶ on its way up ── (BOOT) ──▶ running: new kernel, boot script
 *
 * A dying machine says nothing: its interfaces go dark first, its processes end, whatever it had scheduled is taken back. The new kernel
 * has the same interfaces in the same sockets; addresses, routes, rules, neighbours, connections and processes start from nothing.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { LoopBranch } from "../kernel/loop.ts";
import type { SwitchPort } from "../link/switch.ts";
import { bootScript, type InstalledNetwork, VOLATILE_PLACES } from "../shell/boot/boot-script.ts";
import { formatMoment, momentNow } from "../shell/commands/system/date.ts";
import type { Machine, PowerAction } from "../shell/machine.ts";
import { type FileSnapshot, MemoryFileSystem } from "../shell/memory-file-system.ts";
import type { HostSpec } from "./scenario-file.ts";
import type { World } from "./world.ts";

/** What the wall clocks of all machines show at simulated time 0: 2026-01-01 00:00:00 UTC. */
export const EPOCH_SECONDS = 1_767_225_600;

/** From power or reset to the first program: firmware, boot loader, kernel. */
export const BOOT_NS = 20 * NS_PER_SECOND;
const BOOT_OUTPUT_CHARS_MAX = 1_000_000;
const WTMP = "/var/log/wtmp";
const SYSTEM_LOG = "/var/log/messages";

export class MachineLife {
  machine: Machine;
  isRunning = true;
  readonly #world: World;
  readonly #spec: HostSpec;
  #branch: LoopBranch;
  /** The files as they were when the machine was cut off, should a reboot follow. */
  #atCrash: FileSnapshot | undefined;
  /** The ports that the crash has taken down. */
  #darkened: readonly SwitchPort[] = [];
  #bootId = 0;

  constructor(world: World, spec: HostSpec) {
    this.#world = world;
    this.#spec = spec;
    this.#branch = world.loop.branch();
    this.machine = this.#create(EPOCH_SECONDS, undefined);
  }

  /** It was cut off from everything and goes on unheard. */
  crashed(): void {
    const { files } = this.machine;
    if (this.isRunning && this.#atCrash === undefined && files instanceof MemoryFileSystem) this.#atCrash = files.snapshot();
    const ports = (this.#world.attachments.get(this.#spec.name) ?? []).map(({ port }) => port);
    this.#darkened = [...this.#darkened, ...ports.filter((port) => port.isUp)];
  }

  /** It was only cut off: what it did meanwhile counts. */
  revived(): void {
    this.#atCrash = undefined;
    this.#darkened = [];
  }

  /** The power goes: memory is lost, files stay. Nothing says goodbye. */
  powerOff(fault: string): void {
    this.#world.loop.cancel(this.#bootId);
    if (!this.isRunning) return;
    const { trace } = this.#world;
    if (trace.isOn) trace.emit({ kind: "fault", host: this.#spec.name, fault, detail: "", cause: 0 });
    this.isRunning = false;
    this.machine.onPower = undefined;
    // What dies now would close its sockets and withdraw its rules in the trace: nobody is there to see it.
    const level = trace.isFull ? "full" : trace.isOn ? "frames" : "off";
    trace.setLevel("off");
    for (const { port } of this.#world.attachments.get(this.#spec.name) ?? []) port.connect(undefined);
    this.machine.host.devices.crash();
    this.machine.processes.crash();
    this.#branch.end();
    trace.setLevel(level);
    const { files } = this.machine;
    if (this.#atCrash !== undefined && files instanceof MemoryFileSystem) files.restore(this.#atCrash);
    this.#atCrash = undefined;
  }

  /** Reset, or power on: after `takesNs` the machine boots. */
  reboot(takesNs: number): void {
    this.powerOff("reboot");
    this.#bootId = this.#world.loop.after(takesNs, { onEvent: () => this.#boot() });
  }

  #act(action: PowerAction): void {
    if (action === "reboot") this.reboot(BOOT_NS);
    else this.powerOff(action);
  }

  #create(epochSeconds: number, previous: Machine | undefined): Machine {
    const world = this.#world;
    const machine = world.parts.createMachine({
      name: this.#spec.name,
      loop: this.#branch,
      trace: world.trace,
      random: world.random,
      epochSeconds,
      schedulers: world.schedulers,
      ...(previous === undefined ? {} : { previous }),
    });
    machine.onPower = (action) => this.#act(action);
    return machine;
  }

  #boot(): void {
    const world = this.#world;
    const { name } = this.#spec;
    const before = this.machine;
    if (before.files instanceof MemoryFileSystem) {
      before.files.clear(VOLATILE_PLACES);
      if (!before.files.exists("/run/lock")) before.files.makeDirectory("/run/lock", { parents: true });
    }
    this.#branch = world.loop.branch();
    // The hardware clock goes on as it was set: setting the system's does not reach it.
    this.machine = this.#create(EPOCH_SECONDS, before);
    this.isRunning = true;
    world.machines.set(name, this.machine);
    for (const attachment of world.attachments.get(name) ?? []) {
      const { spec, port } = attachment;
      const device = this.machine.host.devices.addEthernet({ name: spec.name, mac: spec.mac, mtu: spec.mtu, port, link: spec.link, linkPosition: port.index });
      // Captures that belong to the run go on; those of the machine's own programs died with them.
      device.taps.push(...attachment.device.taps);
      port.connect(device);
      attachment.device = device;
    }
    // A machine that is turned on lights up the ports that went dark with it; those that somebody took down stay down.
    for (const port of this.#darkened) port.setUp(true);
    this.#darkened = [];
    if (world.trace.isOn) world.trace.emit({ kind: "fault", host: name, fault: "boot", detail: "", cause: 0 });
    for (const notify of world.onBoot) notify(name);
    this.#log();
    world.parts.startScript(this.machine, bootScript(this.machine, this.#installed()), {
      outputCharsMax: BOOT_OUTPUT_CHARS_MAX,
      onEnd: () => {},
      onLimit: (error) => {
        throw error;
      },
    });
  }

  #installed(): InstalledNetwork {
    const { interfaces, gateway, forward } = this.#spec;
    return { interfaces: interfaces.map(({ name, addresses, mtu }) => ({ name, addresses, mtu })), gateway, forwards: forward };
  }

  /** dmesg, the system log and wtmp tell that a kernel has started. */
  #log(): void {
    const { machine } = this;
    const { host, files } = machine;
    const lines = [files.read("/proc/version").trim(), `Command line: ${files.read("/proc/cmdline").trim()}`];
    const time = formatMoment("%b %e %H:%M:%S", momentNow(machine));
    for (const line of lines) {
      host.log.write(line);
      files.append(SYSTEM_LOG, `${time} ${machine.hostname} kernel: ${line}\n`);
    }
    files.append(WTMP, `${momentNow(machine).seconds}\n`);
  }
}
