/**
 * Shell variables: scalars, indexed and associative arrays, attributes, and the scopes that `local` opens (dynamic, as in bash).
 */

export interface Variable {
  /** Scalar value; undefined when only declared. */
  text: string | undefined;
  list: Map<number, string> | undefined;
  table: Map<string, string> | undefined;
  isExported: boolean;
  isReadonly: boolean;
  isInteger: boolean;
  isLower: boolean;
  isUpper: boolean;
  isReference: boolean;
}

export function newVariable(text?: string): Variable {
  return {
    text,
    list: undefined,
    table: undefined,
    isExported: false,
    isReadonly: false,
    isInteger: false,
    isLower: false,
    isUpper: false,
    isReference: false,
  };
}

function copyVariable(variable: Variable): Variable {
  return { ...variable, list: variable.list && new Map(variable.list), table: variable.table && new Map(variable.table) };
}

export function isName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
}

/** Elements in the order of their indices. */
export function sortedEntries(list: ReadonlyMap<number, string>): (readonly [number, string])[] {
  return [...list].sort((a, b) => a[0] - b[0]);
}

export class VariableTable {
  readonly #scopes: Map<string, Variable>[];

  constructor(scopes: Map<string, Variable>[] = [new Map()]) {
    this.#scopes = scopes;
  }

  fork(): VariableTable {
    return new VariableTable(this.#scopes.map((scope) => new Map([...scope].map(([name, variable]) => [name, copyVariable(variable)]))));
  }

  get depth(): number {
    return this.#scopes.length;
  }

  pushScope(): void {
    this.#scopes.push(new Map());
  }

  popScope(): void {
    this.#scopes.pop();
  }

  find(name: string): Variable | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const variable = this.#scopes[i]?.get(name);
      if (variable !== undefined) return variable;
    }
    return undefined;
  }

  /** The variable that an assignment without `local` changes, made global when it is new. */
  findOrCreate(name: string): Variable {
    let variable = this.find(name);
    if (variable === undefined) {
      variable = newVariable();
      this.#scopes[0]?.set(name, variable);
    }
    return variable;
  }

  global(name: string): Variable {
    const scope = this.#scopes[0] as Map<string, Variable>;
    const variable = scope.get(name) ?? newVariable();
    scope.set(name, variable);
    return variable;
  }

  /** A variable of the innermost scope. */
  local(name: string): Variable {
    const scope = this.#scopes.at(-1) as Map<string, Variable>;
    let variable = scope.get(name);
    if (variable === undefined) {
      variable = newVariable();
      scope.set(name, variable);
    }
    return variable;
  }

  hasLocal(name: string): boolean {
    return this.#scopes.length > 1 && this.#scopes.at(-1)?.has(name) === true;
  }

  remove(name: string): void {
    for (let i = this.#scopes.length - 1; i >= 0; i--) if (this.#scopes[i]?.delete(name) === true) return;
  }

  /** Puts back what was there before a temporary assignment. */
  restore(name: string, variable: Variable | undefined): void {
    this.remove(name);
    if (variable !== undefined) this.#scopes[0]?.set(name, variable);
  }

  /** All names with their visible variables, sorted. */
  visible(): [string, Variable][] {
    const all = new Map<string, Variable>();
    for (const scope of this.#scopes) for (const [name, variable] of scope) all.set(name, variable);
    return [...all].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }

  exported(): Map<string, string> {
    const env = new Map<string, string>();
    for (const scope of this.#scopes) {
      for (const [name, variable] of scope) {
        if (variable.isExported && variable.text !== undefined) env.set(name, variable.text);
        else env.delete(name);
      }
    }
    return env;
  }
}
