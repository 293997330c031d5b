/**
 * A function as `declare -f` and `type` print it (bash's print_cmd.c): four spaces a level, one command a line.
 */

import type { AndOr, CompoundList, PipelineNode, Redirection, Statement } from "unbash";
import type { ShellFunction } from "./shell.ts";

const STEP = 4;

export function formatFunction(called: ShellFunction): string {
  const printer = new Printer(called.unit.text);
  const body =
    called.body.type === "BraceGroup"
      ? printer.group(called.body.body, 0)
      : called.body.type === "CompoundList"
        ? printer.group(called.body, 0)
        : `{ \n${" ".repeat(STEP)}${printer.node(called.body, STEP)}\n}`;
  return `${called.name} () \n${body}`;
}

class Printer {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  group(list: CompoundList, indent: number): string {
    return `{ \n${this.list(list, indent + STEP)}\n${" ".repeat(indent)}}`;
  }

  /** Statements, each on a line, separated by semicolons. */
  list(list: CompoundList, indent: number): string {
    return list.commands.map((statement, i) => this.#statement(statement, indent, i === list.commands.length - 1)).join("\n");
  }

  #statement(statement: Statement, indent: number, isLast: boolean): string {
    const text = " ".repeat(indent) + this.node(statement.command, indent);
    return text + (statement.background === true ? " &" : isLast || statement.command.type === "Function" ? "" : ";");
  }

  #source(node: { readonly pos: number; readonly end: number }): string {
    return this.#text.slice(node.pos, node.end);
  }

  #redirects(redirects: readonly Redirection[]): string {
    return redirects.map((redirect) => ` ${this.#source(redirect).replace(/^(\d*(?:>>|>|<|&>))(?=[^\s&<>(])/, "$1 ")}`).join("");
  }

  node(node: PipelineNode | AndOr | CompoundList, indent: number): string {
    const pad = " ".repeat(indent);
    switch (node.type) {
      case "Command": {
        const words = [...node.prefix, ...(node.name === undefined ? [] : [node.name]), ...node.suffix].sort((a, b) => a.pos - b.pos);
        return (
          words
            .filter((word) => !("operator" in word))
            .map((word) => this.#source(word))
            .join(" ") + this.#redirects(node.redirects)
        );
      }
      case "Pipeline": {
        const prefix = node.prefixes.map((one) => (one.type === "Negation" ? "! " : "time ")).join("");
        return (
          prefix + node.commands.map((command, i) => (i === 0 ? "" : node.operators[i - 1] === "|&" ? " 2>&1 | " : " | ") + this.node(command, indent)).join("")
        );
      }
      case "AndOr":
        return node.commands.map((command, i) => (i === 0 ? "" : ` ${node.operators[i - 1]} `) + this.node(command, indent)).join("");
      case "CompoundList":
        return this.group(node, indent);
      case "BraceGroup":
        return this.group(node.body, indent);
      case "Subshell":
        return `( ${this.list(node.body, indent).trimStart()} )`;
      case "Redirected":
        return this.node(node.command, indent) + this.#redirects(node.redirects);
      case "If": {
        const branches = node.elif
          .map(
            (branch, i) =>
              `\n${pad}else\n${" ".repeat(STEP * (i + 1))}${pad}if ${this.#inline(branch.clause, indent)}; then\n${this.list(branch.then, indent + STEP * (i + 2))};`,
          )
          .join("");
        const depth = node.elif.length;
        const otherwise = node.else === undefined ? "" : `\n${pad}${" ".repeat(STEP * depth)}else\n${this.list(node.else, indent + STEP * (depth + 1))};`;
        const closing = Array.from({ length: depth }, (_, i) => `\n${pad}${" ".repeat(STEP * (depth - i))}fi;`).join("");
        return `if ${this.#inline(node.clause, indent)}; then\n${this.list(node.then, indent + STEP)};${branches}${otherwise}${closing}\n${pad}fi`;
      }
      case "For": {
        const words = node.wordlist === undefined ? ' in "$@"' : ` in ${node.wordlist.map((word) => word.text).join(" ")}`;
        return `for ${node.name.text}${words};\n${pad}do\n${this.list(node.body, indent + STEP)};\n${pad}done`;
      }
      case "ArithmeticFor":
        return `${this.#source(node)
          .split(/\bdo\b/)[0]
          ?.trimEnd()
          .replace(/;$/, "")}\n${pad}do\n${this.list(node.body, indent + STEP)};\n${pad}done`;
      case "While":
        return `${node.kind} ${this.#inline(node.clause, indent)}; do\n${this.list(node.body, indent + STEP)};\n${pad}done`;
      case "Case": {
        const items = node.items.map(
          (item) =>
            `${pad}    ${item.pattern.map((word) => word.text).join(" | ")})\n${this.list(item.body, indent + 2 * STEP)}${item.body.commands.length > 0 ? "\n" : ""}${pad}    ${item.terminator ?? ";;"}\n`,
        );
        return `case ${node.word.text} in \n${items.join("")}${pad}esac`;
      }
      case "Function":
        return `function ${node.name.text} () \n${pad}${node.body.type === "BraceGroup" ? this.group(node.body.body, indent) : this.node(node.body, indent)}`;
      default:
        return this.#source(node);
    }
  }

  #inline(list: CompoundList, indent: number): string {
    return list.commands.map((statement) => this.node(statement.command, indent)).join("; ");
  }
}
