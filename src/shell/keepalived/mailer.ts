/**
 * Mail about changes of state (notification_email, smtp_alert): a conversation with the mail server for each.
 *
 * keepalived v2.2.7 core/smtp.c, core/global_data.c (init_global_data).
 */

import { NS_PER_SECOND } from "../../base/time.ts";
import { calendarTime } from "../time-format.ts";
import { CheckConnection } from "./check/check-connection.ts";
import type { GlobalConfig } from "./config/model.ts";
import type { DaemonLog } from "./daemon-log.ts";
import type { DaemonProcess } from "./daemon-process.ts";

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SUBJECT_MAX = 255;
const BODY_MAX = 511;
const BUFFER_MAX = 1024;
/** File descriptors that keepalived has open before it mails. */
const FIRST_FD = 9;

type Stage = "banner" | "HELO" | "MAIL" | "RCPT" | "DATA" | "BODY" | "QUIT";

const EXPECTED: Readonly<Record<Stage, number>> = { banner: 220, HELO: 250, MAIL: 250, RCPT: 250, DATA: 354, BODY: 250, QUIT: 221 };
const NEXT: Readonly<Record<Exclude<Stage, "QUIT">, Stage>> = { banner: "HELO", HELO: "MAIL", MAIL: "RCPT", RCPT: "DATA", DATA: "BODY", BODY: "QUIT" };

export interface MailerParts {
  readonly daemon: DaemonProcess;
  readonly log: DaemonLog;
  readonly global: GlobalConfig;
  readonly open: Set<{ close(): void }>;
}

export class Mailer {
  readonly #parts: MailerParts;

  constructor(parts: MailerParts) {
    this.#parts = parts;
  }

  /** Without addresses or a server nothing is mailed. `about` goes between the router's name and the subject. */
  send(about: string, subject: string, body: string): void {
    const { global, daemon } = this.#parts;
    if (global.mailTo.length === 0 || global.smtpServer === undefined) return;
    const router = global.routerId ?? daemon.machine.hostname;
    new Mail(this.#parts, `[${router}] ${about} - ${subject}`.slice(0, SUBJECT_MAX), body.slice(0, BODY_MAX)).start();
  }
}

class Mail {
  readonly #parts: MailerParts;
  readonly #subject: string;
  readonly #body: string;
  #connection: CheckConnection | undefined;
  #stage: Stage = "banner";
  #recipient = 0;
  #input = "";

  constructor(parts: MailerParts, subject: string, body: string) {
    this.#parts = parts;
    this.#subject = subject;
    this.#body = body;
  }

  get #server(): string {
    const server = this.#parts.global.smtpServer;
    return `[${server?.text}]:${server?.port}`;
  }

  start(): void {
    const { global, log } = this.#parts;
    const server = global.smtpServer;
    if (server === undefined) return;
    const connect = { destination: server, bindTo: undefined, bindPort: 0, bindDevice: undefined, connectTimeoutUs: global.smtpTimeoutUs, mark: 0 };
    const fd = FIRST_FD + 2 * this.#parts.open.size;
    const connection = new CheckConnection(this.#parts, connect, global.smtpTimeoutUs, {
      connected: () => {
        log.detailed(`Remote SMTP server ${this.#server} connected.`);
        connection.wait(global.smtpTimeoutUs);
      },
      failed: (why, isAtOnce) => {
        if (isAtOnce) return;
        // An error of the socket is told by epoll before the connection is asked for its state.
        log.line(why === "timeout" ? `Timeout opening connection to remote SMTP server ${this.#server}.` : `smtp fd ${fd} returned write error`);
      },
      data: (bytes) => this.#take(bytes),
      end: () => this.#close(`Remote SMTP server ${this.#server} has closed the connection.`),
      broken: () => this.#close(`Error reading data from remote SMTP server ${this.#server}.`),
      timeout: () => {
        log.line(`Timeout reading data to remote SMTP server ${this.#server}.`);
        if (this.#stage === "QUIT") connection.close();
        else this.#say("QUIT");
      },
    });
    this.#connection = connection;
  }

  #close(text: string | undefined): void {
    if (text !== undefined) this.#parts.log.line(text);
    this.#connection?.close();
  }

  #take(bytes: Uint8Array): void {
    for (const byte of bytes) this.#input += String.fromCharCode(byte);
    if (this.#input.length >= BUFFER_MAX) {
      this.#parts.log.line(`Received buffer from remote SMTP server ${this.#server} overflow our get read buffer length.`);
      this.#input = "";
      this.#say("QUIT");
      return;
    }
    // The last line of an answer has no dash behind its number.
    const match = /^(?:\d{3}-[^\r]*\r\n)*(\d{3})[^\r-]?[^\r]*\r\n/.exec(this.#input);
    if (match === null) {
      this.#connection?.wait(this.#parts.global.smtpTimeoutUs);
      return;
    }
    this.#input = this.#input.slice(match[0].length);
    this.#answered(Number(match[1]));
  }

  #answered(status: number): void {
    const { log } = this.#parts;
    const stage = this.#stage;
    if (status !== EXPECTED[stage]) {
      log.line(`Error processing ${stage === "banner" ? "(E)SMTP" : stage} cmd on SMTP server ${this.#server}. SMTP status code = ${status}`);
      this.#say("QUIT");
      return;
    }
    if (stage === "QUIT") {
      this.#close(undefined);
      return;
    }
    if (stage === "BODY") log.detailed("SMTP alert successfully sent.");
    this.#say(stage === "RCPT" && this.#recipient < this.#parts.global.mailTo.length ? "RCPT" : NEXT[stage]);
  }

  #say(stage: Stage): void {
    this.#stage = stage;
    this.#connection?.send(this.#text(stage));
    this.#connection?.wait(this.#parts.global.smtpTimeoutUs);
  }

  #text(stage: Stage): string {
    const { global, daemon } = this.#parts;
    const { hostname } = daemon.machine;
    switch (stage) {
      case "banner":
        return "";
      case "HELO":
        return `HELO ${global.smtpHelo ?? hostname}\r\n`;
      case "MAIL":
        return `MAIL FROM:<${this.#from}>\r\n`;
      case "RCPT":
        return `RCPT TO:<${global.mailTo[this.#recipient++]}>\r\n`;
      case "DATA":
        return "DATA\r\n";
      case "BODY":
        return `Date: ${this.#date()}\r\nFrom: ${this.#from}\r\nSubject: ${this.#subject}\r\nX-Mailer: Keepalived\r\nTo: ${global.mailTo.join(", ")}\r\n\r\n${this.#body}\r\n\r\n.\r\n`;
      case "QUIT":
        return "QUIT\r\n";
    }
  }

  get #from(): string {
    return this.#parts.global.mailFrom ?? `root@${this.#parts.daemon.machine.hostname}`;
  }

  #date(): string {
    const { machine, nowNs } = this.#parts.daemon;
    const time = calendarTime(machine.epochSeconds + Math.floor(nowNs / NS_PER_SECOND));
    const two = (value: number): string => String(value).padStart(2, "0");
    return `${WEEKDAYS[time.weekday]}, ${two(time.day)} ${MONTHS[time.month - 1]} ${time.year} ${two(time.hour)}:${two(time.minute)}:${two(time.second)} +0000`;
  }
}
