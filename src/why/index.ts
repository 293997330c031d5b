/**
 * The public entry point `lvsim/why`: why a run went as it did. Works from the records of a trace of level `full`, in Node and in a browser.
 */

// A run to ask about: of a scenario, or the header and records of a trace.
export { Evidence, type RecordedRun } from "./evidence.ts";
export { recordRun, type RecordOptions, type ScenarioRecord } from "./record-run.ts";
export type { Conversation, End, Outcome } from "./conversations.ts";
// What is wrong, and how to mend it.
export { diagnose } from "./doctor.ts";
export type { Finding } from "./finding.ts";
// Why, in sentences.
export { type Explanation, explainConversation, explainMoment, explainRecord, explainRun, type Sentence } from "./explain.ts";
export { sentenceOf } from "./sentences.ts";
// What if a line were missing; where two runs part.
export { describeWhatIf, whatIf, type WhatIfResult } from "./what-if.ts";
export type { ChangedConversation, RunChange } from "./run-summary.ts";
export { type SetupLine, setupLines } from "./setup-lines.ts";
export { describeDifference, type DifferingPacket, diffRuns, type OwnDecision, type RunDifference } from "./diff.ts";
export { answerersOf, type ConversationResult, resultsOf, servedBy } from "./who-answers.ts";
