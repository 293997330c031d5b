/**
 * DNS_CHECK: asks a name server a question by UDP; any answer without an error will do.
 *
 * keepalived v2.2.7 check/check_dns.c; RFC 1035 section 4.1.
 */

import { formatReal } from "../config/addresses.ts";
import { errorText } from "../../errno-text.ts";
import type { Checker, CheckKind } from "../config/model.ts";
import { checkTimes, type CheckContext, type CheckRunner, type CheckTimes, connectOf } from "./check-context.ts";

type DnsKind = Extract<CheckKind, { readonly type: "DNS_CHECK" }>;

const ICMP_DEST_UNREACH = 3;
const CLASS_IN = 1;
const RECURSION_DESIRED = 1;
const QUERY_BYTES_MAX = 768;
const ERRNO_NUMBERS: Readonly<Record<string, number>> = { ECONNREFUSED: 111, EHOSTUNREACH: 113, ENETUNREACH: 101, EACCES: 13 };
/** A header shorter than a pointer is no answer (keepalived compares with the size of one). */
const ANSWER_BYTES_MIN = 8;

function question(id: number, name: string, recordType: number): Uint8Array {
  const labels: number[] = [];
  for (const label of name.replace(/\.$/, "").split(".")) {
    if (label === "") continue;
    labels.push(label.length, ...[...label].map((character) => character.charCodeAt(0) & 255));
  }
  const bytes = [id >> 8, id & 255, RECURSION_DESIRED, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, recordType >> 8, recordType & 255, 0, CLASS_IN];
  return Uint8Array.from(bytes.slice(0, QUERY_BYTES_MAX));
}

export class DnsCheck implements CheckRunner {
  readonly #checker: Checker;
  readonly #kind: DnsKind;
  readonly #context: CheckContext;
  readonly #times: CheckTimes;

  constructor(checker: Checker, kind: DnsKind, context: CheckContext) {
    this.#checker = checker;
    this.#kind = kind;
    this.#context = context;
    this.#times = checkTimes(checker);
  }

  begin(): void {
    const { daemon, open } = this.#context;
    if (!this.#checker.isEnabled) {
      daemon.after(this.#times.delayLoopUs, () => this.begin());
      return;
    }
    const connect = connectOf(this.#checker);
    const { host } = daemon.machine;
    const id = this.#context.random.below(0x10000);
    let isOver = false;
    const finish = (error: string | undefined): void =>
      daemon.post(() => {
        if (isOver) return;
        isOver = true;
        timer.cancel();
        if (typeof socket !== "string") {
          socket.close();
          open.delete(socket);
        }
        this.#final(error);
      });
    const timer = daemon.after(this.#times.connectTimeoutUs, () => finish("read timeout from socket"));
    const device = connect.bindDevice === undefined ? undefined : host.devices.byName(connect.bindDevice);
    const socket = host.udp.bind(
      { address: connect.bindTo?.address ?? 0, port: connect.bindPort, owner: daemon.process.socketOwner(), receiveErrors: true, ...(device === undefined ? {} : { device }) },
      {
        onDatagram: (payload) => {
          const outcome = judge(payload, id);
          if (outcome !== undefined) finish(outcome.error);
        },
        onError: (errno, icmp) => {
          if (icmp !== undefined && icmp.message.type !== ICMP_DEST_UNREACH) return;
          finish(`failed to read socket; errno ${ERRNO_NUMBERS[errno] ?? 0} (${errorText(errno)})`);
        },
      },
    );
    if (typeof socket === "string") {
      this.#log("UDP socket bind failed. Rescheduling.");
      timer.cancel();
      daemon.after(this.#times.delayLoopUs, () => this.begin());
      return;
    }
    open.add(socket);
    const { address, port, text } = connect.destination;
    if (socket.connect(address, port) !== undefined) finish(`network unreachable for [${text}]:${port}`);
    else if (socket.send(question(id, this.#kind.name ?? "", this.#kind.recordType)) !== undefined) finish("failed to write socket.");
  }

  #log(text: string): void {
    this.#context.log.line(`DNS_CHECK (${formatReal(this.#checker.real, this.#checker.server)}) ${text}`);
  }

  #final(error: string | undefined): void {
    const checker = this.#checker;
    const { states, daemon, global } = this.#context;
    const { retry } = this.#times;
    const isNews = checker.isUp || !checker.hasRun;
    if (error !== undefined && isNews) {
      if (global.logsAllCheckerFailures || checker.logsAllFailures || checker.retries >= retry)
        this.#log(`${error}${checker.hasRun && checker.retries >= retry ? ` after ${retry} retries` : ""}`);
      if (checker.retries < retry) {
        checker.retries++;
        checker.hasRun = true;
        daemon.after(this.#times.delayBeforeRetryUs, () => this.begin());
        return;
      }
      states.checked(false, checker, "=> DNS_CHECK: failed on service <=");
    } else if (error === undefined && (!checker.isUp || !checker.hasRun)) states.checked(true, checker, "=> DNS_CHECK: succeed on service <=");
    checker.retries = 0;
    daemon.after(this.#times.delayLoopUs, () => this.begin());
  }
}

/** undefined: not an answer to this question. */
function judge(payload: Uint8Array, id: number): { readonly error: string | undefined } | undefined {
  if (payload.length < ANSWER_BYTES_MIN || (((payload[0] as number) << 8) | (payload[1] as number)) !== id) return undefined;
  if (((payload[2] as number) & 0x80) === 0) return undefined;
  const code = (payload[3] as number) & 15;
  return { error: code === 0 ? undefined : `read error occurred. (rcode = ${code})` };
}
