/**
 * How curl connects: names, `--resolve`, `--interface`, local ports, time limits, and what it says about each.
 *
 * curl 7.88.1 lib/connect.c, lib/cf-socket.c.
 */

import { formatIpv4Address, type Ipv4Address, parseIpv4Address } from "../../../base/ipv4-address.ts";
import { NS_PER_MS, NS_PER_SECOND } from "../../../base/time.ts";
import type { CommandContext, Running } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import type { HttpHead } from "../../http-message.ts";
import { resolveHost } from "../../names.ts";
import { NEVER_NS, TcpStream } from "../../tcp-stream.ts";
import type { CurlOptions } from "./options.ts";
import { CurlTls } from "./secure.ts";
import type { CurlUrl } from "./urls.ts";
import type { TransferReport } from "./write-out.ts";

export interface CurlConnection {
  readonly stream: TcpStream;
  readonly number: number;
  readonly key: string;
  readonly host: string;
  readonly tls: CurlTls | undefined;
}

/** Ends a connection, with a goodbye where TLS has one. */
export function* closeConnection(connection: CurlConnection): Running<void> {
  if (connection.tls !== undefined) yield* connection.tls.close();
  connection.stream.close();
}

export interface TransferSinks {
  /** Head lines with their line ends, when they are wanted. */
  head(text: string): void;
  body(text: string): boolean;
  log(text: string): void;
  /** A transfer begins: the head of the progress meter and its first row. */
  begin(): void;
  /** A transfer has ended, its connection is still there: the meter's last row. */
  done(isComplete: boolean): void;
}

export interface TransferResult {
  readonly exit: number;
  readonly error: string | undefined;
  readonly head: HttpHead | undefined;
  /** Left open for the next transfer. */
  readonly isReusable: boolean;
  readonly isRefused: boolean;
}

export interface CurlTarget {
  readonly host: string;
  readonly port: number;
}

export class CurlConnector {
  readonly #context: CommandContext;
  readonly #options: CurlOptions;
  readonly #numbers: { next: number };
  readonly #startNs: number;
  readonly #deadlineNs: number;

  constructor(context: CommandContext, options: CurlOptions, numbers: { next: number }, startNs: number) {
    this.#context = context;
    this.#options = options;
    this.#numbers = numbers;
    this.#startNs = startNs;
    this.#deadlineNs = deadlineOf(options, startNs);
  }

