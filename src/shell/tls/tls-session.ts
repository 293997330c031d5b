/**
 * One side of a TLS 1.3 connection: its records, in the sizes that OpenSSL 3.0 gives them, without cryptography.
 *
 * A record that would be encrypted carries its content in clear, then its true type, then 16 bytes in the place of the tag: so much a capture shows
 * of it. Keys, signatures and Finished messages are random bytes of the right length, and nobody checks them. Session tickets are issued and never
 * used.
 *
 * RFC 8446 sections 4 and 5; the server's messages as OpenSSL 3.0 ssl/statem/statem_srvr.c writes them for TLS_AES_256_GCM_SHA384 and X25519.
 */

import { concatBytes, EMPTY_BYTES } from "../../base/bytes.ts";
import type { RandomStream } from "../../kernel/random.ts";
import { type ClientGreeting, clientHello, readClientHello } from "./client-hello.ts";
import type { Certificate } from "./certificate.ts";

const CHANGE_CIPHER_SPEC = 20;
const ALERT = 21;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;
const SERVER_HELLO = 2;
const NEW_SESSION_TICKET = 4;
const ENCRYPTED_EXTENSIONS = 8;
const CERTIFICATE = 11;
const CERTIFICATE_VERIFY = 15;
const FINISHED = 20;

const HEADER_BYTES = 5;
const TAG_BYTES = 16;
/** Content of one record. */
const CONTENT_MAX = 16_384;
const RECORD_MAX = CONTENT_MAX + 256;
const MAC_BYTES = 48;
const RSA_PSS_SHA256 = 0x0804;
const ECDSA_SHA256 = 0x0403;
const TICKETS = 2;
const ALERT_WARNING = 1;
const ALERT_FATAL = 2;
const CLOSE_NOTIFY = 0;

/** What the other side may be told before the end. */
export const TLS_ALERTS = { unexpectedMessage: 10, unknownCa: 48 } as const;

export type TlsFailure =
  /** What came is no TLS. */
  | { readonly kind: "not-tls" }
  /** This side did not want the certificate. */
  | { readonly kind: "certificate" }
  /** The other side gave up. */
  | { readonly kind: "alert"; readonly description: number };

export interface TlsHooks {
  /** To the connection below. */
  transmit(bytes: Uint8Array): void;
  /** The handshake is done. */
  established(): void;
  data(bytes: Uint8Array): void;
  /** close_notify has come. */
  closed(): void;
  failed(failure: TlsFailure): void;
}

export interface TlsClientOptions extends ClientGreeting {
  readonly random: RandomStream;
  /** Looks at the server's certificate; false: unknown_ca. */
  readonly accepts: (certificate: Uint8Array) => boolean;
}

export interface TlsServerOptions {
  readonly random: RandomStream;
  readonly certificate: Certificate;
  /** Bytes of a session ticket: the state that the server puts into it. */
  readonly ticketBytes: number;
  readonly knowsName: (name: string) => boolean;
  readonly protocols: readonly string[];
}

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const u24 = (value: number): number[] => [(value >> 16) & 255, ...u16(value)];
const message = (type: number, body: ArrayLike<number>): Uint8Array => Uint8Array.from([type, ...u24(body.length), ...Array.from(body)]);

function record(type: number, content: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.from([type, 3, 3, ...u16(content.length)]), content]);
}

type Role = { readonly kind: "client"; readonly options: TlsClientOptions } | { readonly kind: "server"; readonly options: TlsServerOptions };

export class TlsSession {
  readonly #role: Role;
  readonly #hooks: TlsHooks;
  #pending: Uint8Array = EMPTY_BYTES;
  #isEstablished = false;
  #isOver = false;
  #hasSentClose = false;
  /** What was chosen by ALPN. */
  protocol: string | undefined;

  private constructor(role: Role, hooks: TlsHooks) {
    this.#role = role;
    this.#hooks = hooks;
  }

  static client(options: TlsClientOptions, hooks: TlsHooks): TlsSession {
    return new TlsSession({ kind: "client", options }, hooks);
  }

  static server(options: TlsServerOptions, hooks: TlsHooks): TlsSession {
    return new TlsSession({ kind: "server", options }, hooks);
  }

  get isEstablished(): boolean {
    return this.#isEstablished;
  }

