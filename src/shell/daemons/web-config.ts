/**
 * What the configuration files of web servers say about ports and TLS: `Listen 443 https`, `SSLEngine on` in a `<VirtualHost>`, nginx's
 * `listen 443 ssl`. The site is always the one below /var/www/html.
 *
 * Apache 2.4 server/listen.c, server/core.c (virtual hosts), modules/ssl/ssl_engine_config.c; nginx ngx_http_core_module, ngx_http_ssl_module.
 */

import type { FileSystem } from "../file-system.ts";

export interface TlsSite {
  readonly certificatePath: string;
  readonly keyPath: string | undefined;
  readonly name: string | undefined;
}

export interface WebPort {
  readonly port: number;
  readonly tls: TlsSite | undefined;
}

/** A configuration that was read; `error` is what the server says before it ends. */
export type WebConfig = { readonly ports: readonly WebPort[] } | { readonly error: string };

/** Files that `service NAME start` looks at, in this order. */
const APACHE_FOLDERS = ["/etc/httpd/conf.d", "/etc/apache2/sites-enabled", "/etc/apache2/conf-enabled"];
const NGINX_FOLDERS = ["/etc/nginx/conf.d", "/etc/nginx/sites-enabled"];
const MAIN_FILES = { httpd: ["/etc/httpd/conf/httpd.conf", "/etc/apache2/ports.conf"], nginx: ["/etc/nginx/nginx.conf"] } as const;
const PLAIN_PORT = 80;

interface Site {
  ports: number[];
  /** nginx says so for each port. */
  plainPorts: number[];
  isTls: boolean;
  certificatePath: string | undefined;
  keyPath: string | undefined;
  name: string | undefined;
}

const newSite = (): Site => ({ ports: [], plainPorts: [], isTls: false, certificatePath: undefined, keyPath: undefined, name: undefined });

/** The port at the end of `0.0.0.0:443`, `*:443` or `443`. */
function portOf(text: string): number | undefined {
  const match = /^(?:[^\s]*:)?(\d+)$/.exec(text);
  const port = Number(match?.[1] ?? 0);
  return port >= 1 && port <= 65535 ? port : undefined;
}

class ApacheReader {
  readonly listens: { readonly port: number; readonly protocol: string | undefined }[] = [];
  readonly sites: Site[] = [];
  readonly #main = newSite();
  #site: Site = this.#main;
  #skipped: string | undefined;

  read(text: string, path: string): string | undefined {
    for (const [i, raw] of text.split("\n").entries()) {
      const line = raw.trim();
      if (line === "" || line.startsWith("#")) continue;
      const words = (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, "$1"));
      const problem = this.#directive((words[0] as string).toLowerCase(), words.slice(1));
      if (problem !== undefined) return `AH00526: Syntax error on line ${i + 1} of ${path}:\n${problem}\n`;
    }
    if (this.#main.isTls) this.sites.push(this.#main);
    return undefined;
  }

  /** A complaint, or nothing. Directives that concern neither ports nor TLS are left alone. */
  #directive(name: string, words: readonly string[]): string | undefined {
    if (this.#skipped !== undefined) {
      if (name === `</${this.#skipped}>`) this.#skipped = undefined;
      return undefined;
    }
    const value = words[0] ?? "";
    switch (name) {
      case "<directory":
      case "<files":
      case "<location":
        this.#skipped = name.slice(1);
        return undefined;
      case "<virtualhost": {
        this.#site = newSite();
        this.sites.push(this.#site);
        const ports = words.map((word) => portOf(word.replace(/>$/, "")));
        for (const port of ports) if (port !== undefined) this.#site.ports.push(port);
        return undefined;
      }
      case "</virtualhost>":
        this.#site = this.#main;
        return undefined;
      case "listen": {
        const port = portOf(value);
        if (port === undefined) return "Invalid address or port";
        this.listens.push({ port, protocol: words[1] });
        return undefined;
      }
      case "sslengine":
        this.#site.isTls = value.toLowerCase() === "on";
        return undefined;
      case "sslcertificatefile":
        this.#site.certificatePath = value;
        return undefined;
      case "sslcertificatekeyfile":
        this.#site.keyPath = value;
        return undefined;
      case "servername":
        this.#site.name = value.replace(/:\d+$/, "");
        return undefined;
      default:
        return undefined;
    }
  }
}

