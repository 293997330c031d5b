/**
 * Bash's /dev/tcp/HOST/PORT and /dev/udp/HOST/PORT: a redirection that connects.
 *
 * bash 5.2 redir.c:redir_special_open, lib/sh/netopen.c.
 */

import type { Errno, TcpSocket, UdpSocket } from "../../host/host.ts";
import { servicePort } from "../../wire/service-names.ts";
import type { Running } from "../command.ts";
import { bytesOf, textOf } from "../commands/system/text-bytes.ts";
import { errorText } from "../errno-text.ts";
import { resolveHost } from "../names.ts";
import { OpenFile } from "../streams.ts";
import { WaitQueue } from "../waits.ts";
import type { Shell } from "./shell.ts";

const SPECIAL_PATH = /^\/dev\/(tcp|udp)\/([^/]+)\/([^/]+)$/;
/** Datagrams and bytes that wait to be read beyond this are dropped. */
const BUFFER_MAX = 16 * 1024 * 1024;

/** One connected socket as an open file. */
export class NetworkFile extends OpenFile {
  override readonly path: string = "socket:";
  readonly #changed: WaitQueue;
  #text = "";
  #isConnected = false;
  #isEnded = false;
  #errno: Errno | undefined;
  #tcp: TcpSocket | undefined;
  #udp: UdpSocket | undefined;

  constructor(shell: Shell) {
    super();
    this.#changed = new WaitQueue(shell.machine.host.loop);
  }

  /** Undefined when the connection stands. */
  *connectTcp(shell: Shell, address: number, port: number): Running<Errno | undefined> {
    const notice = (change: () => void): void => {
      change();
      this.#changed.wake();
    };
    const socket = shell.machine.host.tcp.connect(
      { address, port, owner: shell.process.socketOwner() },
      {
        onConnected: () => notice(() => (this.#isConnected = true)),
        onData: (bytes) => this.#take(bytes),
        onEnd: () => notice(() => (this.#isEnded = true)),
        onError: (errno) => notice(() => (this.#errno = errno)),
      },
    );
    if (typeof socket === "string") return socket;
    this.#tcp = socket;
    // A shell that is killed while it connects leaves nothing behind.
    shell.table.onExit(shell.process, () => {
      if (!this.#isConnected) socket.close();
    });
    while (!this.#isConnected && this.#errno === undefined) yield this.#changed.wait();
    return this.#errno;
  }

  connectUdp(shell: Shell, address: number, port: number): Errno | undefined {
    const socket = shell.machine.host.udp.bind(
      { address: 0, port: 0, owner: shell.process.socketOwner() },
      {
        onDatagram: (payload) => this.#take(payload),
        onError: (errno) => {
          this.#errno = errno;
        },
      },
    );
    if (typeof socket === "string") return socket;
    const errno = socket.connect(address, port);
    if (errno !== undefined) socket.close();
    else this.#udp = socket;
    return errno;
  }

  put(text: string): string | undefined {
    if (text === "") return undefined;
    const errno = this.#errno;
    if (errno !== undefined) {
      // An error is told once; a connection is gone with it.
      if (this.#udp !== undefined) this.#errno = undefined;
      return this.#udp === undefined ? "EPIPE" : errno;
    }
    if (this.#udp !== undefined) return this.#udp.send(bytesOf(text));
    return this.#tcp?.send(bytesOf(text)) === true ? undefined : "EPIPE";
  }

  *take(max: number): Running<string | undefined> {
    if (!(yield* this.#hasText(() => this.#text !== ""))) return undefined;
    return this.#cut(Math.min(max, this.#text.length));
  }

  *takeLine(): Running<string | undefined> {
    if (!(yield* this.#hasText(() => this.#text.includes("\n")))) return undefined;
    const newline = this.#text.indexOf("\n");
    return this.#cut(newline < 0 ? this.#text.length : newline + 1);
  }

  protected override onClose(): void {
    this.#udp?.close();
    // What was not read makes the peer see a reset.
    if (this.#text === "") this.#tcp?.close();
    else this.#tcp?.abort();
  }

  *#hasText(isEnough: () => boolean): Running<boolean> {
    while (!isEnough() && !this.#isEnded && this.#errno === undefined) yield this.#changed.wait();
    if (this.#text !== "") return true;
    if (this.#errno !== undefined) this.readError = this.#errno;
    return false;
  }

  #cut(count: number): string {
    const part = this.#text.slice(0, count);
    this.#text = this.#text.slice(count);
    return part;
  }

  #take(bytes: Uint8Array): void {
    if (this.#text.length < BUFFER_MAX) this.#text += textOf(bytes);
    this.#changed.wake();
  }
}

/** The socket that a path stands for, or the text of the error; undefined when the path is an ordinary one. */
export function* openNetwork(shell: Shell, path: string): Running<OpenFile | string | undefined> {
  const match = shell.dialect === "bash" ? SPECIAL_PATH.exec(path) : null;
  if (match === null) return undefined;
  const protocol = match[1] as "tcp" | "udp";
  const [name, service] = [match[2] as string, match[3] as string];
  const address = resolveHost(shell.machine, name);
  if (address === undefined) {
    shell.complain(`${name}: Temporary failure in name resolution`);
    return errorText("EINVAL");
  }
  const port = /^\d+$/.test(service) ? Number(service) & 0xffff : servicePort(service, protocol);
  if (port === undefined) {
    shell.complain(`${service}: Servname not supported for ai_socktype`);
    return errorText("EINVAL");
  }
  const file = new NetworkFile(shell);
  const errno = protocol === "tcp" ? yield* file.connectTcp(shell, address, port) : file.connectUdp(shell, address, port);
  if (errno === undefined) return file;
  shell.errorOutput(`${shell.errorName}: connect: ${errorText(errno)}\n`);
  return errorText(errno);
}
