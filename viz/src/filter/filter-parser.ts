/**
 * The display filter language, after Wireshark's: text into a syntax tree. What the fields mean is in filter-fields.ts.
 *
 *   or    = and { ("||" | "or") and }            tcp.port == 80 && !(host == rs1)
 *   and   = not { ("&&" | "and") not }           ip.addr == 10.0.0.0/24 or arp
 *   not   = ("!" | "not") not | "(" or ")" | test
 *   test  = field [ operator value | "in" "{" value { [","] value } "}" ]
 *
 * wireshark-filter(4). A field alone holds when it is there and is neither 0 nor false; in Wireshark it is enough that it is there.
 */

export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=" | "contains" | "matches";

export type FilterNode =
  | { readonly type: "or" | "and"; readonly left: FilterNode; readonly right: FilterNode }
  | { readonly type: "not"; readonly of: FilterNode }
  | { readonly type: "has"; readonly field: Word }
  | { readonly type: "compare"; readonly field: Word; readonly operator: Comparison; readonly value: Word }
  | { readonly type: "in"; readonly field: Word; readonly values: readonly Word[] };

/** A word of the text and where it stands, from 0. */
export interface Word {
  readonly text: string;
  readonly at: number;
  readonly isQuoted: boolean;
}

/** The text is no filter: what is wrong, and where. */
export class FilterError extends Error {
  override readonly name = "FilterError";
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const OPERATORS: ReadonlyMap<string, Comparison> = new Map([
  ["==", "=="],
  ["=", "=="],
  ["eq", "=="],
  ["!=", "!="],
  ["ne", "!="],
  ["<", "<"],
  ["lt", "<"],
  ["<=", "<="],
  ["le", "<="],
  [">", ">"],
  ["gt", ">"],
  [">=", ">="],
  ["ge", ">="],
  ["contains", "contains"],
  ["matches", "matches"],
  ["~", "matches"],
]);

const DEPTH_MAX = 100;
const TEXT_CHARS_MAX = 10_000;
const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*")|(\|\||&&|==|!=|<=|>=|[!()<>=~{},])|([^\s"()<>=!~{},&|]+))/y;

/** The tree of a filter; undefined when the text is blank. Throws a FilterError. */
export function parseFilter(text: string): FilterNode | undefined {
  if (text.length > TEXT_CHARS_MAX) throw new FilterError(`a filter has at most ${TEXT_CHARS_MAX} characters`, TEXT_CHARS_MAX);
  const words = split(text);
  if (words.length === 0) return undefined;
  const parser = new Parser(words, text.length);
  return parser.whole();
}

function split(text: string): Word[] {
  const words: Word[] = [];
  TOKEN.lastIndex = 0;
  while (text.slice(TOKEN.lastIndex).trim() !== "") {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) {
      const at = from + (text.slice(from).length - text.slice(from).trimStart().length);
      throw new FilterError(text[at] === '"' ? "the quote is not closed" : `${JSON.stringify(text[at])} is not known here`, at);
    }
    const [all, quoted, sign, word] = match;
    const raw = quoted ?? sign ?? (word as string);
    const at = match.index + all.length - raw.length;
    words.push(quoted === undefined ? { text: raw, at, isQuoted: false } : { text: quoted.slice(1, -1).replace(/\\(.)/g, "$1"), at, isQuoted: true });
  }
  return words;
}

class Parser {
  readonly #words: readonly Word[];
  readonly #end: number;
  #next = 0;
  #depth = 0;

  constructor(words: readonly Word[], end: number) {
    this.#words = words;
    this.#end = end;
  }

  whole(): FilterNode {
    const node = this.#or();
    const rest = this.#words[this.#next];
    if (rest !== undefined) throw new FilterError(rest.text === ")" ? "there is no ( for this )" : `&& or || is missing before ${rest.text}`, rest.at);
    return node;
  }

  #or(): FilterNode {
    let left = this.#and();
    while (this.#take("||", "or")) left = { type: "or", left, right: this.#and() };
    return left;
  }

  #and(): FilterNode {
    let left = this.#not();
    while (this.#take("&&", "and")) left = { type: "and", left, right: this.#not() };
    return left;
  }

  #not(): FilterNode {
    if (++this.#depth > DEPTH_MAX) throw new FilterError(`brackets and ! nest at most ${DEPTH_MAX} deep`, this.#at());
    try {
      if (this.#take("!", "not")) return { type: "not", of: this.#not() };
      if (!this.#take("(")) return this.#test();
      const inner = this.#or();
      if (!this.#take(")")) throw new FilterError("a ) is missing", this.#at());
      return inner;
    } finally {
      this.#depth--;
    }
  }

  #test(): FilterNode {
    const field = this.#word("a field such as host, tcp.port or arp is missing");
    if (this.#take("in")) return { type: "in", field, values: this.#set() };
    const word = this.#words[this.#next];
    const operator = word === undefined || word.isQuoted ? undefined : OPERATORS.get(word.text);
    if (operator === undefined) return { type: "has", field };
    this.#next++;
    return { type: "compare", field, operator, value: this.#word(`a value is missing after ${word?.text}`) };
  }

  #set(): Word[] {
    if (!this.#take("{")) throw new FilterError("a { is missing after in", this.#at());
    const values: Word[] = [];
    while (!this.#take("}")) {
      values.push(this.#word("a } is missing"));
      this.#take(",");
    }
    if (values.length === 0) throw new FilterError("the set is empty", this.#at());
    return values;
  }

  #take(...texts: readonly string[]): boolean {
    const word = this.#words[this.#next];
    if (word === undefined || word.isQuoted || !texts.includes(word.text)) return false;
    this.#next++;
    return true;
  }

  #word(missing: string): Word {
    const word = this.#words[this.#next];
    if (word === undefined || (!word.isQuoted && /^(?:\|\||&&|==|!=|<=|>=|[!()<>=~{},])$/.test(word.text))) throw new FilterError(missing, this.#at());
    this.#next++;
    return word;
  }

  #at(): number {
    return this.#words[this.#next]?.at ?? this.#end;
  }
}
