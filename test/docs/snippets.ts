/**
 * The fenced blocks of a document, and the files and commands that they are.
 */

export interface Snippet {
  /** Line of the document on which its first line stands, from 1. */
  readonly line: number;
  /** The word behind the fence: ts, js, sh, yaml ... */
  readonly language: string;
  readonly text: string;
}

export function snippetsOf(markdown: string): Snippet[] {
  const snippets: Snippet[] = [];
  let open: { readonly line: number; readonly language: string; readonly fence: string; readonly lines: string[] } | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = /^ {0,3}(`{3,})(\S*)/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { line: index + 2, language: fence[2] as string, fence: fence[1] as string, lines: [] };
    } else if (fence !== null && fence[2] === "" && (fence[1] as string).length >= open.fence.length) {
      snippets.push({ line: open.line, language: open.language, text: `${open.lines.join("\n")}\n` });
      open = undefined;
    } else open.lines.push(line);
  }
  if (open !== undefined) throw new Error(`line ${open.line - 1}: the fence is never closed`);
  return snippets;
}

/** The name that the first line gives a snippet: `// mine.ts`, `# cluster.yaml`. */
export function fileNameOf({ text }: Snippet): string | undefined {
  return /^(?:\/\/|#) ([\w.-]+\.\w+)\n/.exec(text)?.[1];
}

/** What `console.log(...); // this` says is printed, line by line. */
export function promisedOutput({ text }: Snippet): string[] {
  return [...text.matchAll(/^\s*console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1] as string);
}

/** The lvsim commands of a shell snippet, as argument lists; everything else is not this test's. Throws on a shell construct that it does not know. */
export function lvsimCommands({ text, line }: Snippet): { readonly line: number; readonly args: readonly string[] }[] {
  return text.split("\n").flatMap((row, index) => {
    const commands = row
      .replace(/(^|\s)#.*$/, "")
      .split(/&&|;/)
      .map((command) => command.trim().replace(/^npx /, ""))
      .filter((command) => /^lvsim\b/.test(command));
    return commands.map((command) => {
      if (/[|<>$`]/.test(command)) throw new Error(`line ${line + index}: ${command}: only plain lvsim commands can be run`);
      const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => (match[1] ?? match[2] ?? match[3]) as string);
      return { line: line + index, args: words.slice(1) };
    });
  });
}
