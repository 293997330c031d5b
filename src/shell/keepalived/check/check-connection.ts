/**
 * A TCP connection of a checker: events become tasks of its process, and there is a limit on each wait.
 *
 * keepalived v2.2.7 core/layer4.c (tcp_bind_connect, tcp_socket_state).
 */

import type { TcpEvents, TcpSocket } from "../../../host/host.ts";
import type { ConnectOptions } from "../config/model.ts";
import type { DaemonTimer } from "../daemon-process.ts";
import type { CheckContext } from "./check-context.ts";

/** Why a connection did not come about: nobody there, nobody who wants, or nothing to connect with. */
export type ConnectFailure = "timeout" | "fail" | "error";

export interface ConnectionEvents {
  connected(): void;
  /** `isAtOnce`: connect(2) itself said so. */
  failed(why: ConnectFailure, isAtOnce: boolean): void;
  data?(bytes: Uint8Array): void;
  /** The other side has sent everything. */
  end?(): void;
  /** After it was connected. */
  broken?(): void;
  timeout?(): void;
}

const CONNECT_FAILURES = new Set(["ENETUNREACH", "EHOSTUNREACH", "ECONNREFUSED", "EHOSTDOWN", "ENETDOWN", "ECONNRESET", "ECONNABORTED", "ETIMEDOUT"]);

type ConnectionContext = Pick<CheckContext, "daemon" | "log" | "open">;

export class CheckConnection {
  readonly #context: ConnectionContext;
  readonly #events: ConnectionEvents;
  #socket: TcpSocket | undefined;
  #timer: DaemonTimer | undefined;
  #isConnected = false;
  #isClosed = false;

  constructor(context: ConnectionContext, connect: ConnectOptions, timeoutUs: number, events: ConnectionEvents) {
    this.#context = context;
    this.#events = events;
    const { daemon } = context;
    const { host } = daemon.machine;
    const device = connect.bindDevice === undefined ? undefined : host.devices.byName(connect.bindDevice);
    if (connect.bindDevice !== undefined && device === undefined) {
      context.log.line(`Checker can't bind to device ${connect.bindDevice}: No such device`);
      this.#fail("error", true);
      return;
    }
    context.open.add(this);
    const result = host.tcp.connect(
      {
        address: connect.destination.address,
        port: connect.destination.port,
        owner: daemon.process.socketOwner(),
        ...(connect.bindTo === undefined ? {} : { localAddress: connect.bindTo.address }),
        ...(connect.bindPort === 0 ? {} : { localPort: connect.bindPort }),
        ...(device === undefined ? {} : { device }),
        ...(connect.mark === 0 ? {} : { mark: connect.mark }),
      },
      this.#tcpEvents(),
    );
    if (typeof result === "string") {
      if (result === "EADDRNOTAVAIL" || result === "EADDRINUSE") context.log.line(`Checker bind failed: ${result === "EADDRINUSE" ? "Address already in use" : "Cannot assign requested address"}`);
      this.#fail(CONNECT_FAILURES.has(result) ? "fail" : "error", true);
      return;
    }
    this.#socket = result;
    this.wait(timeoutUs);
  }

  #tcpEvents(): TcpEvents {
    return {
      onConnected: () =>
        this.#later(() => {
          this.#isConnected = true;
          this.#timer?.cancel();
          this.#events.connected();
        }),
      onData: (bytes) => this.#later(() => this.#events.data?.(bytes)),
      onEnd: () => this.#later(() => this.#events.end?.()),
      onError: (errno) =>
        this.#later(() => {
          if (this.#isConnected) this.#events.broken?.();
          else this.#fail(errno === "ETIMEDOUT" ? "timeout" : "fail", false);
        }),
    };
  }

  #later(task: () => void): void {
    this.#context.daemon.post(() => {
      if (!this.#isClosed) task();
    });
  }

  /** Gives up when nothing has happened after a time. */
  wait(timeoutUs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#context.daemon.after(timeoutUs, () => {
      if (this.#isClosed) return;
      if (this.#isConnected) this.#events.timeout?.();
      else this.#fail("timeout", false);
    });
  }

  #fail(why: ConnectFailure, isAtOnce: boolean): void {
    this.close();
    // Even what fails at once is told after the constructor has returned.
    this.#context.daemon.post(() => this.#events.failed(why, isAtOnce));
  }

  send(text: string): boolean {
    return this.#socket?.send(Uint8Array.from(text, (character) => character.charCodeAt(0) & 255)) ?? false;
  }

  sendBytes(bytes: Uint8Array): boolean {
    return this.#socket?.send(bytes) ?? false;
  }

  /** Closes with data unread: the other side gets a reset. */
  abort(): void {
    if (!this.#isClosed) this.#socket?.abort();
    this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#context.open.delete(this);
    this.#socket?.close();
  }
}
