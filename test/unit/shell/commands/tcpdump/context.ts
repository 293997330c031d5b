/**
 * A machine with taps, files and a clock for tests of tcpdump.
 */

import type { NetDevice } from "../../../../../src/host/device.ts";
import { SimulationLoop } from "../../../../../src/kernel/loop.ts";
import type { CommandContext, Running, SignalName, Wait } from "../../../../../src/shell/command.ts";
import { tcpdumpCommand } from "../../../../../src/shell/commands/tcpdump/tcpdump.ts";
import { FileError } from "../../../../../src/shell/file-system.ts";
import { encodePcap, LINKTYPE_ETHERNET } from "../../../../../src/wire/pcap.ts";
import { RECORDED_FRAMES } from "../../../wire/recorded-frames.ts";

export interface TcpdumpRun {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number | undefined;
}

export class TcpdumpMachine {
  readonly loop = new SimulationLoop();
  readonly files = new Map<string, string>();
  readonly devices: NetDevice[];
  stdout = "";
  stderr = "";
  exit: number | undefined;
  readonly #signals = new Map<SignalName, () => void>();
  #isPipeBroken = false;

  constructor() {
    const device = (index: number, name: string, kind: NetDevice["kind"], mac: number, isUp = true) =>
      ({ hostName: "a", index, name, kind, mac, isUp, hasCarrier: true, taps: [], addresses: [{ prefixLength: 24 }] }) as unknown as NetDevice;
    this.devices = [device(1, "lo", "loopback", 0), device(2, "eth0", "ether", 0x020000000001), device(3, "tunl0", "tunnel", 0, false)];
  }

  device(name: string): NetDevice {
    return this.devices.find((candidate) => candidate.name === name) as NetDevice;
  }

  breakPipe(): void {
    this.#isPipeBroken = true;
  }

  start(args: readonly string[]): void {
    const files = {
      resolve: (cwd: string, path: string) => (path.startsWith("/") ? path : `${cwd}/${path}`),
      read: (path: string) => {
        const text = this.files.get(path);
        if (text === undefined) throw new FileError("ENOENT", path);
        return text;
      },
      write: (path: string, text: string) => {
        if (path.startsWith("/nodir/")) throw new FileError("ENOENT", path);
        this.files.set(path, text);
      },
      exists: (path: string) => this.files.has(path),
    };
    const list = this.devices;
    const machine = {
      files,
      epochSeconds: 0,
      host: {
        loop: this.loop,
        devices: { list, byName: (name: string) => list.find((one) => one.name === name), byIndex: (index: number) => list.find((one) => one.index === index) },
      },
    };
    const context = {
      name: "tcpdump",
      args,
      cwd: "/root",
      machine,
      stdout: {
        write: (text: string) => {
          if (!this.#isPipeBroken) this.stdout += text;
          return !this.#isPipeBroken;
        },
      },
      stderr: {
        write: (text: string) => {
          this.stderr += text;
          return true;
        },
      },
      onSignal: (signal: SignalName, handler: () => void) => {
        this.#signals.set(signal, handler);
      },
      onExit: () => {},
      *waitFor<T>(begin: (resolve: (value: T) => void) => () => void): Running<T> {
        let result: T | undefined;
        const wait: Wait = {
          begin: (resume) =>
            begin((value) => {
              result = value;
              resume();
            }),
        };
        yield wait;
        return result as T;
      },
    } as unknown as CommandContext;
    const running = tcpdumpCommand.run(context);
    if (typeof running === "number") this.exit = running;
    else this.#advance(running);
  }

  signal(name: SignalName): void {
    this.#signals.get(name)?.();
  }

  #advance(running: Running<number>): void {
    const next = running.next();
    if (next.done === true) this.exit = next.value;
    else
      next.value.begin(() => {
        this.#advance(running);
      });
  }
}

/** A capture of all recorded frames, a little over a second apart. */
export function recordedCapture(): Uint8Array {
  const records = RECORDED_FRAMES.map(({ hex }, index) => {
    const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
    return { seconds: 1_700_000_000 + index, nanoseconds: index * 1_234_567, bytes, lengthBytes: bytes.length };
  });
  return encodePcap(LINKTYPE_ETHERNET, records);
}

export function asCharacters(bytes: Uint8Array): string {
  return [...bytes].map((byte) => String.fromCharCode(byte)).join("");
}
