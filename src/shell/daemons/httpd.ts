/**
 * The web server: `httpd`, `apache2` and `nginx` are all Apache with one static site on port 80, on the ports in HTTPD_PORTS, or on those that
 * configuration files name, with TLS where they say so.
 *
 * It listens as Apache does, with a backlog of 511 and TCP_DEFER_ACCEPT: a connection without a request stays in SYN_RECV.
 */

import type { TcpListener } from "../../host/host.ts";
import type { EventTarget } from "../../kernel/event-loop.ts";
import type { Command, CommandContext, Running, Wait } from "../command.ts";
import type { Machine } from "../machine.ts";
import type { Process } from "../process.ts";
import { HttpConnection, type WorkerPool } from "./http-connection.ts";
import { loadCertificate } from "../tls/certificate.ts";
import { type Transport, TlsTransport } from "../tls/tls-transport.ts";
import { APACHE, APACHE_WITH_TLS, DOCUMENT_ROOT } from "./http-response.ts";
import { apacheFile, installedWebConfig, type WebPort } from "./web-config.ts";

const PID_FILE = "/run/httpd.pid";
const BACKLOG = 511;
const DEFER_ACCEPT_SECONDS = 30;
const WORKERS_MAX = 32;
const CONNECTIONS_MAX = 4096;
/** What mod_ssl puts into a session ticket. */
const TICKET_BYTES = 240;
const VERSION = "Server version: Apache/2.4.71 (Debian)\nServer built:   2026-11-05T12:00:00\n";

export interface HttpdResult {
  readonly exit: number;
  readonly stderr: string;
}

/** Where a server's ports come from: HTTPD_PORTS, a file that was named, or what is installed for a server. */
export interface HttpdSource {
  /** What HTTPD_PORTS holds. */
  readonly ports: string;
  readonly file?: string;
  readonly server?: "httpd" | "nginx";
}

function wantedPorts(machine: Machine, source: HttpdSource): readonly WebPort[] | string {
  const list = source.ports.split(/\s+/).filter((port) => port !== "");
  for (const port of list) {
    if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65535)
      return `AH00526: Syntax error on line ${list.indexOf(port) + 1} of /run/httpd.conf:\nInvalid address or port\n`;
  }
  if (list.length > 0) return list.map((port) => ({ port: Number(port), tls: undefined }));
  const config = source.file === undefined ? installedWebConfig(machine.files, source.server ?? "httpd") : apacheFile(machine.files, source.file);
  return "error" in config ? config.error : config.ports;
}

/** Starts the server unless it runs. */
export function startHttpd(machine: Machine, source: HttpdSource): HttpdResult {
  writeDefaultPage(machine);
  if (runningHttpd(machine) !== undefined) return { exit: 0, stderr: "" };
  const wanted = wantedPorts(machine, source);
  if (typeof wanted === "string") return { exit: 1, stderr: wanted };
  const server = new HttpServer(machine, wanted.some((one) => one.tls !== undefined));
  let failedPort: number | undefined;
  machine.processes.start({ name: "apache2", args: ["/usr/sbin/apache2", "-k", "start"], parent: undefined }, (process) => {
    // Apache opens its last Listen line first.
    for (const one of [...wanted].reverse()) {
      if (!server.listen(one, process)) {
        failedPort = one.port;
        server.stop();
        return 1;
      }
    }
    machine.files.write(PID_FILE, `${process.pid}\n`);
    machine.processes.onExit(process, () => server.stop());
    machine.processes.onSignal(process, "TERM", () => {
      if (machine.files.exists(PID_FILE)) machine.files.remove(PID_FILE);
      server.stop();
      server.end();
    });
    machine.processes.onStopped(process, (isStopped) => server.setStopped(isStopped));
    machine.processes.onSignal(process, "HUP", () => undefined);
    machine.processes.onSignal(process, "USR1", () => undefined);
    return server.run();
  });
  if (failedPort === undefined) return { exit: 0, stderr: "" };
  return {
    exit: 1,
    stderr: `(98)Address already in use: AH00072: make_sock: could not bind to address 0.0.0.0:${failedPort}\nno listening sockets available, shutting down\nAH00015: Unable to open logs\n`,
  };
}

