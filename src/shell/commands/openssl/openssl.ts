/**
 * `openssl`, as far as people need it to have a server with TLS: certificates as files, a server, a client.
 *
 * OpenSSL 3.0 apps/req.c, s_server.c, s_client.c, x509.c. Keys and certificates are bytes of the right length with the right names in them:
 * nothing here could be verified.
 */

import { utf8Bytes } from "../../../base/bytes.ts";
import type { Command, CommandContext, Running } from "../../command.ts";
import { base64Lines } from "../../tls/base64.ts";
import { commonName, pemBytes } from "../../tls/certificate.ts";
import { parseOptions } from "./options.ts";
import { runClient } from "./s-client.ts";
import { runServer } from "./s-server.ts";

const VERSION = "OpenSSL 3.0.19 27 Jan 2026 (Library: OpenSSL 3.0.19 27 Jan 2026)\n";
/** PKCS#8 files of RSA keys by their bits; 2048 unless told otherwise. */
const RSA_KEY_BYTES: Readonly<Record<string, number>> = { "1024": 635, "2048": 1218, "3072": 1794, "4096": 2375 };
const EC_KEY_BYTES = 138;
/** A self-signed certificate without its name, by the bits of the key. */
const RSA_CERTIFICATE_BYTES: Readonly<Record<string, number>> = { "1024": 509, "2048": 765, "3072": 1021, "4096": 1277 };
const EC_CERTIFICATE_BYTES = 371;

function randomBytes(context: CommandContext, count: number): Uint8Array {
  const random = context.machine.host.random("openssl");
  return Uint8Array.from({ length: count }, () => random.below(256));
}

function pem(label: string, bytes: Uint8Array): string {
  return `-----BEGIN ${label}-----\n${base64Lines(bytes)}-----END ${label}-----\n`;
}

/** RelativeDistinguishedName of a commonName: what `commonName` looks for. */
function nameBytes(name: string): number[] {
  const text = utf8Bytes(name);
  return [0x31, text.length + 11, 0x30, text.length + 9, 6, 3, 0x55, 4, 3, 12, text.length, ...text];
}

interface KeySize {
  readonly key: number;
  readonly certificate: number;
}

function keySize(newKey: string): KeySize | undefined {
  if (newKey === "ec") return { key: EC_KEY_BYTES, certificate: EC_CERTIFICATE_BYTES };
  const bits = /^rsa(?::(\d+))?$/.exec(newKey);
  const key = bits === null ? undefined : RSA_KEY_BYTES[bits[1] ?? "2048"];
  const certificate = bits === null ? undefined : RSA_CERTIFICATE_BYTES[bits[1] ?? "2048"];
  return key === undefined || certificate === undefined ? undefined : { key, certificate };
}

function writeFile(context: CommandContext, path: string | undefined, text: string): void {
  const { files } = context.machine;
  if (path === undefined) context.stdout.write(text);
  else files.write(files.resolve(context.cwd, path), text);
}

/** `openssl req -x509 -newkey rsa:2048 -nodes -keyout FILE -out FILE -subj /CN=NAME`. */
function request(context: CommandContext): number {
  const options = parseOptions(context, context.args, {
    flags: ["x509", "new", "nodes", "noenc", "batch", "sha256"],
    values: ["newkey", "keyout", "out", "subj", "days", "addext", "pkeyopt", "config", "set_serial", "key"],
  });
  if (options === undefined) return 1;
  if (!options.flags.has("x509")) {
    context.stderr.write("req: only -x509, a self-signed certificate, is simulated\n");
    return 1;
  }
  const size = keySize(options.values.get("newkey") ?? "rsa:2048");
  if (size === undefined) {
    context.stderr.write(`req: -newkey ${options.values.get("newkey")} is not simulated (known: rsa, rsa:1024, rsa:2048, rsa:3072, rsa:4096, ec)\n`);
    return 1;
  }
  const name = /CN ?= ?([^/,]+)/.exec(options.values.get("subj") ?? "")?.[1] ?? context.machine.hostname;
  if (!options.values.has("key")) {
    // The first bytes of a SEQUENCE, so that it looks like one.
    const key = Uint8Array.from([0x30, 0x82, (size.key - 4) >> 8, (size.key - 4) & 255, ...randomBytes(context, size.key - 4)]);
    writeFile(context, options.values.get("keyout"), pem("PRIVATE KEY", key));
  }
  const named = nameBytes(name);
  const length = size.certificate + 2 * named.length - 8;
  const der = Uint8Array.from([0x30, 0x82, length >> 8, length & 255, ...randomBytes(context, 46), ...named, ...named, ...randomBytes(context, length - 46 - 2 * named.length)]);
  writeFile(context, options.values.get("out"), pem("CERTIFICATE", der));
  return 0;
}

/** `openssl x509 -in FILE -noout -subject`. */
function x509(context: CommandContext): number {
  const options = parseOptions(context, context.args, { flags: ["noout", "subject", "issuer"], values: ["in", "inform"] });
  const path = options?.values.get("in");
  if (options === undefined || path === undefined) return 1;
  const { files } = context.machine;
  const at = files.resolve(context.cwd, path);
  const der = files.exists(at) ? pemBytes(files.read(at), "CERTIFICATE") : undefined;
  if (der === undefined) {
    context.stderr.write(`Could not read certificate from ${path}\n`);
    return 1;
  }
  const name = commonName(der) ?? "";
  if (options.flags.has("subject")) context.stdout.write(`subject=CN = ${name}\n`);
  if (options.flags.has("issuer")) context.stdout.write(`issuer=CN = ${name}\n`);
  if (!options.flags.has("noout")) context.stdout.write(files.read(at));
  return 0;
}

function run(context: CommandContext): number | Running<number> {
  switch (context.args[0]) {
    case "version":
      context.stdout.write(VERSION);
      return 0;
    case "req":
      return request(context);
    case "x509":
      return x509(context);
    case "s_server":
      return runServer(context);
    case "s_client":
      return runClient(context);
    default:
      context.stderr.write(`openssl: '${context.args[0] ?? ""}' is not simulated (known: req -x509, s_client, s_server, version, x509)\n`);
      return 1;
  }
}

export const opensslCommand: Command = { path: "/usr/bin/openssl", run };
