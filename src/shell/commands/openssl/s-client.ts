/**
 * `openssl s_client -connect HOST:PORT`: a handshake, what it found, then input to the server and the server to output.
 *
 * OpenSSL 3.0 apps/s_client.c; of its report, the lines that say with whom and how one is connected.
 */

import { utf8Bytes, utf8Text } from "../../../base/bytes.ts";
import type { CommandContext, Running } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import { resolveHost } from "../../names.ts";
import { NEVER_NS, TcpStream } from "../../tcp-stream.ts";
import { commonName } from "../../tls/certificate.ts";
import { type TlsFailure, TlsSession } from "../../tls/tls-session.ts";
import { parseOptions } from "./options.ts";

const DEFAULT_TARGET = "localhost:4433";

function failText(failure: TlsFailure | undefined): string {
  if (failure?.kind === "not-tls") return "error:0A00010B:SSL routines:ssl3_get_record:wrong version number";
  return failure?.kind === "alert" ? `error:SSL alert number ${failure.description}` : "unexpected eof while reading";
}

export function* runClient(context: CommandContext): Running<number> {
  const options = parseOptions(context, context.args, {
    flags: ["quiet", "ign_eof", "tls1_3", "showcerts", "brief", "noservername"],
    values: ["connect", "servername", "CAfile"],
  });
  if (options === undefined) return 1;
  const [host = "", port = ""] = (options.values.get("connect") ?? options.rest[0] ?? DEFAULT_TARGET).split(":");
  const address = resolveHost(context.machine, host);
  if (address === undefined || !/^\d+$/.test(port)) {
    context.stderr.write(address === undefined ? `BIO_lookup_ex:system lib:Name or service not known\nconnect:errno=11\n` : "s_client: -connect argument or port is not valid\n");
    return 1;
  }
  const stream = new TcpStream(context);
  const errno = stream.start({ address, port: Number(port) }) ?? (yield* stream.connected(NEVER_NS));
  if (errno !== undefined) {
    context.stderr.write(`connect:errno=${errno === "ECONNREFUSED" ? 111 : errno === "timeout" ? 110 : 113}\n${errno === "timeout" ? "" : `${errorText(errno)}\n`}`);
    return 1;
  }
  const isQuiet = options.flags.has("quiet") || options.flags.has("brief");
  if (!isQuiet) context.stdout.write(`CONNECTED(00000003)\n`);
  let certificate: Uint8Array | undefined;
  let failure: TlsFailure | undefined;
  const session = TlsSession.client(
    {
      random: context.machine.host.random("tls"),
      serverName: options.values.get("servername") ?? (/[a-z]/i.test(host) && !options.flags.has("noservername") ? host : undefined),
      protocols: [],
      isPadded: false,
      offersOldVersions: false,
      accepts: (der) => {
        certificate = der;
        return true;
      },
    },
    {
      transmit: (bytes) => void stream.transmit(bytes),
      established: () => {},
      data: (bytes) => stream.deliver(bytes),
      closed: () => stream.deliverEnd(),
      failed: (why) => {
        failure = why;
      },
    },
  );
  stream.layer(session);
  session.start();
  while (!session.isEstablished && failure === undefined && !stream.isEnded && stream.errno === undefined) yield* stream.changed(NEVER_NS);
  if (!session.isEstablished) {
    context.stderr.write(`40:${failText(failure)}\n`);
    stream.close();
    return 1;
  }
  if (!isQuiet) context.stdout.write(report(certificate));
  yield* converse(context, stream, options.flags.has("ign_eof") || options.flags.has("quiet"));
  session.closeNotify();
  stream.close();
  return 0;
}

function report(certificate: Uint8Array | undefined): string {
  const name = certificate === undefined ? "" : (commonName(certificate) ?? "");
  return (
    `---\nCertificate chain\n 0 s:CN = ${name}\n   i:CN = ${name}\n---\nServer certificate\nsubject=CN = ${name}\nissuer=CN = ${name}\n---\n` +
    "No client certificate CA names sent\nPeer signing digest: SHA256\nPeer signature type: RSA-PSS\nServer Temp Key: X25519, 253 bits\n---\n" +
    "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\nVerify return code: 18 (self-signed certificate)\n---\n"
  );
}

/** Input to the server until it ends, then, if that is wanted, what the server still says. */
function* converse(context: CommandContext, stream: TcpStream, waits: boolean): Running<void> {
  for (;;) {
    const some = yield* context.stdin.readSome();
    if (some === undefined || stream.isEnded || stream.errno !== undefined) break;
    stream.write(utf8Bytes(some));
  }
  if (!waits) return;
  for (;;) {
    const read = yield* stream.read(NEVER_NS);
    if (read.kind !== "data") return;
    context.stdout.write(utf8Text(read.bytes));
  }
}
