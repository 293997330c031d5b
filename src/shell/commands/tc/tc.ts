/**
 * tc(8): queueing disciplines of devices. netem, which loses, delays, duplicates, damages and reorders; other disciplines are refused.
 *
 * iproute2 6.1 tc/tc.c, tc/tc_qdisc.c (tc_qdisc_modify, print_qdisc); kernel v6.1 net/sched/sch_api.c (tc_modify_qdisc, tc_get_qdisc).
 */

import type { NetDevice } from "../../../host/device.ts";
import type { Command, CommandContext } from "../../command.ts";
import { applyNetem, incomplete, type NetemRequest, netemText, parseNetem, TcExit } from "./netem-options.ts";

const USAGE = `Usage:	tc [ OPTIONS ] OBJECT { COMMAND | help }
	tc [-force] -batch filename
where  OBJECT := { qdisc | class | filter | chain |
		    action | monitor | exec }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] | -r[aw] |
		    -o[neline] | -j[son] | -p[retty] | -c[olor]
		    -b[atch] [filename] | -n[etns] name | -N[umeric] |
		     -nm | -nam[es] | { -cf | -conf } path
		     -br[ief] }
`;

const QDISC_USAGE = `Usage: tc qdisc [ add | del | replace | change | show ] dev STRING
       [ handle QHANDLE ] [ root | ingress | clsact | parent CLASSID ]
       [ estimator INTERVAL TIME_CONSTANT ]
       [ stab [ help | STAB_OPTIONS] ]
       [ ingress_block BLOCK_INDEX ] [ egress_block BLOCK_INDEX ]
       [ [ QDISC_KIND ] [ help | OPTIONS ] ]

       tc qdisc { show | list } [ dev STRING ] [ QDISC_ID ] [ invisible ]
Where:
QDISC_KIND := { [p|b]fifo | tbf | prio | cbq | red | etc. }
OPTIONS := ... try tc qdisc add <desired QDISC_KIND> help
STAB_OPTIONS := ... try tc qdisc add stab help
QDISC_ID := { root | ingress | handle QHANDLE | parent CLASSID }
`;

/** Disciplines that Linux has and this simulator has not. */
const OTHER_KINDS = new Set(
  "pfifo bfifo pfifo_fast pfifo_head_drop tbf prio htb hfsc cbq red sfq fq fq_codel codel fq_pie pie cake drr qfq mqprio multiq noqueue ingress clsact etf taprio choke gred dsmark atm plug teql sfb skbprio cbs ets blackhole".split(" "),
);

type Verb = "add" | "change" | "replace" | "del";

interface Request {
  readonly verb: Verb;
  readonly device: string | undefined;
  readonly isRoot: boolean;
  readonly parent: string | undefined;
  /** Major number; 0: none given. */
  readonly handle: number;
  readonly kind: string | undefined;
  readonly rest: readonly string[];
}

const fail = (exit: number, text: string): never => {
  throw new TcExit(exit, text);
};
const unsupported = (what: string): never => fail(1, `tc: ${what} is not supported by this simulator\n`);
const kernelError = (text: string): never => fail(2, `Error: ${text}.\n`);

/** A word may be cut short: the first of the list that begins with it (lib/utils.c:matches). */
const isCutOf = (word: string, whole: string): boolean => word !== "" && whole.startsWith(word);

function handleOf(text: string): number {
  const match = /^([0-9a-f]{1,4}):?0?$/i.exec(text);
  return match === null ? fail(1, `invalid qdisc ID: ${text}\n`) : Number.parseInt(match[1] as string, 16);
}

