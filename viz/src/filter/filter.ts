/**
 * A display filter that can be asked: does this record match?
 */

import { parseIpv4Cidr, prefixMask } from "../../../src/base/ipv4-address.ts";
import { parseMacAddress } from "../../../src/base/mac-address.ts";
import { nearestWord } from "../../../src/scenario/suggest.ts";
import type { TraceEvent } from "../../../src/trace/events.ts";
import { RE2JS } from "re2js";
import type { FieldName } from "./field-names.ts";
import { FILTER_FIELDS, type FilterContext, type FilterField } from "./filter-fields.ts";
import { type Comparison, FilterError, type FilterNode, parseFilter, type Word } from "./filter-parser.ts";

export type RecordTest = (event: TraceEvent, context: FilterContext) => boolean;
type ValueTest = (value: string | number | boolean) => boolean;

/** The test of a filter; undefined when the text is blank and everything matches. Throws a FilterError. */
export function compileFilter(text: string): RecordTest | undefined {
  const node = parseFilter(text);
  return node === undefined ? undefined : compile(node);
}

function compile(node: FilterNode): RecordTest {
  switch (node.type) {
    case "or": {
      const [left, right] = [compile(node.left), compile(node.right)];
      return (event, context) => left(event, context) || right(event, context);
    }
    case "and": {
      const [left, right] = [compile(node.left), compile(node.right)];
      return (event, context) => left(event, context) && right(event, context);
    }
    case "not": {
      const of = compile(node.of);
      return (event, context) => !of(event, context);
    }
    case "has":
      return anyValue(fieldNamed(node.field), (value) => value !== 0 && value !== false && value !== "");
    case "compare": {
      const field = fieldNamed(node.field);
      // As in Wireshark 4, `!=` holds when no value is equal.
      if (node.operator === "!=") {
        const equal = anyValue(field, valueTest(field, "==", node.value));
        return (event, context) => field.values(event, context).length > 0 && !equal(event, context);
      }
      return anyValue(field, valueTest(field, node.operator, node.value));
    }
    case "in": {
      const field = fieldNamed(node.field);
      const tests = node.values.map((value) => valueTest(field, "==", value));
      return anyValue(field, (value) => tests.some((test) => test(value)));
    }
  }
}

function anyValue(field: FilterField, test: ValueTest): RecordTest {
  return (event, context) => field.values(event, context).some(test);
}

function fieldNamed({ text, at }: Word): FilterField {
  const field = Object.hasOwn(FILTER_FIELDS, text) ? FILTER_FIELDS[text as FieldName] : undefined;
  if (field !== undefined) return field;
  const meant = nearestWord(text, Object.keys(FILTER_FIELDS));
  throw new FilterError(`${text} is no field${meant === undefined ? "" : `; did you mean ${meant}?`}`, at);
}

function valueTest(field: FilterField, operator: Comparison, word: Word): ValueTest {
  if (operator === "contains") {
    const wanted = word.text.toLowerCase();
    return (value) => String(value).toLowerCase().includes(wanted);
  }
  if (operator === "matches") return matching(word);
  switch (field.type) {
    case "text":
      return comparing(operator, word.text);
    case "number":
      return comparing(operator, numberOf(word));
    case "mac": {
      const mac = parseMacAddress(word.text.toLowerCase());
      if (mac === undefined) throw new FilterError(`${word.text} is no MAC address; write 02:00:00:00:00:01`, word.at);
      return comparing(operator, mac);
    }
    case "ipv4":
      return addressTest(operator, word);
    case "flag": {
      if (!/^(?:0|1|true|false)$/i.test(word.text)) throw new FilterError(`${word.text} is neither true nor false`, word.at);
      const wanted = /^(?:1|true)$/i.test(word.text);
      return comparing(operator, wanted);
    }
  }
}

/** RE2 syntax: linear time, whatever is typed. */
function matching(word: Word): ValueTest {
  try {
    const pattern = RE2JS.compile(word.text, RE2JS.CASE_INSENSITIVE);
    return (value) => pattern.matcher(String(value)).find();
  } catch {
    throw new FilterError(`${word.text} is no regular expression`, word.at);
  }
}

function numberOf({ text, at }: Word): number {
  const value = /^0x[0-9a-f]+$/i.test(text) || /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw new FilterError(`${text} is no number`, at);
  return value;
}

function addressTest(operator: Comparison, { text, at }: Word): ValueTest {
  const cidr = parseIpv4Cidr(text);
  if (cidr === undefined) throw new FilterError(`${text} is no IPv4 address; write 10.0.0.1 or 10.0.0.0/24`, at);
  if (operator !== "==" || cidr.prefixLength === 32) return comparing(operator, cidr.address);
  const mask = prefixMask(cidr.prefixLength);
  const network = (cidr.address & mask) >>> 0;
  return (value) => ((value as number) & mask) >>> 0 === network;
}

function comparing(operator: Comparison, wanted: string | number | boolean): ValueTest {
  switch (operator) {
    case "<":
      return (value) => value < wanted;
    case "<=":
      return (value) => value <= wanted;
    case ">":
      return (value) => value > wanted;
    case ">=":
      return (value) => value >= wanted;
    default:
      return (value) => value === wanted;
  }
}
