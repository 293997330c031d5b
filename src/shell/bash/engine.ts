/**
 * Puts the parts of the interpreter together and installs the builtins.
 */

import { conditionBuiltins } from "./builtins/conditions.ts";
import { controlBuiltins } from "./builtins/control.ts";
import { directoryBuiltins } from "./builtins/directories.ts";
import { inputBuiltins } from "./builtins/input.ts";
import { jobBuiltins } from "./builtins/jobs.ts";
import { outputBuiltins } from "./builtins/output.ts";
import { variableBuiltins } from "./builtins/variables.ts";
import { callFunction, runList, runNode, runText } from "./interpreter.ts";
import type { Engine } from "./shell.ts";
import { installBuiltins, isBuiltinName, runWords } from "./simple-command.ts";
import { processSubstitution, substitute } from "./substitution.ts";

installBuiltins(
  new Map([...outputBuiltins, ...inputBuiltins, ...variableBuiltins, ...controlBuiltins, ...jobBuiltins, ...directoryBuiltins, ...conditionBuiltins]),
);

export const bashEngine: Engine = { runList, runNode, substitute, processSubstitution, runText, callFunction, runWords, isBuiltin: isBuiltinName };