function parseModify(verb: Verb, words: readonly string[]): Request {
  let device: string | undefined;
  let parent: string | undefined;
  let isRoot = false;
  let handle = 0;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const value = (): string => words[++at] ?? incomplete();
    if (word === "dev") device = value();
    else if (word === "handle") handle = handleOf(value());
    else if (word === "root") isRoot = true;
    else if (word === "parent") parent = value();
    else if (word === "estimator" || word === "stab" || word === "ingress_block" || word === "egress_block") unsupported(`qdisc option ${word}`);
    else if (isCutOf(word, "help")) fail(0, QDISC_USAGE);
    else if (word === "netem" || OTHER_KINDS.has(word)) return { verb, device, isRoot, parent, handle, kind: word, rest: words.slice(at + 1) };
    else if (at + 1 < words.length) fail(1, `Unknown qdisc "${word}", hence option "${words[at + 1]}" is unparsable\n`);
    else return { verb, device, isRoot, parent, handle, kind: word, rest: [] };
  }
  return { verb, device, isRoot, parent, handle, kind: undefined, rest: [] };
}

function deviceNamed(context: CommandContext, name: string): NetDevice {
  return context.machine.host.devices.byName(name) ?? fail(1, `Cannot find device "${name}"\n`);
}

function modify(context: CommandContext, request: Request): void {
  const { verb, kind, handle } = request;
  const netem = kind === "netem" ? parseNetem(request.rest) : undefined;
  if (kind !== undefined && netem === undefined && OTHER_KINDS.has(kind)) unsupported(`qdisc ${kind}`);
  if (request.device === undefined) return fail(2, "RTNETLINK answers: No such device\n");
  const device = deviceNamed(context, request.device);
  if (verb === "del") return remove(context, device, request);
  if (request.parent !== undefined) return device.qdisc === undefined ? kernelError("Failed to find specified qdisc") : unsupported("a qdisc inside netem");
  if (!request.isRoot) return kernelError("Handle cannot be zero");
  const current = device.qdisc;
  const isOther = current !== undefined && handle !== 0 && handle !== current.handle;
  if (current !== undefined && verb === "add") return kernelError(isOther ? "NLM_F_REPLACE needed to override" : "Exclusivity flag on, cannot modify");
  if (isOther && verb === "change") return kernelError("NLM_F_REPLACE needed to override");
  if (current === undefined && verb === "change") return kernelError("Qdisc not found. To create specify NLM_F_CREATE flag");
  if (netem === undefined) return kernelError("Specified qdisc kind is unknown");
  if (current !== undefined && !isOther) current.netem.change(applyNetem(netem, current.netem.options));
  else create(context, device, netem, handle);
}

function create(context: CommandContext, device: NetDevice, netem: NetemRequest, handle: number): void {
  if (context.machine.host.devices.setNetem(device, applyNetem(netem), handle) !== undefined) unsupported(`a qdisc on ${device.name}`);
}

/** tc_get_qdisc with RTM_DELQDISC. */
function remove(context: CommandContext, device: NetDevice, request: Request): void {
  const current = device.qdisc;
  if (!request.isRoot && request.handle === 0) return kernelError(request.parent === undefined ? "Failed to find qdisc with specified handle" : "Failed to find specified qdisc");
  if (current === undefined) return kernelError(request.handle === 0 ? "Cannot delete qdisc with handle of zero" : "Invalid handle");
  if (request.handle !== 0 && request.handle !== current.handle) return kernelError("Invalid handle");
  context.machine.host.devices.setNetem(device, undefined);
}