/** Ends the server as `kill $(cat /run/httpd.pid)` does; false when none runs. */
export function stopHttpd(machine: Machine): boolean {
  const process = runningHttpd(machine);
  if (process === undefined) return false;
  machine.processes.kill(process.pid, "TERM");
  return true;
}

export function runningHttpd(machine: Machine): Process | undefined {
  if (!machine.files.exists(PID_FILE)) return undefined;
  const pid = Number.parseInt(machine.files.read(PID_FILE), 10);
  const process = Number.isInteger(pid) ? machine.processes.byPid(pid) : undefined;
  return process?.name === "apache2" && process.isAlive ? process : undefined;
}

function writeDefaultPage(machine: Machine): void {
  const page = `${DOCUMENT_ROOT}/index.html`;
  if (machine.files.exists(page)) return;
  if (!machine.files.exists(DOCUMENT_ROOT)) machine.files.makeDirectory(DOCUMENT_ROOT, { parents: true });
  machine.files.write(page, `from ${machine.hostname}\n`);
}

class HttpServer implements WorkerPool {
  readonly #machine: Machine;
  readonly #listeners: TcpListener[] = [];
  readonly #connections = new Set<HttpConnection>();
  readonly #waiting: EventTarget[] = [];
  #busy = 0;
  #resume: (() => void) | undefined;
  #isEnded = false;
  #isStopped = false;

  readonly server: string;

  constructor(machine: Machine, hasTls: boolean) {
    this.#machine = machine;
    this.server = hasTls ? APACHE_WITH_TLS : APACHE;
  }

