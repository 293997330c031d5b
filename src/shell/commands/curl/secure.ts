/**
 * TLS in curl: the handshake after the connection, what is said about certificates, the goodbye.
 *
 * curl 7.88.1 lib/vtls/openssl.c. Of trust there is none here: no certificate is known, so that only -k goes on.
 */

import { parseIpv4Address } from "../../../base/ipv4-address.ts";
import { NS_PER_US } from "../../../base/time.ts";
import type { CommandContext, Running } from "../../command.ts";
import type { TcpStream } from "../../tcp-stream.ts";
import { commonName } from "../../tls/certificate.ts";
import { type TlsFailure, TlsSession } from "../../tls/tls-session.ts";
import type { CurlOptions } from "./options.ts";
import type { CurlUrl } from "./urls.ts";

/** After an alert, or close_notify, until the socket is closed. */
const CLOSE_NS = 1500 * NS_PER_US;
const VERIFY_ERROR = `SSL certificate problem: self-signed certificate
More details here: https://curl.se/docs/sslcerts.html

curl failed to verify the legitimacy of the server and therefore could not
establish a secure connection to it. To learn more about this situation and
how to fix it, please visit the web page mentioned above.`;

export interface SecureFailure {
  readonly exit: number;
  readonly error: string;
}

export class CurlTls {
  readonly #context: CommandContext;
  readonly #stream: TcpStream;
  readonly #session: TlsSession;
  readonly #log: (text: string) => void;
  #failure: TlsFailure | undefined;
  #certificate: Uint8Array | undefined;

  constructor(context: CommandContext, stream: TcpStream, url: CurlUrl, options: CurlOptions, log: (text: string) => void) {
    this.#context = context;
    this.#stream = stream;
    this.#log = log;
    this.#session = TlsSession.client(
      {
        random: context.machine.host.random("tls"),
        serverName: parseIpv4Address(url.host) === undefined ? url.host : undefined,
        protocols: ["h2", "http/1.1"],
        isPadded: true,
        offersOldVersions: false,
        accepts: (certificate) => {
          this.#certificate = certificate;
          return options.isInsecure;
        },
      },
      {
        transmit: (bytes) => void stream.transmit(bytes),
        established: () => {},
        data: (bytes) => stream.deliver(bytes),
        closed: () => stream.deliverEnd(),
        failed: (failure) => {
          this.#failure = failure;
        },
      },
    );
    stream.layer(this.#session);
  }

  /** Undefined when the connection can be used. */
  *handshake(host: string, deadlineNs: number): Running<SecureFailure | "timeout" | undefined> {
    this.#log("* ALPN: offers h2,http/1.1\n} [5 bytes data]\n* TLSv1.3 (OUT), TLS handshake, Client hello (1):\n");
    this.#session.start();
    const { stream } = { stream: this.#stream };
    while (!this.#session.isEstablished && this.#failure === undefined && stream.errno === undefined && !stream.isEnded) {
      if (!(yield* stream.changed(deadlineNs))) return "timeout";
    }
    if (this.#session.isEstablished) {
      this.#logCertificate();
      return undefined;
    }
    return yield* this.#fail(host);
  }

  *#fail(host: string): Running<SecureFailure> {
    const failure = this.#failure;
    if (failure?.kind === "certificate") {
      this.#log("* TLSv1.3 (OUT), TLS alert, unknown CA (560):\n* SSL certificate problem: self-signed certificate\n");
      yield* this.#context.sleep(CLOSE_NS);
      // What follows the certificate was not read.
      this.#stream.abort();
      return { exit: 60, error: VERIFY_ERROR };
    }
    if (failure?.kind === "not-tls") {
      yield* this.#context.sleep(CLOSE_NS);
      this.#stream.abort();
      return { exit: 35, error: "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number" };
    }
    const isReset = this.#stream.errno !== undefined;
    this.#stream.close();
    return { exit: 35, error: `OpenSSL SSL_connect: ${isReset ? "Connection reset by peer" : "SSL_ERROR_SYSCALL"} in connection to ${host}:443 ` };
  }

  #logCertificate(): void {
    const chosen = this.#session.protocol;
    const messages = [
      ["IN", "Server hello", 2],
      ["IN", "Encrypted Extensions", 8],
      ["IN", "Certificate", 11],
      ["IN", "CERT verify", 15],
      ["IN", "Finished", 20],
    ] as const;
    for (const [way, name, type] of messages) this.#log(`* TLSv1.3 (${way}), TLS handshake, ${name} (${type}):\n`);
    this.#log("* TLSv1.3 (OUT), TLS change cipher, Change cipher spec (1):\n* TLSv1.3 (OUT), TLS handshake, Finished (20):\n");
    this.#log("* SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384\n");
    this.#log(chosen === undefined ? "* ALPN: server did not agree on a protocol. Uses default.\n" : `* ALPN: server accepted ${chosen}\n`);
    const name = this.#certificate === undefined ? undefined : commonName(this.#certificate);
    this.#log(`* Server certificate:\n*  subject: CN=${name ?? ""}\n*  SSL certificate verify result: self-signed certificate (18), continuing anyway.\n* using HTTP/1.x\n`);
  }

  /** close_notify, and a moment later the end of the connection: what the server says to it comes too late. */
  *close(): Running<void> {
    const { socket } = this.#stream;
    if (this.#stream.errno !== undefined || socket === undefined) return;
    socket.pause();
    this.#session.closeNotify();
    yield* this.#context.sleep(CLOSE_NS);
    this.#stream.close();
  }
}
