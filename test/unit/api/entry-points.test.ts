/**
 * What the entry points offer, name by name: a change here is a change for everybody who uses the library.
 */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as lvsim from "../../../src/index.ts";
import * as ipvs from "../../../src/ipvs/schedulers/index.ts";
import * as trace from "../../../src/trace/index.ts";
import * as matchers from "../../../src/vitest/index.ts";

const PACKAGE = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));

test("each entry point has its file and its types", () => {
  expect(PACKAGE.exports).toEqual({
    ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
    "./ipvs": { types: "./dist/ipvs/schedulers/index.d.ts", default: "./dist/ipvs/schedulers/index.js" },
    "./trace": { types: "./dist/trace/index.d.ts", default: "./dist/trace/index.js" },
    "./vitest": { types: "./dist/vitest/index.d.ts", default: "./dist/vitest/index.js" },
    "./why": { types: "./dist/why/index.d.ts", default: "./dist/why/index.js" },
    "./trace.schema.json": "./docs/trace.schema.json",
    "./package.json": "./package.json",
  });
});

test("lvsim", () => {
  expect(Object.keys(lvsim).sort()).toEqual([
    "DEFAULT_LIMITS",
    "LINUX_PARTS",
    "Lab",
    "LabError",
    "LadderSink",
    "LimitError",
    "MemorySink",
    "PcapSink",
    "ScenarioError",
    "ScenarioRun",
    "compareSchedulers",
    "comparisonToCsv",
    "comparisonToJson",
    "decodeEthernet",
    "decodePcap",
    "encodeEthernet",
    "encodePcap",
    "formatComparison",
    "formatFrameLine",
    "formatLadder",
    "formatProblem",
    "parseScenario",
    "parseWorkload",
    "resultToJson",
    "runScenario",
    "runSchedScript",
    "scenarioFromObject",
  ]);
});

test("lvsim/trace", () => {
  expect(Object.keys(trace).sort()).toEqual([
    "CSV_NAMES",
    "CauseIndex",
    "CsvSink",
    "EffectWalk",
    "JsonLinesReader",
    "JsonLinesSink",
    "LadderSink",
    "MemorySink",
    "PacketLife",
    "PcapCapture",
    "PcapExport",
    "PcapSink",
    "PcapngSink",
    "RecordMatcher",
    "RecordReader",
    "TABLE_NAMES",
    "TRACE_FORMAT",
    "TRACE_KINDS",
    "TRACE_VERSION",
    "TableFollower",
    "TableTimeline",
    "TextSink",
    "TimeColumn",
    "TimelineClock",
    "TraceReadError",
    "TraceStatistics",
    "capturedBy",
    "decodeEthernet",
    "decodePcap",
    "describeRecord",
    "describeRewrite",
    "encodeEthernet",
    "encodePcap",
    "formatCaptured",
    "formatFrameLine",
    "formatIpv4Address",
    "formatLadder",
    "formatMacAddress",
    "headerLine",
    "parseIpv4Address",
    "parseMacAddress",
    "placeOf",
    "readHeader",
    "readTrace",
    "withoutAged",
  ]);
});

test("lvsim/ipvs has every scheduler of Linux, by name and by itself", () => {
  const own = Object.values(ipvs as Readonly<Record<string, unknown>>).filter(
    (value): value is ipvs.Scheduler => typeof value === "object" && value !== null && "init" in value,
  );
  expect(own.map(({ name }) => name).sort()).toEqual([...ipvs.schedulerNames()].sort());
  expect(Object.keys(ipvs)).toEqual(expect.arrayContaining(["SCHEDULERS", "isEligible", "schedulerByName", "schedulerContext", "schedulerDest"]));
});

test("lvsim/vitest", () => {
  expect(Object.keys(matchers)).toEqual(["lvsimMatchers"]);
  expect(Object.keys(matchers.lvsimMatchers)).toEqual([
    "toAnswerArp",
    "toBalance",
    "toDrop",
    "toExit",
    "toFollow",
    "toHaveNeighbour",
    "toMeetExpectations",
    "toPickLike",
    "toPrint",
    "toReach",
  ]);
});
