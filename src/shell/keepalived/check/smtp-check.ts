/**
 * SMTP_CHECK: waits for a mail server's greeting, says HELO and QUIT.
 *
 * keepalived v2.2.7 check/check_smtp.c. Of what comes in one piece only the first line is looked at, and an answer of several lines is a wrong one.
 */

import { formatReal } from "../config/addresses.ts";
import type { Checker, CheckKind } from "../config/model.ts";
import { CheckConnection } from "./check-connection.ts";
import { checkTimes, type CheckContext, type CheckRunner, type CheckTimes, connectOf } from "./check-context.ts";

type SmtpKind = Extract<CheckKind, { readonly type: "SMTP_CHECK" }>;
type Step = "banner" | "helo" | "quit";

const BUFFER_MAX = 512;
const STATUS: Readonly<Record<"banner" | "helo", string>> = { banner: "220", helo: "250" };

export class SmtpCheck implements CheckRunner {
  readonly #checker: Checker;
  readonly #kind: SmtpKind;
  readonly #context: CheckContext;
  readonly #times: CheckTimes;
  #connection: CheckConnection | undefined;
  #step: Step = "banner";
  #line = "";

  constructor(checker: Checker, kind: SmtpKind, context: CheckContext) {
    this.#checker = checker;
    this.#kind = kind;
    this.#context = context;
    this.#times = checkTimes(checker);
  }

  get #server(): string {
    const { destination } = connectOf(this.#checker);
    return `[${destination.text}]:${destination.port}`;
  }

  begin(): void {
    this.#checker.retries = 0;
    this.#connect();
  }

  #connect(): void {
    const { daemon, log } = this.#context;
    if (!this.#checker.isEnabled) {
      daemon.after(this.#times.delayLoopUs, () => this.begin());
      return;
    }
    const { connectTimeoutUs } = this.#times;
    this.#step = "banner";
    this.#line = "";
    const connection = new CheckConnection(this.#context, connectOf(this.#checker), connectTimeoutUs, {
      connected: () => connection.wait(connectTimeoutUs),
      failed: (why, isAtOnce) => {
        if (!isAtOnce) {
          const what = { timeout: "Connection timeout to", fail: "Could not connect to", error: "Error connecting to" }[why];
          this.#failed(`${what} server ${this.#server}`);
        } else if (why === "fail") {
          const { address } = this.#checker.real;
          this.#failed(`Network unreachable for server ${connectOf(this.#checker).destination.text} - real server [${address.text}]:${address.port}`);
        } else {
          log.line("SMTP_CHECK socket bind failed. Rescheduling.");
          daemon.after(this.#times.delayLoopUs, () => this.begin());
        }
      },
      data: (bytes) => this.#take(bytes),
      end: () => this.#failed(`Read failure from server ${this.#server}`),
      broken: () => this.#failed(`Read failure from server ${this.#server}`),
      timeout: () => this.#failed(`Read timeout from server ${this.#server}`),
    });
    this.#connection = connection;
  }

  #take(bytes: Uint8Array): void {
    if (this.#line.length >= BUFFER_MAX - 1) {
      this.#context.log.line(`SMTP_CHECK Buffer overflow reading from server ${this.#server}. Increase SMTP_BUFF_MAX in check_smtp.h`);
      this.#line = "";
    }
    for (const byte of bytes) this.#line += String.fromCharCode(byte);
    const end = this.#line.indexOf("\n");
    if (end < 0) {
      this.#connection?.wait(this.#times.connectTimeoutUs);
      return;
    }
    const line = this.#line.slice(0, end);
    this.#line = "";
    this.#answered(line);
  }

  #answered(line: string): void {
    if (this.#step === "quit") {
      this.#succeeded();
      return;
    }
    // strtoul takes three digits; a blank or the end follows.
    if (!new RegExp(`^\\s*\\+?${STATUS[this.#step]}(?: |$)`).test(line)) {
      this.#failed(this.#step === "banner" ? `Bad greeting banner from server ${this.#server}` : `Bad HELO response from server ${this.#server}`);
      return;
    }
    const text = this.#step === "banner" ? `HELO ${this.#kind.helo}\r\n` : "QUIT\r\n";
    this.#step = this.#step === "banner" ? "helo" : "quit";
    if (this.#connection?.send(text) !== true) this.#failed(`Write failure to server ${this.#server}`);
    else this.#connection.wait(this.#times.connectTimeoutUs);
  }

  #failed(text: string): void {
    const checker = this.#checker;
    const { log, states, daemon, global } = this.#context;
    this.#connection?.close();
    const isNews = checker.isUp || !checker.hasRun;
    const { retry } = this.#times;
    if (isNews && (global.logsAllCheckerFailures || checker.logsAllFailures || checker.retries >= retry)) log.line(`SMTP_CHECK ${text}`);
    if (++checker.retries <= retry) {
      daemon.after(this.#times.delayBeforeRetryUs, () => this.#connect());
      return;
    }
    if (isNews) states.checked(false, checker, `=> CHECK failed on service : ${text} <=`);
    daemon.after(this.#times.delayLoopUs, () => this.begin());
  }

  #succeeded(): void {
    const checker = this.#checker;
    const { log, states, daemon } = this.#context;
    this.#connection?.close();
    checker.retries = 0;
    if (!checker.isUp || !checker.hasRun) {
      log.line(`Remote SMTP server ${formatReal(checker.real, checker.server)} succeed on service.`);
      states.checked(true, checker, "=> CHECK succeed on service <=");
    }
    checker.hasRun = true;
    daemon.after(this.#times.delayLoopUs, () => this.begin());
  }
}