/** print_qdisc. */
function show(context: CommandContext, words: readonly string[], hasStatistics: boolean): void {
  const { devices } = context.machine.host;
  let only: NetDevice | undefined;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === "dev") only = deviceNamed(context, words[++at] ?? incomplete());
    else if (isCutOf(word, "help")) fail(0, QDISC_USAGE);
    else if (word === "invisible") continue;
    else if (word !== "root") unsupported(`qdisc show ${word}`);
  }
  // A device that was never up has noop, which tc does not show.
  const shown = only === undefined ? [...devices.list].filter((device) => device.hasBeenUp || device.qdisc !== undefined).sort((a, b) => a.index - b.index) : [only];
  for (const device of shown) {
    const { qdisc } = device;
    const where = only === undefined ? `dev ${device.name} ` : "";
    if (qdisc === undefined) context.stdout.write(`qdisc noqueue 0: ${where}root refcnt 2 \n`);
    else context.stdout.write(`qdisc netem ${qdisc.handle.toString(16)}: ${where}root refcnt 2 ${netemText(qdisc.netem.options)}\n`);
    if (!hasStatistics) continue;
    const counters = qdisc?.netem.counters;
    context.stdout.write(
      ` Sent ${counters?.sentBytes ?? 0} bytes ${counters?.sentPackets ?? 0} pkt (dropped ${counters?.dropped ?? 0}, overlimits ${counters?.overlimits ?? 0} requeues ${counters?.requeues ?? 0}) \n` +
        ` backlog ${qdisc?.netem.backlogBytes ?? 0}b ${qdisc?.netem.backlogPackets ?? 0}p requeues ${counters?.requeues ?? 0}\n`,
    );
  }
}

function qdisc(context: CommandContext, words: readonly string[], hasStatistics: boolean): void {
  const [verb = "show", ...rest] = words;
  if (verb === "add") modify(context, parseModify("add", rest));
  else if (verb === "change" || verb === "chg") modify(context, parseModify("change", rest));
  else if (verb === "replace") modify(context, parseModify("replace", rest));
  else if (isCutOf(verb, "delete")) modify(context, parseModify("del", rest));
  else if (verb === "link") unsupported("qdisc link");
  else if (isCutOf(verb, "list") || isCutOf(verb, "show") || isCutOf(verb, "lst")) show(context, rest, hasStatistics);
  else if (isCutOf(verb, "help")) fail(0, QDISC_USAGE);
  else fail(255, `Command "${verb}" is unknown, try "tc qdisc help".\n`);
}

function run(context: CommandContext): void {
  let at = 0;
  let hasStatistics = false;
  for (; at < context.args.length; at++) {
    const option = context.args[at] as string;
    if (!option.startsWith("-")) break;
    const word = option.replace(/^--/, "-");
    if (isCutOf(word, "-statistics") || isCutOf(word, "-stats")) hasStatistics = true;
    else if (isCutOf(word, "-Version")) fail(0, "tc utility, iproute2-6.1.0, libbpf 1.1.2\n");
    else if (isCutOf(word, "-details") || isCutOf(word, "-raw") || isCutOf(word, "-numeric") || isCutOf(word, "-pretty")) continue;
    else if (isCutOf(word, "-help")) fail(0, USAGE);
    else if (/^-(j|json|o|oneline|b|batch|n|netns|nm|names|cf|conf|iec|force|c|color|br|brief|t|ts|timestamp)$/.test(word)) unsupported(`option ${option}`);
    else fail(255, `Option "${option}" is unknown, try "tc -help".\n`);
  }
  const [object, ...words] = context.args.slice(at);
  if (object === undefined || isCutOf(object, "help")) return fail(0, USAGE);
  if (isCutOf(object, "qdisc")) return qdisc(context, words, hasStatistics);
  if (isCutOf(object, "class") || isCutOf(object, "filter")) {
    // There are none: netem has no classes that could be seen.
    const [verb = "show"] = words;
    return isCutOf(verb, "show") || isCutOf(verb, "list") ? undefined : unsupported(`${object} ${verb}`);
  }
  if (["chain", "actions", "action", "monitor", "exec"].some((known) => isCutOf(object, known))) return unsupported(object);
  return fail(255, `Object "${object}" is unknown, try "tc help".\n`);
}

export const tcCommand: Command = {
  path: "/usr/sbin/tc",
  run: (context) => {
    try {
      run(context);
      return 0;
    } catch (error) {
      if (!(error instanceof TcExit)) throw error;
      // Usage that was asked for goes to standard error, too, unless it is tc's own.
      const isOwnHelp = error.exit === 0 && (error.text.startsWith("tc utility") || error.text === USAGE);
      (isOwnHelp ? context.stdout : context.stderr).write(error.text);
      return error.exit;
    }
  },
};
