/**
 * Machines without a kernel for tests of the scenario runner: a script is words that print, wait, fail, or send a frame.
 *
 *   echo TEXT; err TEXT; sleep SECONDS; exit N; send INTERFACE; forever; spin; hang; endless
 */

import type { NetDevice } from "../../../src/host/device.ts";
import type { FrameReceiver, LinkPort } from "../../../src/link/port.ts";
import type { RunningScript, WorldParts } from "../../../src/scenario/world.ts";
import { LimitError } from "../../../src/shell/limits.ts";
import type { Machine } from "../../../src/shell/machine.ts";
import { EthernetFrame, RawPayload } from "../../../src/wire/packet.ts";

export interface FakeLog {
  readonly addresses: string[];
  readonly routes: string[];
  readonly files: string[];
  readonly carrier: string[];
  readonly sysctls: string[];
}

export function fakeParts(): { readonly parts: WorldParts; readonly log: FakeLog } {
  const log: FakeLog = { addresses: [], routes: [], files: [], carrier: [], sysctls: [] };
  const devices = new Map<string, Map<string, NetDevice & { readonly port: LinkPort; readonly mac: number }>>();
  const parts: WorldParts = {
    createMachine({ name, loop }) {
      const own = new Map<string, NetDevice & { readonly port: LinkPort; readonly mac: number }>();
      devices.set(name, own);
      const host = {
        name,
        loop,
        devices: {
          addEthernet(options: { readonly name: string; readonly mac: number; readonly port: LinkPort }) {
            const taps: NetDevice["taps"] = [];
            const device = {
              hostName: name,
              name: options.name,
              deviceName: options.name,
              mac: options.mac,
              port: options.port,
              taps,
              receiveFrame: (frame: EthernetFrame) => {
                for (const tap of taps) tap("in", loop.nowNs, frame);
              },
              carrierChanged: (hasCarrier: boolean) => {
                log.carrier.push(`${name}.${options.name} ${hasCarrier ? "up" : "down"} at ${loop.nowNs / 1e9}`);
              },
            };
            own.set(options.name, device as unknown as NetDevice & { readonly port: LinkPort; readonly mac: number });
            return device as unknown as NetDevice & FrameReceiver;
          },
          setUp: () => undefined,
        },
        addresses: {
          add: (device: NetDevice, address: { readonly address: number; readonly prefixLength: number; readonly broadcast: number }) => {
            log.addresses.push(`${name}.${device.name} ${address.address.toString(16)}/${address.prefixLength} brd ${address.broadcast.toString(16)}`);
            return undefined;
          },
        },
        fib: {
          add: (entry: { readonly gateway: number }) => {
            log.routes.push(`${name} ${entry.gateway.toString(16)}`);
            return undefined;
          },
        },
        sysctl: {
          write: (key: string, text: string) => {
            log.sysctls.push(`${name} ${key}=${text}`);
            return undefined;
          },
        },
      };
      const files = {
        makeDirectory: () => undefined,
        write: (path: string, text: string) => {
          log.files.push(`${name} ${path} ${text}`);
        },
      };
      return { host, files } as unknown as Machine;
    },
    startScript(machine, script, { onEnd, outputCharsMax, onLimit }): RunningScript {
      const { loop, name } = machine.host;
      const state = { stdout: "", stderr: "", exit: undefined as number | undefined, isBroken: false };
      const commands = script
        .trim()
        .split(/[;\n]/)
        .map((command) => command.trim());
      const next = (): void => {
        for (;;) {
          const command = commands.shift();
          if (command === undefined) {
            finish(0);
            return;
          }
          const [word = "", ...rest] = command.split(" ");
          const text = rest.join(" ");
          if (word === "echo") state.stdout += `${text}\n`;
          else if (word === "err") state.stderr += `${text}\n`;
          else if (word === "exit") {
            finish(Number(text));
            return;
          } else if (word === "sleep") {
            loop.after(Math.round(Number(text) * 1e9), { onEvent: next });
            return;
          } else if (word === "hang") return;
          else if (word === "forever") commands.unshift("sleep 1", "forever");
          else if (word === "spin") commands.unshift("sleep 0", "spin");
          else if (word === "endless") {
            onLimit(new LimitError(name, 2, "stepsAtOneTimeMax", "the clock stands still"));
            finish(137);
            return;
          } else if (word === "print") {
            state.stdout = "x".repeat(Math.min(Number(text), outputCharsMax));
            if (Number(text) > outputCharsMax) onLimit(new LimitError(name, 0, "outputMax", `more than ${outputCharsMax} characters of output`));
          } else if (word === "send") {
            const device = devices.get(name)?.get(text);
            if (device === undefined) {
              finish(1);
              return;
            }
            const frame = new EthernetFrame(0xffffffffffff, device.mac, 0x88b5, new RawPayload(Uint8Array.from([1, 2, 3, 4])));
            for (const tap of device.taps) tap("out", loop.nowNs, frame);
            device.port.transmit(frame);
          }
        }
      };
      const finish = (exit: number): void => {
        state.exit = exit;
        if (!state.isBroken) onEnd();
      };
      const running: RunningScript = {
        get stdout() {
          return state.stdout;
        },
        get stderr() {
          return state.stderr;
        },
        get exit() {
          return state.exit;
        },
        abandon: () => {
          state.isBroken = true;
        },
        interrupt: () => {
          finish(130);
        },
      };
      next();
      return running;
    },
  };
  return { parts, log };
}
