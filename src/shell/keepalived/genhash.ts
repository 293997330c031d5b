/**
 * `genhash`: fetches a page as HTTP_GET and SSL_GET do and prints the MD5 digest to put into a configuration.
 *
 * keepalived v2.2.7 core/main.c (parse_genhash_options), check/check_genhash.c, check/check_http.c.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../base/time.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { md5 } from "../commands/system/digests.ts";
import { latin1 } from "../../base/bytes.ts";
import { resolveHost } from "../names.ts";
import { TcpStream } from "../tcp-stream.ts";
import { TlsSession } from "../tls/tls-session.ts";

const USAGE = `Usage: genhash COMMAND [OPTIONS]
Commands:
   -s server-address -p port -u url
   -S -s server-address -p port -u url
   -h

Options:
Either long or short options are allowed.
   --use-ssl         -S       Use SSL connection to remote server.
   --use-sni         -I       Use SNI during SSL handshake (uses virtualhost setting; see -V).
   --server          -s       Use the specified remote server address.
   --port            -p       Use the specified remote server port.
   --url             -u       Use the specified remote server url.
   --use-virtualhost -V       Use the specified virtualhost in GET query.
   --verbose         -v       Use verbose mode output.
   --help            -h       Display this short inlined help screen.
   --fwmark          -m       Use the specified FW mark.
   --protocol        -P       Use the specified HTTP protocol - '1.0', 1.0c', '1.1'.
                                1.0c means 1.0 with 'Connection: close'
   --timeout         -t       Timeout in seconds
`;
const LONG: Readonly<Record<string, string>> = {
  "use-ssl": "S",
  "use-sni": "I",
  server: "s",
  port: "p",
  url: "u",
  "use-virtualhost": "V",
  help: "h",
  protocol: "P",
  timeout: "t",
};
const WITH_VALUE = "spuVPt";
const DEFAULT_TIMEOUT_SECONDS = 5;

function parse(words: readonly string[]): ReadonlyMap<string, string> | undefined {
  const found = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    const match = /^(?:--([a-z-]+)(?:=(.*))?|-([SIhspuVPt])(.*))$/.exec(words[i] as string);
    const letter = match?.[3] ?? LONG[match?.[1] ?? ""];
    if (match === null || letter === undefined) return undefined;
    const rest = match[2] ?? match[4] ?? "";
    const value = !WITH_VALUE.includes(letter) ? "" : rest !== "" ? rest : words[++i];
    if (value === undefined) return undefined;
    found.set(letter, value);
  }
  return found;
}

function* run(context: CommandContext): Running<number> {
  const options = parse(context.args);
  const address = options?.has("s") === true ? resolveHost(context.machine, options.get("s") as string) : undefined;
  const path = options?.get("u");
  if (options === undefined || options.has("h") || address === undefined || path === undefined) {
    context.stderr.write(USAGE);
    return options?.has("h") === true ? 0 : 1;
  }
  const isSsl = options.has("S");
  const port = Number(options.get("p") ?? (isSsl ? 443 : 80));
  const { loop } = context.machine.host;
  const deadlineNs = loop.nowNs + Number(options.get("t") ?? DEFAULT_TIMEOUT_SECONDS) * NS_PER_SECOND;
  const stream = new TcpStream(context);
  const failed = (text: string): number => {
    stream.close();
    context.stderr.write(`${text}\n`);
    return 1;
  };
  const errno = stream.start({ address, port }) ?? (yield* stream.connected(deadlineNs));
  if (errno !== undefined) return failed(errno === "timeout" ? "Timeout connecting" : "Connection failed");
  const host = options.get("V") ?? `${formatIpv4Address(address)}:${port}`;
  const protocol = options.get("P") ?? "1.0";
  const request = `GET ${path} HTTP/${protocol === "1.1" ? "1.1" : "1.0"}\r\nUser-Agent: KeepAliveClient\r\n${protocol === "1.0" ? "" : "Connection: close\r\n"}Host: ${host}\r\n\r\n`;
  if (isSsl && !(yield* secure(context, stream, options, deadlineNs))) return failed("SSL handshake/communication error connecting to");
  stream.write(request);
  let text = "";
  for (;;) {
    const read = yield* stream.read(deadlineNs);
    if (read.kind === "timeout") return failed("Timeout HTTP read");
    if (read.kind !== "data") break;
    text += latin1(read.bytes);
  }
  stream.close();
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) {
    context.stderr.write("no data received from remote webserver\n");
    return 0;
  }
  const length = Number(/Content-Length:\s*(\d+)/.exec(text)?.[1] ?? Number.NaN);
  const body = text.slice(head + 4, Number.isNaN(length) ? undefined : head + 4 + length);
  context.stdout.write(`${md5(Uint8Array.from(body, (character) => character.charCodeAt(0)))}\n`);
  return 0;
}

/** True when the handshake is done. */
function* secure(context: CommandContext, stream: TcpStream, options: ReadonlyMap<string, string>, deadlineNs: number): Running<boolean> {
  let hasFailed = false;
  const session = TlsSession.client(
    {
      random: context.machine.host.random("tls"),
      serverName: options.has("I") ? options.get("V") : undefined,
      protocols: [],
      isPadded: false,
      offersOldVersions: true,
      accepts: () => true,
    },
    {
      transmit: (bytes) => void stream.transmit(bytes),
      established: () => {},
      data: (bytes) => stream.deliver(bytes),
      closed: () => stream.deliverEnd(),
      failed: () => {
        hasFailed = true;
      },
    },
  );
  stream.layer(session);
  session.start();
  while (!session.isEstablished && !hasFailed && !stream.isEnded && stream.errno === undefined) if (!(yield* stream.changed(deadlineNs))) return false;
  return session.isEstablished;
}

export const genhashCommand: Command = { path: "/usr/bin/genhash", run };
