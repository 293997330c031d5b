#!/usr/bin/env node
/**
 * The `lvsim` command. Each subcommand's code is loaded when it is used, so that `--help` and small files answer at once.
 *
 * Exit status: 0 success, 1 an `expect` failed or a limit was reached, 2 bad input or usage.
 */

import { readFileSync } from "node:fs";
import * as nodeModule from "node:module";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "../base/time.ts";
import { EXIT_BAD_INPUT, report } from "./failure.ts";

// From Node 22.8 on compiled code is kept between runs (in the system's temporary folder; NODE_DISABLE_COMPILE_CACHE=1 turns it off).
(nodeModule as { readonly enableCompileCache?: () => unknown }).enableCompileCache?.();

const program = new Command("lvsim");

program
  .description("Linux Virtual Server (IPVS) in a box: replays what people type on real machines, frame by frame.")
  .version(version(), "-V, --version", "print the version")
  .helpOption("-h, --help", "print help")
  .helpCommand("help [command]", "print help for a command")
  .showSuggestionAfterError()
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "lvsim: ")) })
  .addHelpText(
    "after",
    "\nExamples:\n  lvsim run scenarios/documents/dr.yaml\n  lvsim run dr.yaml --pcap out --json out/result.json\n  lvsim check *.yaml\n  lvsim shell dr.yaml",
  );

program
  .command("run")
  .description("run a scenario: print what each command said and a ladder of the packets")
  .argument("<file>", "scenario file (YAML)")
  .option("--pcap <dir>", "write a capture of every interface to DIR/HOST.INTERFACE.pcap")
  .option("--trace <file>", "write every record of the run as JSON Lines (docs/TRACE.md)")
  .addOption(new Option("--trace-level <level>", "what to record: frames; packets: all but tables; full (default; also: everything)").argParser(traceLevel))
  .option("--pcapng <file>", "write one capture of all interfaces, with the reasons of drops and rewrites as comments")
  .option("--csv <dir>", "write connections.csv, scheduler.csv, drops.csv and interfaces.csv")
  .option("--json <file>", "write exit statuses and outputs as JSON; - is standard output")
  .option("--seed <seed>", "use another seed than the file's")
  .option("--scheduler <file.js>", "make the schedulers of this module known to `ipvsadm -s` on every host; can be repeated", collect)
  .addOption(new Option("--until <time>", "stop at this time of the timeline (5s, 200ms, ...)").argParser(duration))
  .addOption(new Option("--max-events <n>", "stop with an error after so many events").argParser(count))
  .option("--no-ladder", "leave out the ladder of packets")
  .option("-q, --quiet", "print only what failed")
  .option("--ascii", "draw the ladder with ASCII characters")
  .addOption(new Option("--color <when>", "colours").choices(["auto", "always", "never"]).default("auto"))
  .addHelpText(
    "after",
    "\nExamples:\n  lvsim run dr.yaml\n  lvsim run dr.yaml --no-ladder --until 3s\n  lvsim run dr.yaml --quiet --pcap captures && tshark -r captures/client.eth0.pcap\n  lvsim run dr.yaml --quiet --trace dr.jsonl --pcapng dr.pcapng --csv tables",
  )
  .action(async (file: string, options) => (await import("./run-command.ts")).runCommand(file, options));

program
  .command("check")
  .description("read scenario files and report every mistake, without running them")
  .argument("<file...>", "scenario files (YAML)")
  .addHelpText("after", "\nExample:\n  lvsim check scenarios/*.yaml")
  .action(async (files: string[]) => (await import("./check-command.ts")).checkCommand(files));

const sched = program
  .command("sched")
  .description("run a scheduler script: print the real server that each connection gets")
  .argument("<file>", "scheduler script")
  .option("--scheduler <name|file.js>", "give every service this scheduler, whatever the script names: one of the kernel's, or a module of your own")
  .addHelpText(
    "after",
    "\nExamples:\n  lvsim sched test/sched/wrr-all.sched\n  lvsim sched test/sched/wrr-all.sched --scheduler mine.js\n\nA script:\n  service tcp 10.9.0.1:80 wrr\n  add 10.2.0.1:80 weight 3\n  open c1 from 10.1.0.1:4001\n  close c1\n\nTo write a scheduler: docs/SCHEDULERS.md",
  )
  .action(async (file: string, options) => (await import("./sched-command.ts")).schedCommand(file, options));

