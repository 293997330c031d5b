/**
 * TCP_CHECK, UDP_CHECK and PING_CHECK: one packet or connection, and what comes back.
 *
 * keepalived v2.2.7 check/check_tcp.c, check_udp.c, check_ping.c, core/layer4.c.
 */

import { NS_PER_US } from "../../../base/time.ts";
import { formatReal, formatServer } from "../config/addresses.ts";
import type { Checker, CheckKind } from "../config/model.ts";
import type { DaemonTimer } from "../daemon-process.ts";
import { CheckConnection } from "./check-connection.ts";
import { checkTimes, type CheckContext, type CheckRunner, type CheckTimes, connectOf, fillerBytes, logsFailures } from "./check-context.ts";

const UDP_PAYLOAD_BYTES = 32;
const PING_PAYLOAD_BYTES = 128;
const ICMP_DEST_UNREACH = 3;
const ICMP_ECHO_REPLY = 0;

/** What all three do with an outcome. */
abstract class SimpleCheck implements CheckRunner {
  protected readonly checker: Checker;
  protected readonly context: CheckContext;
  protected readonly times: CheckTimes;

  constructor(checker: Checker, context: CheckContext) {
    this.checker = checker;
    this.context = context;
    this.times = checkTimes(checker);
  }

  protected get name(): string {
    return formatReal(this.checker.real, this.checker.server);
  }

  protected again(delayUs: number): void {
    this.context.daemon.after(delayUs, () => this.begin());
  }

  begin(): void {
    if (this.checker.isEnabled) this.run();
    else this.again(this.times.delayLoopUs);
  }

  protected abstract run(): void;

  protected told(isGood: boolean, words: { readonly success: string; readonly failed: string; readonly failedAfter: string }): void {
    const { checker, context } = this;
    const kind = { TCP_CHECK: "TCP", UDP_CHECK: "UDP", PING_CHECK: "ICMP" }[checker.kind.type as "TCP_CHECK" | "UDP_CHECK" | "PING_CHECK"];
    if (isGood && (!checker.isUp || !checker.hasRun)) {
      context.log.line(words.success);
      context.states.checked(true, checker, `=> ${kind} CHECK succeed on service <=`);
    } else if (!isGood && (checker.isUp || !checker.hasRun)) {
      context.log.line(this.times.retry > 0 && checker.hasRun ? words.failedAfter : words.failed);
      context.states.checked(false, checker, `=> ${kind} CHECK failed on service <=`);
    }
  }
}

export class TcpCheck extends SimpleCheck {
  protected run(): void {
    const { checker, context } = this;
    const connection = new CheckConnection(context, connectOf(checker), this.times.connectTimeoutUs, {
      connected: () => {
        connection.close();
        this.#epilog(true);
      },
      failed: (why, isAtOnce) => {
        if (why === "error" && isAtOnce) {
          context.log.line("TCP socket bind failed. Rescheduling.");
          this.again(this.times.delayLoopUs);
          return;
        }
        if (!isAtOnce && logsFailures(checker, context)) context.log.line(`TCP connection to ${this.name} ${why === "timeout" ? "timeout" : "failed"}.`);
        this.#epilog(false);
      },
    });
  }

  #epilog(isGood: boolean): void {
    const { checker, name } = this;
    let delayUs = this.times.delayLoopUs;
    if (isGood || checker.retries >= this.times.retry) {
      checker.retries = 0;
      this.told(isGood, {
        success: `TCP connection to ${name} success.`,
        failed: `TCP_CHECK on service ${name} failed.`,
        failedAfter: `TCP_CHECK on service ${name} failed after ${this.times.retry} retries.`,
      });
    } else {
      delayUs = this.times.delayBeforeRetryUs;
      checker.retries++;
    }
    checker.hasRun = true;
    this.again(delayUs);
  }
}

/** UDP and ping count alike. */
abstract class DatagramCheck extends SimpleCheck {
  protected timer: DaemonTimer | undefined;
  protected isWaiting = false;

  protected epilog(isGood: boolean, words: { readonly success: string; readonly failed: string; readonly failedAfter: string }): void {
    const { checker } = this;
    let delayUs = this.times.delayLoopUs;
    if (isGood || ((checker.isUp || !checker.hasRun) && checker.retries >= this.times.retry)) {
      checker.retries = 0;
      this.told(isGood, words);
    } else if (checker.isUp) {
      delayUs = this.times.delayBeforeRetryUs;
      checker.retries++;
    }
    checker.hasRun = true;
    this.again(delayUs);
  }
}

type UdpKind = Extract<CheckKind, { readonly type: "UDP_CHECK" }>;

export class UdpCheck extends DatagramCheck {
  readonly #kind: UdpKind;

  constructor(checker: Checker, kind: UdpKind, context: CheckContext) {
    super(checker, context);
    this.#kind = kind;
  }

