/**
 * `lvsim view`: the page on a file of this computer.
 *
 * The server listens on 127.0.0.1 only and answers nobody who calls it by another name (a page elsewhere whose name was made to point here).
 * It gives the built page and the one file, nothing else, and only to read.
 */

import { spawn } from "node:child_process";
import { createReadStream, type Dirent, readdirSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, extname, join, relative } from "node:path";
import { fileErrorText, UsageError } from "./failure.ts";

export interface ViewCommandOptions {
  /** 0: whichever is free. */
  readonly port: number;
  /** False: the address is printed, no browser is started. */
  readonly open: boolean;
}

const PAGE = join(import.meta.dirname, "../../viz/dist");
const HOST = "127.0.0.1";
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

/** Serves until it is interrupted. */
export async function viewCommand(file: string, { port, open }: ViewCommandOptions): Promise<void> {
  const server = await serveView(file, port);
  const url = addressOf(server, file);
  process.stdout.write(`${url}\nCtrl-C ends it.\n`);
  if (open) startBrowser(url);
  await new Promise<void>((resolve) => {
    server.once("close", resolve);
    process.once("SIGINT", () => {
      server.close();
      server.closeAllConnections();
    });
  });
}

/** The server, listening. Throws a UsageError for a file that cannot be read, a page that is not built, a port that is taken. */
export async function serveView(file: string, port: number): Promise<Server> {
  let isFile: boolean;
  try {
    isFile = statSync(file).isFile();
  } catch (error) {
    throw new UsageError(fileErrorText(error, file));
  }
  if (!isFile) throw new UsageError(`${file}: not a file; name a scenario (.yaml) or a trace (.jsonl)`);
  const known = new Map<string, string>([...pageFiles(), [servedPath(file), file]]);
  const server = createServer((request, response) => answer(request, response, known));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(new UsageError(`port ${port}: ${error.code === "EADDRINUSE" ? "something else listens there; choose another with --port" : error.message}`)));
    server.listen(port, HOST, resolve);
  });
  return server;
}

export function addressOf(server: Server, file: string): string {
  return `http://${HOST}:${(server.address() as AddressInfo).port}/#file=${encodeURIComponent(basename(file))}`;
}

function servedPath(file: string): string {
  return `/opened/${encodeURIComponent(basename(file))}`;
}

/** Every file of the built page by its path; no other path is ever looked up on disk. */
function pageFiles(): [string, string][] {
  let entries: Dirent[];
  try {
    entries = readdirSync(PAGE, { recursive: true, withFileTypes: true });
  } catch {
    throw new UsageError("the page is not built; run `npm run viz:build` in the source tree");
  }
  const files = entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  return files.map((path): [string, string] => {
    const name = `/${relative(PAGE, path).replaceAll("\\", "/")}`;
    return [name === "/index.html" ? "/" : name, path];
  });
}

function answer(request: IncomingMessage, response: ServerResponse, known: ReadonlyMap<string, string>): void {
  const own = `${HOST}:${request.socket.localPort}`;
  const path = (request.url ?? "/").replace(/\?.*$/s, "");
  const file = known.get(path);
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("cache-control", "no-store");
  response.setHeader("cross-origin-resource-policy", "same-origin");
  if (request.headers.host !== own) response.writeHead(403).end();
  else if (request.method !== "GET" && request.method !== "HEAD") response.writeHead(405).end();
  else if (file === undefined) response.writeHead(404).end();
  else {
    const isOpened = path.startsWith("/opened/");
    response.setHeader("content-type", isOpened ? "application/octet-stream" : (TYPES[extname(file)] ?? "application/octet-stream"));
    if (request.method === "HEAD") response.end();
    else
      createReadStream(file)
        .on("error", () => response.writeHead(404).end())
        .pipe(response);
  }
}

/** The address is made of digits and percent signs: nothing in it can be taken for an option or a command. */
function startBrowser(url: string): void {
  const [command, ...args] = process.platform === "darwin" ? ["open", url] : process.platform === "win32" ? ["rundll32", "url.dll,FileProtocolHandler", url] : ["xdg-open", url];
  const child = spawn(command as string, args, { stdio: "ignore", detached: true });
  // Without a browser the printed address is enough.
  child.on("error", () => undefined);
  child.unref();
}
