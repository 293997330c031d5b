/**
 * telnet HOST PORT with its input from a pipe: connects, copies, ends with the connection.
 *
 * Linux netkit telnet 0.17. Its interactive commands are not simulated.
 */

import { utf8Bytes, utf8Text } from "../../base/bytes.ts";
import { formatIpv4Address } from "../../base/ipv4-address.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { resolveHost } from "../names.ts";
import { servicePort } from "../../wire/service-names.ts";
import { NEVER_NS, TcpStream } from "../tcp-stream.ts";

function* run(context: CommandContext): Running<number> {
  const words = context.args.filter((argument) => argument !== "-4");
  const [host, portText] = words;
  if (host === undefined || host.startsWith("-") || words.length > 2) {
    context.stderr.write(`telnet: the simulated telnet takes HOST [PORT]\n`);
    return 1;
  }
  const port = portText === undefined ? 23 : /^\d+$/.test(portText) ? Number(portText) : servicePort(portText, "tcp");
  if (port === undefined) {
    context.stderr.write(`telnet: could not resolve ${host}/${portText}: Servname not supported for ai_socktype\n`);
    return 1;
  }
  const address = resolveHost(context.machine, host);
  if (address === undefined) {
    context.stderr.write(`telnet: could not resolve ${host}/${portText ?? "telnet"}: Temporary failure in name resolution\n`);
    return 1;
  }
  context.stdout.write(`Trying ${formatIpv4Address(address)}...\n`);
  const stream = new TcpStream(context);
  context.onExit(() => stream.close());
  const failed = stream.start({ address, port }) ?? (yield* stream.connected(NEVER_NS));
  if (failed !== undefined) {
    context.stderr.write(`telnet: Unable to connect to remote host: ${errorText(failed === "timeout" ? "ETIMEDOUT" : failed)}\n`);
    return 1;
  }
  context.stdout.write(`Connected to ${host}.\nEscape character is '^]'.\n`);
  const input = yield* context.stdin.readAll();
  if (input === "") {
    // Its input has ended: telnet leaves at once, whatever the other side may say.
    stream.close();
    context.stdout.write("Connection closed by foreign host.\n");
    return 1;
  }
  stream.write(utf8Bytes(input.replace(/\r?\n/g, "\r\n")));
  for (;;) {
    const read = yield* stream.read(NEVER_NS);
    if (read.kind !== "data") break;
    context.stdout.write(utf8Text(read.bytes));
  }
  stream.close();
  context.stdout.write("Connection closed by foreign host.\n");
  return 1;
}

export const telnetCommand: Command = { path: "/usr/bin/telnet", run };