sched
  .command("compare")
  .description("run a workload with several schedulers and compare what comes of it")
  .argument("<schedulers>", "names and modules, separated by commas; flags behind +: wrr,mh+mh-port,mine.js")
  .requiredOption("--workload <file>", "workload file (YAML)")
  .option("--csv <file>", "write every figure as CSV, one a row; - is standard output")
  .option("--json <file>", "write every figure as JSON; - is standard output")
  .option("--seed <seed>", "use another seed than the file's")
  .option("--cost", "measure the time of a choice, in files too (which then differ from run to run)")
  .option("--no-cost", "do not measure it")
  .addHelpText("after", "\nExamples:\n  lvsim sched compare wrr,wlc,mine.js --workload workloads/web.yaml\n  lvsim sched compare sh,mh,mh+mh-port --workload workloads/web.yaml --csv out.csv --json out.json")
  .action(async (list: string, options) => (await import("./compare-command.ts")).compareCommand(list, options));

sched
  .command("check")
  .description("put a scheduler through the conformance suite")
  .argument("<scheduler>", "module of your own, or one of the kernel's schedulers")
  .option("--flags <flags>", "the service has these flags (ipvsadm -b), separated by commas")
  .option("--allow <exceptions>", "what the scheduler may do: refuse, overloaded, deleted, separated by commas")
  .option("--json", "print the result as JSON")
  .addHelpText("after", "\nExamples:\n  lvsim sched check mine.js\n  lvsim sched check mine.js --allow refuse\n  lvsim sched check wlc")
  .action(async (scheduler: string, options) => (await import("./conformance-command.ts")).conformanceCommand(scheduler, options));

program
  .command("view")
  .description("open a scenario or trace in the page: watch, step, rewind, type, compare")
  .argument("<file>", "scenario (YAML) or trace (JSON Lines)")
  .addOption(new Option("--port <port>", "listen there instead of on any free port").argParser(port).default(0, "any"))
  .option("--no-open", "print the address, start no browser")
  .addHelpText("after", "\nExamples:\n  lvsim view dr.yaml\n  lvsim view dr.jsonl --no-open --port 8080\n\nOnly this computer can reach it (127.0.0.1).")
  .action(async (file: string, options) => (await import("./view-command.ts")).viewCommand(file, options));

program
  .command("report")
  .description("write one HTML file about a run: pictures, outputs, drops with their reasons, load, tables of every host")
  .argument("<file>", "scenario (YAML) or trace (JSON Lines, also .gz)")
  .requiredOption("-o, --output <file>", "where to write it; - is standard output")
  .option("--seed <seed>", "use another seed than the scenario's")
  .option("--scheduler <file.js>", "make the schedulers of this module known to `ipvsadm -s` on every host; can be repeated", collect)
  .addOption(new Option("--language <language>", "of the report").choices(["en", "zh"]).default("en"))
  .addHelpText("after", "\nExamples:\n  lvsim report dr.yaml -o dr.html\n  lvsim report dr.jsonl -o dr.html --language zh\n\nThe file needs no scripts and fetches nothing.")
  .action(async (file: string, options) => (await import("./report-command.ts")).reportCommand(file, options));

program
  .command("shell")
  .description("type commands on the hosts of a scenario yourself")
  .argument("<file>", "scenario file (YAML)")
  .option("--host <name>", "start on this host instead of the first")
  .option("--seed <seed>", "use another seed than the file's")
  .option("--scheduler <file.js>", "make the schedulers of this module known to `ipvsadm -s` on every host; can be repeated", collect)
  .option("--fast", "let simulated time run as fast as it can, not at the clock's pace")
  .addHelpText("after", "\nExamples:\n  lvsim shell dr.yaml\n  echo 'ip neigh' | lvsim shell dr.yaml --host client\n\nType .help there for its own commands.")
  .action(async (file: string, options) => (await import("./shell-command.ts")).shellCommand(file, options));