  /** The client's first word. */
  start(): void {
    if (this.#role.kind === "client") this.#hooks.transmit(clientHello(this.#role.options.random, this.#role.options));
  }

  send(bytes: Uint8Array): void {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += CONTENT_MAX) parts.push(this.#sealed(APPLICATION_DATA, bytes.subarray(at, at + CONTENT_MAX)));
    if (parts.length > 0) this.#hooks.transmit(concatBytes(parts));
  }

  /** Tells the other side that nothing more follows, once. */
  closeNotify(): void {
    if (this.#hasSentClose || !this.#isEstablished) return;
    this.#hasSentClose = true;
    this.#hooks.transmit(this.#sealed(ALERT, Uint8Array.of(ALERT_WARNING, CLOSE_NOTIFY)));
  }

  receive(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#pending = this.#pending.length === 0 ? bytes : concatBytes([this.#pending, bytes]);
    while (!this.#isOver && this.#pending.length >= HEADER_BYTES) {
      const [type, major] = this.#pending as unknown as readonly [number, number];
      const length = ((this.#pending[3] as number) << 8) | (this.#pending[4] as number);
      if (type < CHANGE_CIPHER_SPEC || type > APPLICATION_DATA || major !== 3 || length > RECORD_MAX) {
        this.#fail({ kind: "not-tls" });
        return;
      }
      if (this.#pending.length < HEADER_BYTES + length) return;
      const content = this.#pending.slice(HEADER_BYTES, HEADER_BYTES + length);
      this.#pending = this.#pending.subarray(HEADER_BYTES + length);
      if (type === APPLICATION_DATA) {
        const end = content.length - TAG_BYTES - 1;
        if (end < 0) this.#fail({ kind: "not-tls" });
        else this.#content(content[end] as number, content.subarray(0, end));
      } else this.#content(type, content);
    }
  }

  #fail(failure: TlsFailure): void {
    this.#isOver = true;
    this.#hooks.failed(failure);
  }

  #content(type: number, content: Uint8Array): void {
    if (type === APPLICATION_DATA) this.#hooks.data(content);
    else if (type === ALERT) this.#alert(content[1] ?? 0);
    else if (type === HANDSHAKE) this.#handshake(content);
  }

  #alert(description: number): void {
    this.#isOver = true;
    if (description === CLOSE_NOTIFY) this.#hooks.closed();
    else this.#hooks.failed({ kind: "alert", description });
  }

  #handshake(content: Uint8Array): void {
    const type = content[0] as number;
    if (this.#role.kind === "server") {
      if (this.#isEstablished) return;
      if (type === FINISHED) this.#clientFinished(this.#role.options);
      else this.#greeted(this.#role.options, content);
      return;
    }
    if (type === CERTIFICATE && !this.#role.options.accepts(content.slice(11, content.length - 2))) {
      this.#hooks.transmit(record(ALERT, Uint8Array.of(ALERT_FATAL, TLS_ALERTS.unknownCa)));
      this.#fail({ kind: "certificate" });
    } else if (type === ENCRYPTED_EXTENSIONS) this.protocol = chosenProtocol(content);
    else if (type === FINISHED) {
      this.#isEstablished = true;
      this.#hooks.transmit(concatBytes([record(CHANGE_CIPHER_SPEC, Uint8Array.of(1)), this.#sealed(HANDSHAKE, message(FINISHED, this.#randomBytes(MAC_BYTES)))]));
      this.#hooks.established();
    }
  }

  /** The server's answer to a greeting: all of its messages in one flight. */
  #greeted(options: TlsServerOptions, content: Uint8Array): void {
    const hello = readClientHello(content);
    if (hello === undefined) {
      this.#hooks.transmit(record(ALERT, Uint8Array.of(ALERT_FATAL, TLS_ALERTS.unexpectedMessage)));
      this.#fail({ kind: "not-tls" });
      return;
    }
    const { certificate } = options;
    this.protocol = options.protocols.find((one) => hello.protocols.includes(one));
    const keyShare = [0, 51, ...u16(36), ...u16(0x001d), ...u16(32), ...this.#randomBytes(32)];
    const extensions = [0, 43, 0, 2, 3, 4, ...keyShare];
    const serverHello = [3, 3, ...this.#randomBytes(32), hello.sessionId.length, ...hello.sessionId, ...u16(0x1302), 0, ...u16(extensions.length), ...extensions];
    const hasName = hello.serverName !== undefined && options.knowsName(hello.serverName);
    const alpn = this.protocol === undefined ? [] : [0, 16, ...u16(this.protocol.length + 3), ...u16(this.protocol.length + 1), this.protocol.length, ...latin(this.protocol)];
    const encrypted = [...(hasName ? [0, 0, 0, 0] : []), ...alpn];
    const entry = [...u24(certificate.der.length), ...certificate.der, 0, 0];
    const signature = this.#randomBytes(certificate.signatureBytes(options.random));
    const scheme = certificate.isRsa ? RSA_PSS_SHA256 : ECDSA_SHA256;
    this.#hooks.transmit(
      concatBytes([
        record(HANDSHAKE, message(SERVER_HELLO, serverHello)),
        record(CHANGE_CIPHER_SPEC, Uint8Array.of(1)),
        this.#sealed(HANDSHAKE, message(ENCRYPTED_EXTENSIONS, [...u16(encrypted.length), ...encrypted])),
        this.#sealed(HANDSHAKE, message(CERTIFICATE, [0, ...u24(entry.length), ...entry])),
        this.#sealed(HANDSHAKE, message(CERTIFICATE_VERIFY, [...u16(scheme), ...u16(signature.length), ...signature])),
        this.#sealed(HANDSHAKE, message(FINISHED, this.#randomBytes(MAC_BYTES))),
      ]),
    );
  }

  #clientFinished(options: TlsServerOptions): void {
    this.#isEstablished = true;
    for (let i = 0; i < TICKETS; i++) {
      const body = [0, 0, 28, 32, ...this.#randomBytes(4), 8, 0, 0, 0, 0, 0, 0, 0, i, ...u16(options.ticketBytes), ...this.#randomBytes(options.ticketBytes), 0, 0];
      this.#hooks.transmit(this.#sealed(HANDSHAKE, message(NEW_SESSION_TICKET, body)));
    }
    this.#hooks.established();
  }

  #sealed(type: number, content: Uint8Array): Uint8Array {
    return record(APPLICATION_DATA, concatBytes([content, Uint8Array.of(type), this.#randomBytes(TAG_BYTES)]));
  }

  #randomBytes(count: number): Uint8Array {
    const { random } = this.#role.options;
    return Uint8Array.from({ length: count }, () => random.below(256));
  }
}

function latin(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0) & 255);
}

/** ALPN in the server's encrypted extensions. */
function chosenProtocol(content: Uint8Array): string | undefined {
  for (let at = 6; at + 4 <= content.length; ) {
    const type = ((content[at] as number) << 8) | (content[at + 1] as number);
    const length = ((content[at + 2] as number) << 8) | (content[at + 3] as number);
    if (type === 16) return String.fromCharCode(...content.subarray(at + 7, at + 4 + length));
    at += 4 + length;
  }
  return undefined;
}