function nginxSites(text: string): Site[] {
  const words = text.replace(/#[^\n]*/g, "").match(/[{};]|"[^"]*"|[^\s{};]+/g) ?? [];
  const sites: Site[] = [];
  let depth = 0;
  let serverDepth = -1;
  let statement: string[] = [];
  for (const word of words) {
    if (word === "{") {
      if (statement[0] === "server" && serverDepth < 0) {
        serverDepth = depth;
        sites.push(newSite());
      }
      depth++;
      statement = [];
    } else if (word === "}") {
      depth--;
      if (depth === serverDepth) serverDepth = -1;
      statement = [];
    } else if (word === ";") {
      const site = serverDepth < 0 ? undefined : sites.at(-1);
      if (site !== undefined) nginxStatement(site, statement);
      statement = [];
    } else statement.push(word.replace(/^"(.*)"$/, "$1"));
  }
  return sites;
}

function nginxStatement(site: Site, [name, value = "", ...rest]: readonly string[]): void {
  if (name === "listen") {
    const port = portOf(value);
    if (port !== undefined) site.ports.push(port);
    if (rest.includes("ssl")) site.isTls = true;
    else if (port !== undefined) site.plainPorts.push(port);
  } else if (name === "ssl" && value === "on") Object.assign(site, { isTls: true, plainPorts: [] });
  else if (name === "ssl_certificate") site.certificatePath = value;
  else if (name === "ssl_certificate_key") site.keyPath = value;
  else if (name === "server_name") site.name = value;
}

function missingFile(files: FileSystem, site: Site, server: "httpd" | "nginx"): string | undefined {
  for (const [directive, path] of [
    [server === "nginx" ? "ssl_certificate" : "SSLCertificateFile", site.certificatePath],
    [server === "nginx" ? "ssl_certificate_key" : "SSLCertificateKeyFile", site.keyPath],
  ] as const) {
    if (path === undefined && directive.toLowerCase().includes("key")) continue;
    if (path === undefined)
      return server === "nginx"
        ? `nginx: [emerg] no "ssl_certificate" is defined for the "listen ... ssl" directive\n`
        : "AH02572: Failed to configure at least one certificate and key\n";
    if (files.exists(path)) continue;
    return server === "nginx"
      ? `nginx: [emerg] cannot load certificate "${path}": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory)\n`
      : `AH00526: ${directive}: file '${path}' does not exist or is empty\n`;
  }
  return undefined;
}

function siteOf(sites: readonly Site[], port: number): TlsSite | undefined {
  const site = sites.find((one) => one.isTls && (one.ports.length === 0 || one.ports.includes(port)));
  if (site?.certificatePath === undefined) return undefined;
  return { certificatePath: site.certificatePath, keyPath: site.keyPath, name: site.name };
}

/** One file, as `apache2 -f FILE` reads it: without a Listen line there is nothing to do. */
export function apacheFile(files: FileSystem, path: string): WebConfig {
  if (!files.exists(path)) return { error: `apache2: Could not open configuration file ${path}: No such file or directory\n` };
  const reader = new ApacheReader();
  const problem = reader.read(files.read(path), path);
  return problem === undefined ? apachePorts(files, reader) : { error: problem };
}

function apachePorts(files: FileSystem, reader: ApacheReader): WebConfig {
  for (const site of reader.sites) {
    const missing = site.isTls ? missingFile(files, site, "httpd") : undefined;
    if (missing !== undefined) return { error: missing };
  }
  if (reader.listens.length === 0) return { error: "no listening sockets available, shutting down\nAH00015: Unable to open logs\n" };
  return { ports: reader.listens.map(({ port }) => ({ port, tls: siteOf(reader.sites, port) })) };
}

function confFiles(files: FileSystem, folders: readonly string[], mains: readonly string[]): string[] {
  const found = mains.filter((path) => files.exists(path));
  for (const folder of folders) {
    if (!files.exists(folder)) continue;
    for (const name of [...files.list(folder)].sort()) if (/\.conf$/.test(name) || folder.endsWith("sites-enabled")) found.push(`${folder}/${name}`);
  }
  return found;
}

/** What the usual places say; port 80 in the clear is served whether they say so or not, as installed files do. */
export function installedWebConfig(files: FileSystem, server: "httpd" | "nginx"): WebConfig {
  const plain: WebPort = { port: PLAIN_PORT, tls: undefined };
  if (server === "nginx") {
    const sites = confFiles(files, NGINX_FOLDERS, MAIN_FILES.nginx).flatMap((path) => nginxSites(files.read(path)));
    for (const site of sites) {
      const missing = site.isTls ? missingFile(files, site, "nginx") : undefined;
      if (missing !== undefined) return { error: missing };
    }
    const ports = sites.flatMap((site) => site.ports.map((port) => ({ port, tls: site.isTls && !site.plainPorts.includes(port) ? siteOf([site], port) : undefined })));
    return { ports: ports.length === 0 ? [plain] : uniquePorts(ports) };
  }
  const reader = new ApacheReader();
  for (const path of confFiles(files, APACHE_FOLDERS, MAIN_FILES.httpd)) {
    const problem = reader.read(files.read(path), path);
    if (problem !== undefined) return { error: problem };
  }
  if (reader.listens.length === 0) return { ports: [plain] };
  const config = apachePorts(files, reader);
  if ("error" in config) return config;
  const names80 = config.ports.some((one) => one.port === PLAIN_PORT);
  return { ports: uniquePorts(names80 ? config.ports : [plain, ...config.ports]) };
}

function uniquePorts(ports: readonly WebPort[]): WebPort[] {
  return ports.filter((one, i) => ports.findIndex((other) => other.port === one.port) === i);
}
