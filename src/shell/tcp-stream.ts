/**
 * A TCP connection for commands that are written as generators: connect, read and write one after the other, each with a deadline.
 */

import { concatBytes, utf8Bytes } from "../base/bytes.ts";
import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { Errno, TcpEvents, TcpSocket } from "../host/host.ts";
import { Timer } from "../kernel/timer.ts";
import type { CommandContext, Running } from "./command.ts";

/** What a read gave. `timeout`: the deadline passed and nothing had come. */
export type ReadResult =
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "error"; readonly errno: Errno }
  | { readonly kind: "timeout" };

export interface StreamTarget {
  readonly address: Ipv4Address;
  readonly port: number;
  readonly localAddress?: Ipv4Address;
  readonly localPort?: number;
  readonly reuseAddress?: boolean;
  readonly noDelay?: boolean;
}

export class TcpStream {
  socket: TcpSocket | undefined;
  isConnected = false;
  isEnded = false;
  errno: Errno | undefined;
  readonly #context: CommandContext;
  #chunks: Uint8Array[] = [];
  #wake: (() => void) | undefined;
  #listener: (() => void) | undefined;
  #filter: { receive(bytes: Uint8Array): void; send(bytes: Uint8Array): void } | undefined;

  constructor(context: CommandContext) {
    this.#context = context;
    // Whatever ends the command closes its sockets: a connection that is still being made must not go on without it.
    context.onExit(() => this.close());
  }

  get hasData(): boolean {
    return this.#chunks.length > 0;
  }

  /** The events of this stream, for a socket that a listener accepted. */
  events(): TcpEvents {
    const wake = (): void => {
      this.#wake?.();
      this.#listener?.();
    };
    return {
      onConnected: () => {
        this.isConnected = true;
        wake();
      },
      onData: (bytes) => {
        if (this.#filter !== undefined) this.#filter.receive(bytes);
        else this.#chunks.push(bytes);
        wake();
      },
      onEnd: () => {
        this.isEnded = true;
        wake();
      },
      onWritable: wake,
      onError: (errno) => {
        this.errno = errno;
        wake();
      },
    };
  }

  /** Calls `listener` whenever something has changed, for who waits for several things at once. */
  onActivity(listener: (() => void) | undefined): void {
    this.#listener = listener;
  }

  adopt(socket: TcpSocket): TcpEvents {
    this.socket = socket;
    this.isConnected = true;
    return this.events();
  }

  /** Starts to connect; an errno when that fails at once. */
  start(target: StreamTarget): Errno | undefined {
    const { noDelay, ...options } = target;
    const result = this.#context.machine.host.tcp.connect({ ...options, owner: this.#context.process.socketOwner() }, this.events());
    if (typeof result === "string") return result;
    this.socket = result;
    result.noDelay = noDelay === true;
    return undefined;
  }

  /** Waits for the connection: undefined when it stands, `timeout` when `deadlineNs` comes first. */
  *connected(deadlineNs: number): Running<Errno | "timeout" | undefined> {
    while (!this.isConnected && this.errno === undefined) if (!(yield* this.#wait(deadlineNs))) return "timeout";
    return this.errno;
  }

  *read(deadlineNs: number): Running<ReadResult> {
    for (;;) {
      if (this.#chunks.length > 0) {
        const bytes = concatBytes(this.#chunks);
        this.#chunks = [];
        return { kind: "data", bytes };
      }
      if (this.errno !== undefined) return { kind: "error", errno: this.errno };
      if (this.isEnded) return { kind: "end" };
      if (!(yield* this.#wait(deadlineNs))) return { kind: "timeout" };
    }
  }

  /** Waits until something happens that is not data taken by `read`: new data, the end, an error. False: the deadline came. */
  *changed(deadlineNs: number): Running<boolean> {
    return yield* this.#wait(deadlineNs);
  }

  /** From here on the bytes of the connection go through `filter`, which hands on what is to be read, and writes by itself. */
  layer(filter: { receive(bytes: Uint8Array): void; send(bytes: Uint8Array): void } | undefined): void {
    this.#filter = filter;
  }

  /** What a layer has made of the bytes that came. */
  deliver(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#wake?.();
    this.#listener?.();
  }

  /** What a layer takes for the end. */
  deliverEnd(): void {
    this.isEnded = true;
    this.#wake?.();
    this.#listener?.();
  }

  /** To the connection itself. */
  transmit(bytes: Uint8Array): boolean {
    return this.socket?.send(bytes) ?? false;
  }

  write(text: string | Uint8Array): boolean {
    if (this.#filter !== undefined) {
      this.#filter.send(typeof text === "string" ? utf8Bytes(text) : text);
      return this.socket !== undefined;
    }
    return this.socket?.send(typeof text === "string" ? utf8Bytes(text) : text) ?? false;
  }

  close(): void {
    this.socket?.close();
    this.socket = undefined;
  }

  /** Closes with something unread: the peer gets a reset. */
  abort(): void {
    this.socket?.abort();
    this.socket = undefined;
  }

  *#wait(deadlineNs: number): Running<boolean> {
    const loop = this.#context.machine.host.loop;
    if (deadlineNs <= loop.nowNs) return false;
    return yield* this.#context.waitFor<boolean>((resolve) => {
      const timer = new Timer(loop, { onEvent: () => finish(false) });
      const finish = (isWoken: boolean): void => {
        this.#wake = undefined;
        timer.disarm();
        resolve(isWoken);
      };
      this.#wake = () => finish(true);
      if (deadlineNs < Number.MAX_SAFE_INTEGER) timer.arm(deadlineNs - loop.nowNs);
      return () => {
        this.#wake = undefined;
        timer.disarm();
      };
    });
  }
}

/** No deadline. */
export const NEVER_NS = Number.MAX_SAFE_INTEGER;
