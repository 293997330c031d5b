/**
 * nc's main loop: its input goes to the network, the network goes to its output, until both or the right one have ended.
 *
 * netcat-openbsd 1.219 (Debian) netcat.c:readwrite.
 */

import { utf8Bytes, utf8Text } from "../../base/bytes.ts";
import { NS_PER_US } from "../../base/time.ts";
import { Timer } from "../../kernel/timer.ts";
import type { CommandContext, Running } from "../command.ts";
import { NEVER_NS, type ReadResult } from "../tcp-stream.ts";
import type { NcOptions } from "./nc-options.ts";

/** One network connection, of either protocol. */
export interface Channel {
  /** Datagrams: every read and write is a message, and an end does not exist. */
  readonly hasMessage: boolean;
  read(deadlineNs: number): Running<ReadResult>;
  write(bytes: Uint8Array): boolean;
  shutdown(): void;
  close(): void;
  /** Calls `wake` when something can be read. */
  setWake(wake: (() => void) | undefined): void;
  isReadable(): boolean;
}

/** nc reads and sends at most this much at a time. */
const BUFFER_BYTES = 16384;
/** From one turn of its loop to the next: what a near network says to the data is there before nc sees that its input has ended. */
const TURN_NS = 200 * NS_PER_US;

/**
 * Runs until the conversation is over; returns the exit status. With -q a client closes a UDP socket as soon as its input has ended, and in any
 * case lingers so long after all is over; a listener counts from the end of its input, if that has ended.
 */
export function* copyBothWays(context: CommandContext, options: NcOptions, channel: Channel): Running<number> {
  const input = new InputPump(context, options, channel);
  const loop = context.machine.host.loop;
  if (options.ignoresInput) input.isEnded = true;
  else input.start();
  let idleSinceNs = loop.nowNs;
  let received = 0;
  let isNetworkEnded = false;
  let isInputSeen = options.ignoresInput;
  try {
    for (;;) {
      if (channel.isReadable() && !isNetworkEnded) {
        idleSinceNs = loop.nowNs;
        const read = yield* channel.read(loop.nowNs);
        if (read.kind === "error") return 0;
        if (read.kind === "end") {
          // A listener leaves when its peer has nothing more to say; a client stays while it has input.
          if (options.listens || input.isEnded) return yield* linger(context, options, options.listens && input.isEnded ? input.endedNs : loop.nowNs);
          isNetworkEnded = true;
        }
        if (read.kind === "data") {
          context.stdout.write(utf8Text(read.bytes));
          received++;
          if (options.receiveLimit > 0 && received >= options.receiveLimit) return 0;
        }
        continue;
      }
      if (input.isBroken) return 0;
      if (isNetworkEnded && input.isEnded) return yield* linger(context, options, loop.nowNs);
      if (input.isEnded && !isInputSeen) {
        isInputSeen = true;
        idleSinceNs = loop.nowNs;
        if (options.shutsDown) channel.shutdown();
        if (options.quitNs !== undefined && channel.hasMessage && !options.listens && !options.ignoresInput) {
          channel.close();
          return yield* linger(context, options, loop.nowNs);
        }
      }
      if (input.lastNs > idleSinceNs) idleSinceNs = input.lastNs;
      let deadlineNs = NEVER_NS;
      if (options.timeoutNs !== undefined) deadlineNs = idleSinceNs + options.timeoutNs;
      if (isInputSeen && options.listens && !options.ignoresInput && options.quitNs !== undefined && options.quitNs > 0) deadlineNs = Math.min(deadlineNs, input.endedNs + options.quitNs);
      if (loop.nowNs >= deadlineNs) return 0;
      yield* waitForChange(context, channel, input, deadlineNs);
    }
  } finally {
    channel.setWake(undefined);
    input.stop();
  }
}

function* linger(context: CommandContext, { quitNs, timeoutNs }: NcOptions, sinceNs: number): Running<number> {
  const ns = Math.min(quitNs ?? 0, timeoutNs ?? NEVER_NS) - (context.machine.host.loop.nowNs - sinceNs);
  if (ns > 0) yield* context.sleep(ns);
  return 0;
}

function* waitForChange(context: CommandContext, channel: Channel, input: InputPump, deadlineNs: number): Running<void> {
  const loop = context.machine.host.loop;
  yield* context.waitFor<void>((resolve) => {
    const timer = new Timer(loop, { onEvent: () => finish() });
    const clear = (): void => {
      timer.disarm();
      channel.setWake(undefined);
      input.wake = undefined;
    };
    const finish = (): void => {
      clear();
      resolve();
    };
    channel.setWake(finish);
    input.wake = finish;
    if (deadlineNs < NEVER_NS) timer.arm(deadlineNs - loop.nowNs);
    return clear;
  });
}

/**
 * Reads standard input beside the main loop. A command is one generator, which can wait for one thing; so the wait of the input is begun by
 * hand and drives its own generator.
 */
class InputPump {
  isEnded = false;
  isBroken = false;
  endedNs = 0;
  lastNs = 0;
  wake: (() => void) | undefined;
  readonly #context: CommandContext;
  readonly #options: NcOptions;
  readonly #channel: Channel;
  #running: Running<void> | undefined;
  #cancel: (() => void) | undefined;
  #isStepping = false;
  #isAgain = false;

  constructor(context: CommandContext, options: NcOptions, channel: Channel) {
    this.#context = context;
    this.#options = options;
    this.#channel = channel;
  }

  start(): void {
    this.#running = this.#pump();
    this.#step();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#running = undefined;
  }

  /** Runs the generator up to its next wait. A wait that resumes at once is followed without recursion. */
  #step(): void {
    if (this.#isStepping) {
      this.#isAgain = true;
      return;
    }
    this.#isStepping = true;
    do {
      this.#isAgain = false;
      this.#cancel = undefined;
      const next = this.#running?.next();
      if (next === undefined || next.done === true) this.#running = undefined;
      else this.#cancel = next.value.begin(() => this.#step());
    } while (this.#isAgain);
    this.#isStepping = false;
    this.wake?.();
  }

  *#pump(): Running<void> {
    const { loop } = this.#context.machine.host;
    for (;;) {
      const text = yield* this.#context.stdin.readSome();
      this.lastNs = loop.nowNs;
      if (text === undefined) break;
      if (!this.#send(text)) {
        this.isBroken = !this.#channel.hasMessage;
        break;
      }
      yield* this.#context.sleep(TURN_NS);
    }
    this.isEnded = true;
    this.endedNs = loop.nowNs;
  }

  #send(text: string): boolean {
    const bytes = utf8Bytes(this.#options.sendsCrLf ? text.replace(/\r?\n/g, "\r\n") : text);
    for (let at = 0; at < bytes.length; at += BUFFER_BYTES) if (!this.#channel.write(bytes.subarray(at, at + BUFFER_BYTES))) return false;
    return true;
  }
}
