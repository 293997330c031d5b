/**
 * `openssl s_server`: a server with TLS, one connection after the other: files (-WWW, -HTTP), a page about itself (-www), or what it hears on its output.
 *
 * OpenSSL 3.0 apps/s_server.c (do_server, www_body, sv_body).
 */

import { utf8Bytes, utf8Text } from "../../../base/bytes.ts";
import { NS_PER_MS } from "../../../base/time.ts";
import type { TcpEvents, TcpSocket } from "../../../host/host.ts";
import { Timer } from "../../../kernel/timer.ts";
import type { CommandContext, Running, Wait } from "../../command.ts";
import { type Certificate, loadCertificate } from "../../tls/certificate.ts";
import { TlsTransport } from "../../tls/tls-transport.ts";
import { type Options, parseOptions } from "./options.ts";

const DEFAULT_PORT = 4433;
const DEFAULT_CERTIFICATE = "server.pem";
/** listen(2) in apps/s_socket.c. */
const BACKLOG = 128;
const TICKET_BYTES = 208;
/** What the client still has to say is waited for so long. */
const LINGER_NS = 500 * NS_PER_MS;
const FLAGS = ["WWW", "HTTP", "www", "quiet", "tls1_3", "no_ssl3", "debug", "state"];

type Mode = "WWW" | "HTTP" | "www" | "print";

class Server {
  readonly #context: CommandContext;
  readonly #mode: Mode;
  readonly #certificate: Certificate;
  #resume: (() => void) | undefined;
  /** Connections that were accepted and wait for their turn. */
  readonly #waiting: (() => void)[] = [];
  #isBusy = false;

  constructor(context: CommandContext, mode: Mode, certificate: Certificate) {
    this.#context = context;
    this.#mode = mode;
    this.#certificate = certificate;
  }

  accept(socket: TcpSocket): TcpEvents {
    const transport = this.#connection(socket);
    if (this.#isBusy) {
      // One process, one connection: the others stay unread.
      socket.pause();
      this.#waiting.push(() => socket.resume());
    } else this.#isBusy = true;
    return transport.tcpEvents;
  }

  #connection(socket: TcpSocket): TlsTransport {
    const { machine } = this.#context;
    let head = "";
    let isAnswered = false;
    let isDone = false;
    const done = (): void => {
      if (isDone) return;
      isDone = true;
      timer.disarm();
      transport.close();
      this.#next();
    };
    const timer = new Timer(machine.host.loop, { onEvent: done });
    const options = { random: machine.host.random("tls"), certificate: this.#certificate, ticketBytes: TICKET_BYTES, knowsName: () => false, protocols: [] };
    const transport: TlsTransport = new TlsTransport(socket, options, done);
    transport.setEvents({
      onData: (bytes) => {
        if (isAnswered) return done();
        if (this.#mode === "print") {
          this.#context.stdout.write(utf8Text(bytes));
          return;
        }
        head += utf8Text(bytes);
        const target = /^GET (\/\S*) /.exec(head)?.[1] ?? /^GET (\/\S*)\r?\n/.exec(head)?.[1];
        if (target === undefined || !head.includes("\n")) return;
        isAnswered = true;
        transport.send(utf8Bytes(this.#answer(target)));
        transport.closeNotify();
        timer.arm(LINGER_NS);
      },
      onEnd: done,
      onError: done,
    });
    return transport;
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#isBusy = false;
    else next();
  }

  #answer(target: string): string {
    if (this.#mode === "www") return aboutPage(this.#context.args);
    const path = target.slice(1);
    const { files } = this.#context.machine;
    const at = files.resolve(this.#context.cwd, path);
    const isPlain = (text: string): string => `HTTP/1.0 200 ok\r\nContent-type: text/plain\r\n\r\n${text}`;
    if (path.split("/").includes("..")) return isPlain(`'${path}' contains '..' or ':'\r\n`);
    const status = files.status(at);
    if (status === undefined) return isPlain(`Error opening '${path}'\r\n`);
    if (status.type === "directory") return isPlain(`'${path}' is a directory\r\n`);
    const text = files.read(at);
    if (this.#mode === "HTTP") return text;
    return `HTTP/1.0 200 ok\r\nContent-type: text/${/\.(html|php|htm)$/.test(path) ? "html" : "plain"}\r\n\r\n${text}`;
  }

  *run(): Running<number> {
    const wait: Wait = {
      begin: (resume) => {
        this.#resume = resume;
        return () => {
          this.#resume = undefined;
        };
      },
    };
    for (;;) {
      yield wait;
      if (this.#resume === undefined) return 0;
    }
  }
}

/** The beginning and the end of the page; the list of ciphers and the session's parameters between them are left out. */
function aboutPage(args: readonly string[]): string {
  return (
    `HTTP/1.0 200 ok\r\nContent-type: text/html\r\n\r\n<HTML><BODY BGCOLOR="#ffffff">\n<pre>\n\n${args.join(" ")} \n` +
    "This TLS version forbids renegotiation.\nCiphers supported in s_server binary\n---\nCiphers common between both SSL end points:\nTLS_AES_256_GCM_SHA384\n" +
    "---\nNew, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\nno client certificate available\n</pre></BODY></HTML>\r\n\r\n"
  );
}

function modeOf(options: Options): Mode {
  if (options.flags.has("WWW")) return "WWW";
  if (options.flags.has("HTTP")) return "HTTP";
  return options.flags.has("www") ? "www" : "print";
}

export function runServer(context: CommandContext): number | Running<number> {
  const options = parseOptions(context, context.args, { flags: FLAGS, values: ["accept", "port", "cert", "key"] });
  if (options === undefined) return 1;
  const accept = options.values.get("accept") ?? options.values.get("port") ?? String(DEFAULT_PORT);
  const port = Number(/(?:^|:)(\d+)$/.exec(accept)?.[1] ?? Number.NaN);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    context.stderr.write(`s_server: -accept argument or port number is not valid: ${accept}\n`);
    return 1;
  }
  const { files, host } = context.machine;
  const path = options.values.get("cert") ?? DEFAULT_CERTIFICATE;
  const resolved = (name: string): string => files.resolve(context.cwd, name);
  const key = options.values.get("key");
  const certificate = loadCertificate(files, resolved(path), key === undefined ? undefined : resolved(key));
  if (certificate === undefined) {
    const missing = key !== undefined && !files.exists(resolved(key)) ? key : path;
    context.stderr.write(`Could not open file or uri for loading server certificate${missing === key ? " private key" : ""} from ${missing}\n`);
    return 1;
  }
  const server = new Server(context, modeOf(options), certificate);
  const listener = host.tcp.listen({ address: 0, port, backlog: BACKLOG, owner: context.process.socketOwner() }, (socket) => server.accept(socket));
  if (typeof listener === "string") {
    context.stderr.write("Can't bind socket: Address already in use\n");
    return 1;
  }
  context.onExit(() => listener.close());
  if (!options.flags.has("quiet")) context.stdout.write("Using default temp DH parameters\nACCEPT\n");
  return server.run();
}
