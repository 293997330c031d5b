#!/usr/bin/env node
/**
 * The `lvsim` command. Each subcommand's code is loaded when it is used, so that `--help` and small files answer at once.
 *
 * Exit status: 0 success, 1 an `expect` failed or a limit was reached, 2 bad input or usage.
 */

import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "../base/time.ts";
import { EXIT_BAD_INPUT, report } from "./failure.ts";

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
    "\nExamples:\n  lvsim run dr.yaml\n  lvsim run dr.yaml --no-ladder --until 3s\n  lvsim run dr.yaml --quiet --pcap captures && tshark -r captures/client.eth0.pcap",
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
  .command("shell")
  .description("type commands on the hosts of a scenario yourself")
  .argument("<file>", "scenario file (YAML)")
  .option("--host <name>", "start on this host instead of the first")
  .option("--seed <seed>", "use another seed than the file's")
  .option("--scheduler <file.js>", "make the schedulers of this module known to `ipvsadm -s` on every host; can be repeated", collect)
  .option("--fast", "let simulated time run as fast as it can, not at the clock's pace")
  .addHelpText("after", "\nExamples:\n  lvsim shell dr.yaml\n  echo 'ip neigh' | lvsim shell dr.yaml --host client\n\nType .help there for its own commands.")
  .action(async (file: string, options) => (await import("./shell-command.ts")).shellCommand(file, options));

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
