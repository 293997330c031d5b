/**
 * A server's connection with TLS between it and TCP: what the server sends and hears is clear, what goes over the wire are records.
 */

import type { TcpEvents, TcpSocket } from "../../host/host.ts";
import { type TlsFailure, type TlsServerOptions, TlsSession } from "./tls-session.ts";

/** What a server does with a connection, whether there is TLS in it or not. */
export type Transport = Pick<TcpSocket, "noDelay" | "send" | "pause" | "resume" | "shutdownWrite" | "close">;

export class TlsTransport implements Transport {
  readonly #socket: TcpSocket;
  readonly #session: TlsSession;
  #events: TcpEvents = {};
  #isClosed = false;

  /** `onFailure`: a client without TLS, or one that gave up; without an answer the connection is closed. `first` are the bytes that came. */
  constructor(socket: TcpSocket, options: TlsServerOptions, onFailure: (failure: TlsFailure, first: Uint8Array) => void = () => this.close()) {
    this.#socket = socket;
    let heard: Uint8Array = new Uint8Array(0);
    this.#session = TlsSession.server(options, {
      transmit: (bytes) => void socket.send(bytes),
      established: () => this.#events.onConnected?.(),
      data: (bytes) => this.#events.onData?.(bytes),
      closed: () => this.#events.onEnd?.(),
      failed: (failure) => onFailure(failure, heard),
    });
    this.tcpEvents = {
      onData: (bytes) => {
        if (!this.#session.isEstablished) heard = bytes;
        this.#session.receive(bytes);
      },
      onEnd: () => this.#events.onEnd?.(),
      onWritable: () => this.#events.onWritable?.(),
      onError: (errno) => this.#events.onError?.(errno),
    };
  }

  /** For the socket below. */
  readonly tcpEvents: TcpEvents;

  setEvents(events: TcpEvents): void {
    this.#events = events;
  }

  get noDelay(): boolean {
    return this.#socket.noDelay;
  }

  set noDelay(isOn: boolean) {
    this.#socket.noDelay = isOn;
  }

  send(bytes: Uint8Array): boolean {
    if (this.#isClosed) return false;
    this.#session.send(bytes);
    return true;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Only close_notify: the connection itself stays. */
  closeNotify(): void {
    this.#session.closeNotify();
  }

  shutdownWrite(): void {
    this.#session.closeNotify();
    this.#socket.shutdownWrite();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#session.closeNotify();
    this.#socket.close();
  }
}
