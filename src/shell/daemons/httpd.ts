/**
 * The web server: `httpd`, `apache2` and `nginx` are all Apache with one static site on port 80 or on those in HTTPD_PORTS.
 *
 * It listens as Apache does, with a backlog of 511 and TCP_DEFER_ACCEPT: a connection without a request stays in SYN_RECV.
 */

import type { TcpListener } from "../../host/host.ts";
import type { EventTarget } from "../../kernel/event-loop.ts";
import type { Command, CommandContext, Running, Wait } from "../command.ts";
import type { Machine } from "../machine.ts";
import type { Process } from "../process.ts";
import { HttpConnection, type WorkerPool } from "./http-connection.ts";
import { DOCUMENT_ROOT } from "./http-response.ts";

const PID_FILE = "/run/httpd.pid";
const BACKLOG = 511;
const DEFER_ACCEPT_SECONDS = 30;
const WORKERS_MAX = 32;
const CONNECTIONS_MAX = 4096;
const VERSION = "Server version: Apache/2.4.71 (Debian)\nServer built:   2026-11-05T12:00:00\n";

export interface HttpdResult {
  readonly exit: number;
  readonly stderr: string;
}

/** Starts the server unless it runs. `ports`: what HTTPD_PORTS holds, empty for port 80. */
export function startHttpd(machine: Machine, ports: string): HttpdResult {
  writeDefaultPage(machine);
  if (runningHttpd(machine) !== undefined) return { exit: 0, stderr: "" };
  const list = ports.split(/\s+/).filter((port) => port !== "");
  const wanted = list.length === 0 ? ["80"] : list;
  for (const port of wanted) {
    if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65535)
      return { exit: 1, stderr: `AH00526: Syntax error on line ${wanted.indexOf(port) + 1} of /run/httpd.conf:\nInvalid address or port\n` };
  }
  const server = new HttpServer(machine);
  let failedPort: string | undefined;
  machine.processes.start({ name: "apache2", args: ["/usr/sbin/apache2", "-k", "start"], parent: undefined }, (process) => {
    // Apache opens its last Listen line first.
    for (const port of [...wanted].reverse()) {
      if (!server.listen(Number(port), process)) {
        failedPort = port;
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

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  listen(port: number, process: Process): boolean {
    const listener = this.#machine.host.tcp.listen(
      { address: 0, port, backlog: BACKLOG, owner: process.socketOwner(), deferAcceptSeconds: DEFER_ACCEPT_SECONDS },
      (socket) => {
        const connection = new HttpConnection(this.#machine, socket, this, (closed) => {
          this.#connections.delete(closed);
          this.#mayAccept();
        });
        this.#connections.add(connection);
        this.#mayAccept();
        return connection.events();
      },
    );
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

function httpd(context: CommandContext): number {
  const result = startHttpd(context.machine, context.env.get("HTTPD_PORTS") ?? "");
  if (result.stderr !== "") context.stderr.write(result.stderr);
  return result.exit;
}

/** apache2 itself, as far as people call it by hand: `-k start`, `-k stop`, `-v`, `-t`. */
function apache2(context: CommandContext): number {
  const { args } = context;
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
      return httpd(context);
    }
    case "restart":
    case "graceful":
      return runningHttpd(context.machine) === undefined ? httpd(context) : 0;
    case "stop":
    case "graceful-stop":
      if (!stopHttpd(context.machine)) context.stdout.write("httpd (no pid file) not running\n");
      return 0;
    default:
      context.stderr.write(
        `${context.name}: '${args.join(" ")}' is not supported by the simulated web server (known: -k start|stop|restart|graceful, -t, -v)\n`,
      );
      return 1;
  }
}

export const httpdCommands: readonly Command[] = [
  { path: "/usr/sbin/httpd", run: (context) => (context.args.length === 0 ? httpd(context) : apache2(context)) },
  { path: "/usr/sbin/apache2", run: apache2 },
  { path: "/usr/sbin/apachectl", run: apache2 },
  { path: "/usr/sbin/apache2ctl", run: apache2 },
];