addWhyCommands(program);
addTraceCommands(program);

/** Commands that ask why a run went as it did. */
function addWhyCommands(parent: Command): void {
  const file = "scenario (YAML), or a trace that `run --trace` has written";
  parent
    .command("doctor")
    .description("run a scenario and name what is wrong and the cure; exit status 1 when something is")
    .argument("<file>", file)
    .option("--json", 'print {"findings":[{"id","host","title","why","fix","events"}]}')
    .option("--seed <seed>", "use another seed than the file's")
    .addHelpText("after", "\nExamples:\n  lvsim doctor dr.yaml\n  lvsim doctor dr.yaml --json | jq -r '.findings[].title'")
    .action(async (path: string, options) => (await import("./doctor-command.ts")).doctorCommand(path, options));
  parent
    .command("explain")
    .description("say why: who answered ARP, which route, which server, what was dropped, where the answer went")
    .argument("<file>", file)
    .addOption(new Option("--frame <id>", "the life of the packet of record ID (#ID of `trace cat`)").argParser(count))
    .addOption(new Option("--at <time>", "what was typed and decided at this time of the timeline").argParser(duration))
    .option("--json", "print JSON")
    .option("--seed <seed>", "use another seed than the file's")
    .addHelpText("after", "\nExamples:\n  lvsim explain dr.yaml\n  lvsim explain dr.yaml --at 1.03s\n  lvsim explain dr.jsonl --frame 68")
    .action(async (path: string, options) => (await import("./explain-command.ts")).explainCommand(path, options));
  parent
    .command("whatif")
    .description("leave out one line of the set-up at a time: which of them carry weight, what breaks without each")
    .argument("<file>", "scenario file (YAML)")
    .option("--json", "print JSON")
    .option("--seed <seed>", "use another seed than the file's")
    .addHelpText("after", "\nExample:\n  lvsim whatif dr.yaml")
    .action(async (path: string, options) => (await import("./whatif-command.ts")).whatifCommand(path, options));
  parent
    .command("diff")
    .description("where two runs part: the first packet that differs, decisions, tables, outputs; exit status 1 when they differ")
    .argument("<a>", file)
    .argument("<b>", file)
    .option("--json", "print JSON")
    .option("--seed <seed>", "use another seed than the files'")
    .addHelpText("after", "\nExample:\n  lvsim diff good.yaml bad.yaml")
    .action(async (a: string, b: string, options) => (await import("./diff-command.ts")).diffCommand(a, b, options));
}

