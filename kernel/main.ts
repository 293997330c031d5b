/**
 * `npm run kernel -- COMMAND`: recordings of the real kernel, made and compared.
 */

import { Command, CommanderError, InvalidArgumentError } from "commander";
import { ScenarioError } from "../src/scenario/scenario-error.ts";
import { writeFigures } from "./fidelity.ts";
import { fuzz } from "./fuzz.ts";
import { importAll, importOne } from "./import.ts";
import { compareFiles, recordFiles, staleFiles } from "./record.ts";
import { playFiles, recordDrawn } from "./sched.ts";

const program = new Command("npm run kernel --").description("Recordings of the real kernel: makes them and compares them with lvsim.").exitOverride();

program
  .command("import")
  .description("turns what an acting-out by the kernel left behind into the recording of a scenario")
  .argument("<folder>", "with HOST.INTERFACE.pcap, result.json and scenario.json")
  .argument("<file>", "the scenario, in scenarios/ or test/conformance/")
  .option("--trust", "do not check that the folder is of this version of the scenario")
  .action((folder: string, file: string, { trust }: { trust?: boolean }) => importOne(folder, file, trust === true));

program
  .command("import-all")
  .description("imports FOLDER/NAME for each NAME.yaml in scenarios/ and test/conformance/ that has one")
  .argument("<folder>")
  .option("--trust", "do not check that the folders are of these versions of the scenarios")
  .action((folder: string, { trust }: { trust?: boolean }) => importAll(folder, trust === true));

const jobs = (text: string): number => {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 16) throw new InvalidArgumentError("write a number from 1 to 16");
  return count;
};

const seedRange = (text: string): readonly [number, number] => {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (first === undefined || Number(last) < Number(first)) throw new InvalidArgumentError("write one number, or two such as 1-300");
  return [Number(first), Number(last)];
};

program
  .command("record")
  .description("has a real kernel (user-mode-linux) act scenarios out and keeps the recordings")
  .argument("[files...]", "in scenarios/ or test/conformance/")
  .option("--stale", "all that have no recording, or one of another version of them")
  .option("-j, --jobs <n>", "scenarios at a time; more of them disturb each other's timing on a busy machine", jobs, 1)
  .action((files: string[], { jobs: jobCount, stale }: { jobs: number; stale?: boolean }) => {
    const wanted = stale === true ? [...files, ...staleFiles()] : files;
    if (wanted.length === 0) throw new Error(stale === true ? "every scenario has its recording" : "name the scenarios to record, or write --stale");
    return recordFiles(wanted, jobCount);
  });

program
  .command("compare")
  .description("has a real kernel act scenarios out and compares with lvsim and with the recordings that are kept; exit status 1 when lvsim differs")
  .argument("<files...>")
  .option("-j, --jobs <n>", "scenarios at a time", jobs, 1)
  .action(async (files: string[], options: { jobs: number }) => {
    if ((await compareFiles(files, options.jobs)) > 0) process.exitCode = 1;
  });

program
  .command("sched")
  .description("prints which server the kernel's own scheduler picks for each connection of scheduler scripts")
  .argument("<files...>", "as `lvsim sched` reads them")
  .action(playFiles);

program
  .command("sched-record")
  .description("records what the kernel answers to the scheduler scripts that are drawn (test/sched/drawn/)")
  .argument("[schedulers...]", "all of them without names")
  .action(recordDrawn);

program
  .command("fuzz")
  .description("draws scenarios, has lvsim and a real kernel act them out, shrinks and keeps what differs in test/conformance/")
  .requiredOption("--seeds <range>", "such as 1-300", seedRange)
  .option("-j, --jobs <n>", "scenarios at a time", jobs, 6)
  .option("--no-shrink", "report only")
  .action(({ seeds, jobs: jobCount, shrink }: { seeds: readonly [number, number]; jobs: number; shrink: boolean }) => fuzz({ first: seeds[0], last: seeds[1], jobCount, shrinks: shrink }));

program.command("figures").description("writes how many recordings agree into docs/FIDELITY.md").action(writeFigures);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(error instanceof ScenarioError || !(error instanceof Error) ? String(error) : error.message);
    process.exitCode = 2;
  }
}
