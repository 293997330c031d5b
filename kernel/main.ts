/**
 * `npm run kernel -- COMMAND`: recordings of the real kernel, made and compared.
 */

import { Command, CommanderError } from "commander";
import { ScenarioError } from "../src/scenario/scenario-error.ts";
import { importAll, importOne } from "./import.ts";

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

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(error instanceof ScenarioError || !(error instanceof Error) ? String(error) : error.message);
    process.exitCode = 2;
  }
}
