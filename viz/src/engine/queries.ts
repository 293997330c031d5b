/**
 * Everything that the page can ask about a session. One entry a question: its function gets the session, one argument and, if it wants it, a
 * way to the other sessions; its types are those of `engine.ask(NAME, session, argument)`. Arguments and answers cross by structured clone: plain values only.
 */

import { schedulings, serviceCharts, traffic } from "./queries/charts.ts";
import { compare } from "./queries/compare.ts";
import { hostTables } from "./queries/host-tables.ts";
import { hostAddresses } from "./queries/hosts.ts";
import { inspect } from "./queries/inspect.ts";
import { ladder, ladderIndex } from "./queries/ladder.ts";
import { checkAnswer, questions } from "./queries/learn.ts";
import { moment } from "./queries/moment.ts";
import { checkFilter, momentAt, step } from "./queries/navigate.ts";
import { rowLinks } from "./queries/row-links.ts";
import { captureFile, causes, connections, effects, outputs, packetLife, tableChanges, tables, traceFile } from "./queries/state.ts";
import { checkScenario, hostOutputs, isLineOpen, scenarioKeys, typingWords } from "./queries/words.ts";
import { density, indexOfRecord, markers, records } from "./queries/window.ts";
import { explain, findings, whatIfLine } from "./queries/why.ts";

export const QUERIES = {
  moment,
  momentAt,
  step,
  checkFilter,
  records,
  indexOfRecord,
  density,
  markers,
  inspect,
  compare,
  tables,
  tableChanges,
  hostAddresses,
  connections,
  packetLife,
  causes,
  effects,
  outputs,
  traceFile,
  hostTables,
  rowLinks,
  ladder,
  ladderIndex,
  serviceCharts,
  schedulings,
  traffic,
  captureFile,
  typingWords,
  hostOutputs,
  isLineOpen,
  scenarioKeys,
  checkScenario,
  questions,
  checkAnswer,
  findings,
  explain,
  whatIfLine,
};

export type QueryName = keyof typeof QUERIES;
export type QueryArgs<N extends QueryName> = Parameters<(typeof QUERIES)[N]> extends [unknown, infer A, ...unknown[]] ? A : undefined;
export type QueryAnswer<N extends QueryName> = Awaited<ReturnType<(typeof QUERIES)[N]>>;