  listen({ port, tls }: WebPort, process: Process): boolean {
    const { host, files } = this.#machine;
    const certificate = tls === undefined ? undefined : loadCertificate(files, tls.certificatePath, tls.keyPath);
    const serve = (transport: Transport): HttpConnection => {
      const connection = new HttpConnection(this.#machine, transport, this, (closed) => {
        this.#connections.delete(closed);
        this.#mayAccept();
      });
      this.#connections.add(connection);
      this.#mayAccept();
      return connection;
    };
    const listener = host.tcp.listen({ address: 0, port, backlog: BACKLOG, owner: process.socketOwner(), deferAcceptSeconds: DEFER_ACCEPT_SECONDS }, (socket) => {
      if (certificate === undefined) return serve(socket).events();
      const options = { random: host.random("tls"), certificate, ticketBytes: TICKET_BYTES, knowsName: (name: string) => name === tls?.name, protocols: ["http/1.1"] };
      const transport: TlsTransport = new TlsTransport(socket, options, (failure, first) => {
        // mod_ssl knows a request in clear by its first letters.
        if (failure.kind === "not-tls" && /^[A-Z]+ /.test(String.fromCharCode(...first.subarray(0, 16)))) connection.refusePlain(socket);
        else transport.close();
      });
      const connection = serve(transport);
      transport.setEvents(connection.events());
      return transport.tcpEvents;
    });
    if (typeof listener === "string") return false;
    this.#listeners.push(listener);
    return true;
  }

  /** Waits until the process is told to end. */
  *run(): Running<number> {
    const wait: Wait = {
      begin: (resume) => {
        this.#resume = resume;
        return () => {
          this.#resume = undefined;
        };
      },
    };
    while (!this.#isEnded) yield wait;
    return 0;
  }

  end(): void {
    this.#isEnded = true;
    this.#resume?.();
  }

  stop(): void {
    for (const listener of this.#listeners) listener.close();
    this.#listeners.length = 0;
    for (const connection of this.#connections) connection.drop();
    this.#connections.clear();
  }

  /** SIGSTOP: the kernel goes on taking connections until the backlog is full; nobody accepts, reads or answers. */
  setStopped(isStopped: boolean): void {
    this.#isStopped = isStopped;
    for (const connection of [...this.#connections]) connection.setStopped(isStopped);
    this.#mayAccept();
  }

  acquire(job: EventTarget): boolean {
    if (this.#busy < WORKERS_MAX) {
      this.#busy++;
      return true;
    }
    this.#waiting.push(job);
    return false;
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#busy--;
    else next.onEvent("worker");
  }

  #mayAccept(): void {
    const isAccepting = !this.#isStopped && this.#connections.size < CONNECTIONS_MAX;
    for (const listener of this.#listeners) if (listener.isAccepting !== isAccepting) listener.isAccepting = isAccepting;
  }
}

function httpd(context: CommandContext, source: Omit<HttpdSource, "ports"> = {}): number {
  const result = startHttpd(context.machine, { ports: context.env.get("HTTPD_PORTS") ?? "", ...source });
  if (result.stderr !== "") context.stderr.write(result.stderr);
  return result.exit;
}

/** apache2 itself, as far as people call it by hand: `-f FILE`, `-k start`, `-k stop`, `-v`, `-t`. */
function apache2(context: CommandContext): number {
  const args = [...context.args];
  const place = args.indexOf("-f");
  const file = args[place + 1];
  const source = place < 0 || file === undefined ? {} : { file };
  if (place >= 0) args.splice(place, 2);
  if (args[0] === "-v") {
    context.stdout.write(VERSION);
    return 0;
  }
  if (args.includes("-t") || args[0] === "configtest") {
    context.stderr.write("Syntax OK\n");
    return 0;
  }
  const verb = args[0] === "-k" ? args[1] : args[0];
  switch (verb) {
    case undefined:
    case "start": {
      const running = runningHttpd(context.machine);
      if (running !== undefined) {
        context.stdout.write(`httpd (pid ${running.pid}) already running\n`);
        return 0;
      }
      return httpd(context, source);
    }
    case "restart":
    case "graceful":
      return runningHttpd(context.machine) === undefined ? httpd(context, source) : 0;
    case "stop":
    case "graceful-stop":
      if (!stopHttpd(context.machine)) context.stdout.write("httpd (no pid file) not running\n");
      return 0;
    default:
      context.stderr.write(
        `${context.name}: '${args.join(" ")}' is not supported by the simulated web server (known: -f FILE, -k start|stop|restart|graceful, -t, -v)\n`,
      );
      return 1;
  }
}

/** nginx by hand: `nginx`, `nginx -t`, `nginx -s stop|quit|reload`. */
function nginx(context: CommandContext): number {
  const [option, signal] = context.args;
  if (option === undefined) return httpd(context, { server: "nginx" });
  if (option === "-t") {
    const config = installedWebConfig(context.machine.files, "nginx");
    const path = "/etc/nginx/nginx.conf";
    if ("error" in config) context.stderr.write(`${config.error}nginx: configuration file ${path} test failed\n`);
    else context.stderr.write(`nginx: the configuration file ${path} syntax is ok\nnginx: configuration file ${path} test is successful\n`);
    return "error" in config ? 1 : 0;
  }
  if (option === "-s" && (signal === "stop" || signal === "quit" || signal === "reload")) {
    if (signal === "reload" || stopHttpd(context.machine)) return 0;
    context.stderr.write('nginx: [error] open() "/run/nginx.pid" failed (2: No such file or directory)\n');
    return 1;
  }
  context.stderr.write(`nginx: '${context.args.join(" ")}' is not supported by the simulated web server (known: -t, -s stop|quit|reload)\n`);
  return 1;
}

export const httpdCommands: readonly Command[] = [
  { path: "/usr/sbin/httpd", run: (context) => (context.args.length === 0 ? httpd(context) : apache2(context)) },
  { path: "/usr/sbin/apache2", run: apache2 },
  { path: "/usr/sbin/nginx", run: nginx },
  { path: "/usr/sbin/apachectl", run: apache2 },
  { path: "/usr/sbin/apache2ctl", run: apache2 },
];