function addTraceCommands(parent: Command): void {
  const trace = parent
    .command("trace")
    .description("read what `run --trace` has written: lines, searches, counts, tables, other formats")
    .addHelpText(
      "after",
      "\nExamples:\n  lvsim trace grep dr.jsonl --reason IP_RPFILTER\n  lvsim trace grep dr.jsonl --life 62\n  lvsim trace tables dr.jsonl --at 1.5s --host director\n  lvsim trace export dr.jsonl --pcapng dr.pcapng",
    );
  const file = "trace (JSON Lines, also .gz); - is standard input";
  addWalks(addFilters(trace.command("cat").description("print records as lines, all or those that pass a filter").argument("<file>", file)))
    .addHelpText("after", "\nExamples:\n  lvsim trace cat dr.jsonl --from 1s --to 1.1s\n  lvsim trace cat dr.jsonl --kind scheduled,ipvs-connection")
    .action(async (path: string, options) => (await import("./trace-command.ts")).listCommand(path, options, false));
  addWalks(addFilters(trace.command("grep").description("find records; exit status 1 when there are none").argument("<file>", file)))
    .addHelpText(
      "after",
      "\nExamples:\n  lvsim trace grep dr.jsonl --connection 10.0.0.9:4001\n  lvsim trace grep dr.jsonl --protocol arp --host director\n  lvsim trace grep dr.jsonl --cause 92\n  lvsim trace grep dr.jsonl --kind packet-dropped --json | jq .detail",
    )
    .action(async (path: string, options) => (await import("./trace-command.ts")).listCommand(path, options, true));
  trace
    .command("stat")
    .description("count records by kind and host, drops by reason, bytes by link, connections by server")
    .argument("<file>", file)
    .addHelpText("after", "\nExample:\n  lvsim trace stat dr.jsonl")
    .action(async (path: string) => (await import("./trace-command.ts")).statCommand(path));
  addFilters(trace.command("export").description("write a trace, or what passes a filter, in other formats").argument("<file>", file))
    .option("--pcap <dir>", "a capture of every interface: DIR/HOST.INTERFACE.pcap")
    .option("--pcapng <file>", "one capture of all interfaces, with the reasons of drops and rewrites as comments")
    .option("--csv <dir>", "connections.csv, scheduler.csv, drops.csv and interfaces.csv")
    .option("--text <file>", "lines like those of tcpdump -e -n")
    .option("--jsonl <file>", "JSON Lines again")
    .addHelpText("after", "\nExamples:\n  lvsim trace export dr.jsonl --pcapng dr.pcapng --csv tables\n  lvsim trace export dr.jsonl --host director --text director.txt")
    .action(async (path: string, options) => (await import("./trace-command.ts")).exportCommand(path, options));
  trace
    .command("tables")
    .description("print the tables of hosts and links as they were at a time")
    .argument("<file>", file)
    .addOption(new Option("--at <time>", "time of the timeline (1.5s, 200ms, ...); the end without it").argParser(duration))
    .option("--host <name>", "only of this host or link")
    .option("--table <names>", "only these, with commas between: links, addresses, routes, neighbours, sysctls, ipvsConnections, ...")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExamples:\n  lvsim trace tables dr.jsonl --at 1.5s --host director --table ipvsConnections\n  lvsim trace tables dr.jsonl --table neighbours")
    .action(async (path: string, options) => (await import("./tables-command.ts")).tablesCommand(path, options));
}

function addFilters(command: Command): Command {
  return command
    .option("--host <names>", "of these hosts, links or HOST.INTERFACE (lists have commas between)")
    .option("--kind <kinds>", "of these kinds: frame-sent, packet-dropped, scheduled, ...")
    .option("--address <addresses>", "with one of these addresses or prefixes anywhere in the record")
    .option("--port <ports>", "with one of these ports")
    .option("--protocol <names>", "arp, tcp, udp, icmp, ipip, gre, gue, vrrp")
    .option("--connection <end>", "with this end, ADDRESS:PORT, or both ends: A:P-B:P")
    .option("--reason <reasons>", "drops for one of these reasons")
    .option("--match <text>", "with this text in its line")
    .addOption(new Option("--from <time>", "not before this time of the timeline").argParser(duration))
    .addOption(new Option("--to <time>", "not after this time of the timeline").argParser(duration));
}

function addWalks(command: Command): Command {
  return command
    .addOption(new Option("--cause <id>", "what led to record ID, back to where it began").argParser(count))
    .addOption(new Option("--life <id>", "the life of the packet of record ID: from what made it to where it ended").argParser(count))
    .addOption(new Option("--effects <id>", "everything that followed from record ID").argParser(count))
    .option("--json", "print the records as a trace")
    .option("--whole", "with --json: write every frame and packet whole, for programs that look at one line at a time");
}

/** The level is called by what it holds, too. */
function traceLevel(text: string): string {
  if (text === "everything") return "full";
  if (!["frames", "packets", "full"].includes(text)) throw new InvalidArgumentError("Allowed choices are frames, packets, full.");
  return text;
}

function duration(text: string): number {
  const ns = parseDuration(text);
  if (ns === undefined) throw new InvalidArgumentError("write 500us, 20ms, 1.5s or 2m.");
  return ns;
}

function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("write a positive whole number.");
  return value;
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0 || value > 65_535) throw new InvalidArgumentError("write a number from 0 to 65535.");
  return value;
}

function version(): string {
  const description = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { readonly version: string };
  return description.version;
}

/** A reader such as `head` that has seen enough is no error. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_BAD_INPUT;
  else process.exitCode = report(error);
}
