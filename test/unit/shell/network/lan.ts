/**
 * Machines on one switch, each with the real host, files and processes but without a shell: commands are started directly.
 */

import { SCOPE_GLOBAL } from "../../../../src/host/device.ts";
import { LinuxHost } from "../../../../src/host/linux-host.ts";
import { SimulationLoop } from "../../../../src/kernel/loop.ts";
import { RandomStreams } from "../../../../src/kernel/random.ts";
import { Switch } from "../../../../src/link/switch.ts";
import type { Command, CommandContext, Running } from "../../../../src/shell/command.ts";
import { DEFAULT_SHELL_LIMITS } from "../../../../src/shell/limits.ts";
import type { Machine } from "../../../../src/shell/machine.ts";
import { MemoryFileSystem } from "../../../../src/shell/memory-file-system.ts";
import { networkCommands } from "../../../../src/shell/network-commands.ts";
import { MachineProcessTable } from "../../../../src/shell/process-table.ts";
import { sleep, waitForValue } from "../../../../src/shell/waits.ts";
import { Tracer } from "../../../../src/trace/tracer.ts";
import { type EthernetFrame, Ipv4Packet, TcpSegment, UdpDatagram } from "../../../../src/wire/packet.ts";
import { flagText } from "../../host/tcp/fake-network.ts";

export const SECOND = 1_000_000_000;
export const MS = 1_000_000;

export interface Result {
  stdout: string;
  stderr: string;
  exit: number | undefined;
  pid: number;
}

/** Pieces of standard input with the times (after the start) at which they come. */
export type Input = string | readonly (readonly [number, string])[];

export class Lan {
  readonly loop = new SimulationLoop();
  readonly trace = new Tracer(this.loop);
  readonly random = new RandomStreams("lan");
  readonly link = new Switch({ name: "lan", loop: this.loop, trace: this.trace, random: this.random.stream("lan") });
  readonly frames: { readonly timeNs: number; readonly frame: EthernetFrame }[] = [];

  machine(name: string, number: number): Machine {
    const host = new LinuxHost({ name, loop: this.loop, trace: this.trace, random: this.random });
    const port = this.link.addPort();
    const device = host.devices.addEthernet({ name: "eth0", mac: 0x020000000000 + number, mtu: 1500, port });
    port.connect(device);
    const address = 0x0a000000 + number;
    host.addresses.add(device, { address, peer: address, prefixLength: 24, broadcast: 0x0a0000ff, scope: SCOPE_GLOBAL, label: "eth0", noPrefixRoute: false });
    host.devices.setUp(device);
    device.taps.push((direction, timeNs, what) => {
      if (direction === "out" && !(what instanceof Ipv4Packet)) this.frames.push({ timeNs, frame: what });
    });
    const files = new MemoryFileSystem({ clock: this.loop, charactersMax: 10_000_000, writable: ["/"] });
    for (const path of ["/var/www/html", "/run", "/tmp", "/root"]) files.makeDirectory(path, { parents: true });
    const processes = new MachineProcessTable({ loop: this.loop, limits: DEFAULT_SHELL_LIMITS, hostName: name, trace: host.trace });
    const commands = new Map(networkCommands.map((command) => [command.path, command]));
    const fake = {
      host,
      files,
      processes,
      commands,
      hostname: name,
      epochSeconds: 1_700_000_000,
      commandNamed: (wanted: string) => networkCommands.find((command) => command.path.endsWith(`/${wanted}`)),
    };
    return fake as unknown as Machine;
  }

  /** Starts `nc -z ...` and the like; the result fills in as time passes. */
  start(machine: Machine, line: string | readonly string[], options: { readonly input?: Input; readonly env?: Readonly<Record<string, string>>; readonly readsMax?: number } = {}): Result {
    const [name, ...args] = typeof line === "string" ? line.split(" ") : line;
    const command = machine.commandNamed(name ?? "") as Command;
    const result: Result = { stdout: "", stderr: "", exit: undefined, pid: 0 };
    const collect = (stream: "stdout" | "stderr", text: string): boolean => {
      // A reader that leaves after so many characters.
      if (stream === "stdout" && result.stdout.length >= (options.readsMax ?? Number.POSITIVE_INFINITY)) return false;
      result[stream] += text;
      return true;
    };
    const ended = (exit: number): void => {
      result.exit = exit;
    };
    const process = machine.processes.start({ name: name ?? "", args: [name ?? "", ...args], parent: undefined, onExit: (exit) => ended(exit) }, (own) => {
      const context: CommandContext = {
        name: name ?? "",
        args,
        env: new Map(Object.entries(options.env ?? {})),
        cwd: "/root",
        machine,
        process: own,
        stdin: this.#input(options.input ?? ""),
        stdout: { write: (text) => collect("stdout", text) },
        stderr: { write: (text) => collect("stderr", text) },
        sleep: (delayNs) => sleep(this.loop, delayNs),
        waitFor: (start) => waitForValue(this.loop, start),
        // biome-ignore lint/correctness/useYield: there are no children here
        *spawn() {
          return 127;
        },
        onSignal: (signal, handler) => machine.processes.onSignal(own, signal, handler),
        onExit: (cleanup) => machine.processes.onExit(own, cleanup),
      };
      return command.run(context);
    });
    result.pid = process.pid;
    return result;
  }

  /** Runs a command to its end, at most `limitNs`. */
  run(
    machine: Machine,
    line: string | readonly string[],
    options: { readonly input?: Input; readonly env?: Readonly<Record<string, string>>; readonly readsMax?: number } = {},
    limitNs = 300 * SECOND,
  ): Result {
    const result = this.start(machine, line, options);
    const endNs = this.loop.nowNs + limitNs;
    while (result.exit === undefined && this.loop.nowNs < endNs && this.loop.step());
    return result;
  }

  runFor(durationNs: number): void {
    this.loop.runUntil(this.loop.nowNs + durationNs);
  }

  /** TCP and UDP packets in the order in which they left, with payload sizes: `1>2 S 0`. */
  story(since = 0): string[] {
    const rows: string[] = [];
    for (const { frame } of this.frames.slice(since)) {
      if (!(frame.payload instanceof Ipv4Packet)) continue;
      const { src, dst, payload } = frame.payload;
      if (payload instanceof TcpSegment) rows.push(`${src & 255}>${dst & 255} ${flagText(payload.flags & ~8)} ${payload.payload.length}`);
      else if (payload instanceof UdpDatagram) rows.push(`${src & 255}>${dst & 255} udp ${payload.lengthBytes - 8}`);
      else rows.push(`${src & 255}>${dst & 255} ${payload.kind}`);
    }
    return rows;
  }

  #input(input: Input): CommandContext["stdin"] {
    const pieces: [number, string][] = typeof input === "string" ? (input === "" ? [] : [[0, input]]) : input.map(([at, text]) => [this.loop.nowNs + at, text]);
    const { loop } = this;
    function* readSome(): Running<string | undefined> {
      const piece = pieces.shift();
      if (piece === undefined) return undefined;
      if (piece[0] > loop.nowNs) yield* sleep(loop, piece[0] - loop.nowNs);
      return piece[1] === "" ? yield* readSome() : piece[1];
    }
    return {
      readSome,
      readLine: readSome,
      *readAll() {
        let all = "";
        for (let text = yield* readSome(); text !== undefined; text = yield* readSome()) all += text;
        return all;
      },
    };
  }
}