  /** Connects to `target`, with TLS for the URL `secured`; a result when that fails. */
  *open(target: CurlTarget, key: string, report: TransferReport, sinks: TransferSinks, secured?: CurlUrl): Running<CurlConnection | TransferResult> {
    const options = this.#options;
    const override = options.resolves.find((entry) => entry.host === target.host && entry.port === String(target.port));
    const address = override === undefined ? resolveHost(this.#context.machine, target.host) : parseIpv4Address(override.address);
    if (address === undefined) {
      sinks.begin();
      sinks.log(`* Could not resolve host: ${target.host}\n* Closing connection ${this.#numbers.next++}\n`);
      return failure(6, `Could not resolve host: ${target.host}`);
    }
    report.lookupNs = this.#elapsed();
    const number = this.#numbers.next++;
    const shown = formatIpv4Address(address);
    sinks.begin();
    sinks.log(`*   Trying ${shown}:${target.port}...\n`);
    const stream = new TcpStream(this.#context);
    const startNs = this.#now();
    const refused = this.#start(stream, address, target, sinks);
    if (refused !== undefined) {
      sinks.log(
        `* Failed to connect to ${target.host} port ${target.port} after ${this.#msSince(startNs)} ms: ${refused.exit === 45 ? "Failed binding local connection end" : "Couldn't connect to server"}\n`,
      );
      sinks.done(false);
      sinks.log(`* Closing connection ${number}\n`);
      return refused;
    }
    const limitNs = Math.min(
      this.#deadlineNs,
      options.connectTimeoutNs === undefined || options.connectTimeoutNs === 0 ? startNs + 300 * NS_PER_SECOND : startNs + options.connectTimeoutNs,
    );
    const errno = yield* stream.connected(limitNs);
    if (errno === "timeout") {
      stream.close();
      const text = `Connection timed out after ${this.#msSince(this.#startNs) + 1} milliseconds`;
      sinks.log(`* ${text}\n`);
      sinks.done(false);
      sinks.log(`* Closing connection ${number}\n`);
      return failure(28, text);
    }
    if (errno !== undefined) {
      stream.close();
      const text = `Failed to connect to ${target.host} port ${target.port} after ${this.#msSince(startNs)} ms: Couldn't connect to server`;
      sinks.log(`* connect to ${shown} port ${target.port} failed: ${errorText(errno)}\n* ${text}\n`);
      sinks.done(false);
      sinks.log(`* Closing connection ${number}\n`);
      return { ...failure(errno === "ETIMEDOUT" ? 28 : 7, text), isRefused: errno === "ECONNREFUSED" };
    }
    report.connects++;
    report.connectNs = this.#elapsed();
    sinks.log(`* Connected to ${target.host} (${shown}) port ${target.port} (#${number})\n`);
    const tls = secured === undefined ? undefined : new CurlTls(this.#context, stream, secured, options, sinks.log);
    const failed = yield* this.#secure(tls, target.host, number, limitNs, report, sinks);
    return failed ?? { stream, number, key, host: target.host, tls };
  }

  *#secure(tls: CurlTls | undefined, host: string, number: number, limitNs: number, report: TransferReport, sinks: TransferSinks): Running<TransferResult | undefined> {
    if (tls === undefined) return undefined;
    const result = yield* tls.handshake(host, limitNs);
    if (result === undefined) {
      report.secureNs = this.#elapsed();
      return undefined;
    }
    const failed = result === "timeout" ? { exit: 28, error: "SSL connection timeout" } : result;
    sinks.done(false);
    sinks.log(`* Closing connection ${number}\n`);
    return failure(failed.exit, failed.error);
  }

  /** Binds and starts to connect; a result when that fails at once. */
  #start(stream: TcpStream, address: Ipv4Address, target: CurlTarget, sinks: TransferSinks): TransferResult | undefined {
    const options = this.#options;
    const host = this.#context.machine.host;
    let localAddress = 0;
    if (options.interface !== undefined) {
      const name = options.interface.replace(/^(if|host)!/, "");
      const device = host.devices.byName(name);
      const found = device === undefined ? resolveHost(this.#context.machine, name) : (device.addresses[0]?.address ?? undefined);
      if (found === undefined) {
        sinks.log(`* Could not resolve host: ${name}\n* Couldn't bind to '${name}'\n`);
        return failure(45, `Couldn't bind to '${name}'`);
      }
      if (device === undefined) sinks.log(`* Name '${name}' family 2 resolved to '${formatIpv4Address(found)}' family 2\n`);
      else sinks.log(`* Local Interface ${name} is ip ${formatIpv4Address(found)} using address family 2\n`);
      localAddress = found;
    }
    const first = options.localPort?.low ?? 0;
    const last = options.localPort?.high ?? 0;
    for (let port = first; port <= last; port++) {
      const errno = stream.start({ address, port: target.port, localAddress, localPort: port, noDelay: options.usesNoDelay });
      if (errno === undefined) {
        if (port !== 0 || localAddress !== 0) sinks.log(`* Local port: ${port}\n`);
        if (options.keepAliveSeconds !== undefined) {
          const intervalNs = options.keepAliveSeconds * NS_PER_SECOND;
          stream.socket?.setKeepAlive({ idleNs: intervalNs, intervalNs, probes: 9 });
        }
        return undefined;
      }
      const isBinding = errno === "EADDRINUSE" || (errno === "EADDRNOTAVAIL" && localAddress !== 0 && !host.addresses.isOwn(localAddress));
      if (isBinding && port < last) continue;
      if (isBinding) {
        const text = `bind failed with errno ${errno === "EADDRINUSE" ? 98 : 99}: ${errorText(errno)}`;
        sinks.log(`* ${text}\n`);
        return failure(45, text);
      }
      sinks.log(`* Immediate connect fail for ${formatIpv4Address(address)}: ${errorText(errno)}\n`);
      return failure(7, `Failed to connect to ${target.host} port ${target.port} after ${this.#msSince(this.#startNs)} ms: Couldn't connect to server`);
    }
    return failure(45, "bind failed with errno 98: Address already in use");
  }

  #now(): number {
    return this.#context.machine.host.loop.nowNs;
  }

  #elapsed(): number {
    return this.#now() - this.#startNs;
  }

  #msSince(startNs: number): number {
    return Math.trunc((this.#now() - startNs) / NS_PER_MS);
  }
}

/** When the whole transfer must be over (`--max-time`). */
export function deadlineOf(options: CurlOptions, startNs: number): number {
  return options.maxTimeNs === undefined || options.maxTimeNs === 0 ? NEVER_NS : startNs + options.maxTimeNs;
}

export function failure(exit: number, error: string): TransferResult {
  return { exit, error, head: undefined, isReusable: false, isRefused: false };
}