  protected run(): void {
    const { context } = this;
    const connect = connectOf(this.checker);
    const { host } = context.daemon.machine;
    let isOver = false;
    const finish = (end: () => void): void =>
      context.daemon.post(() => {
        if (isOver) return;
        isOver = true;
        this.timer?.cancel();
        if (typeof socket !== "string") {
          socket.close();
          context.open.delete(socket);
        }
        end();
      });
    const device = connect.bindDevice === undefined ? undefined : host.devices.byName(connect.bindDevice);
    const socket = host.udp.bind(
      {
        address: connect.bindTo?.address ?? 0,
        port: connect.bindPort,
        owner: context.daemon.process.socketOwner(),
        receiveErrors: true,
        ...(device === undefined ? {} : { device }),
      },
      {
        onDatagram: (payload) => finish(() => this.#answered(payload)),
        onError: (errno, icmp) => {
          if (icmp !== undefined && icmp.message.type !== ICMP_DEST_UNREACH) return;
          if (icmp === undefined && errno === "EMSGSIZE") return;
          finish(() => this.#failed());
        },
      },
    );
    if (typeof socket === "string") {
      this.#epilog(false);
      return;
    }
    context.open.add(socket);
    this.timer = context.daemon.after(this.times.connectTimeoutUs, () => finish(() => (this.#kind.requiresReply ? this.#failed() : this.#epilog(true))));
    const errno = socket.connect(connect.destination.address, connect.destination.port) ?? socket.send(this.#kind.payload ?? fillerBytes(UDP_PAYLOAD_BYTES));
    if (errno !== undefined) finish(() => this.#epilog(false));
  }

  #answered(payload: Uint8Array): void {
    const { reply, requiresReply } = this.#kind;
    if (!requiresReply || reply === undefined || this.#isExpected(payload, reply)) {
      this.#epilog(true);
      return;
    }
    if (logsFailures(this.checker, this.context)) this.context.log.line(`UDP check to ${this.name} reply data mismatch.`);
    this.#epilog(false);
  }

  #isExpected(payload: Uint8Array, reply: Uint8Array): boolean {
    const { replyMask, replyMin, replyMax } = this.#kind;
    // The receive buffer holds one byte more than is allowed.
    const bytes = payload.subarray(0, replyMax + 1);
    if (bytes.length < replyMin || bytes.length > replyMax) return false;
    const length = Math.min(bytes.length, reply.length);
    for (let i = 0; i < length; i++) {
      const mask = replyMask === undefined ? 255 : ~(replyMask[i] ?? 0) & 255;
      if ((((bytes[i] as number) ^ (reply[i] as number)) & mask) !== 0) return false;
    }
    return true;
  }

  #failed(): void {
    if (logsFailures(this.checker, this.context)) this.context.log.line(`UDP connection to ${this.name} failed.`);
    this.#epilog(false);
  }

  #epilog(isGood: boolean): void {
    this.epilog(isGood, {
      success: `UDP connection to ${this.name} success.`,
      failed: `UDP_CHECK on service ${this.name} failed.`,
      failedAfter: `UDP_CHECK on service ${this.name} failed after ${this.times.retry} retries.`,
    });
  }
}

/** All pings of a process share one count. */
export interface PingSequence {
  next: number;
}

export class PingCheck extends DatagramCheck {
  readonly #sequence: PingSequence;

  constructor(checker: Checker, sequence: PingSequence, context: CheckContext) {
    super(checker, context);
    this.#sequence = sequence;
  }

  protected run(): void {
    const { context } = this;
    const { host } = context.daemon.machine;
    let isOver = false;
    const finish = (isGood: boolean, text: string | undefined): void =>
      context.daemon.post(() => {
        if (isOver) return;
        isOver = true;
        this.timer?.cancel();
        socket.close();
        context.open.delete(socket);
        if (text !== undefined && logsFailures(this.checker, context)) context.log.line(text);
        this.#epilog(isGood);
      });
    const socket = host.icmp.openEcho((_packet, icmp) => {
      // A datagram socket without IP_RECVERR hears no errors.
      if (icmp.type === ICMP_ECHO_REPLY) finish(true, undefined);
    });
    context.open.add(socket);
    const sequence = this.#sequence.next;
    this.#sequence.next = (sequence + 1) % 65536;
    // The count is put into the packet in the order of this machine's bytes.
    const swapped = ((sequence & 255) << 8) | (sequence >> 8);
    this.timer = context.daemon.at(context.daemon.nowNs + this.times.connectTimeoutUs * NS_PER_US, () => finish(false, `ICMP connection to address ${this.name} timeout.`));
    const errno = socket.send({ destination: connectOf(this.checker).destination.address, sequence: swapped, payload: fillerBytes(PING_PAYLOAD_BYTES) });
    if (errno === undefined) return;
    context.log.line("send ICMP packet fail");
    finish(false, undefined);
  }

  #epilog(isGood: boolean): void {
    const { name } = this;
    this.epilog(isGood, {
      success: `ICMP connection to ${name} success.`,
      failed: `ICMP CHECK on service ${name} failed.`,
      failedAfter: `ICMP CHECK on service ${name} of ${formatServer(this.checker.server)} failed after ${this.times.retry} retries.`,
    });
  }
}
