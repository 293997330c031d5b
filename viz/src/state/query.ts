/**
 * An answer of the worker as a signal of a component: asked anew when the session or the arguments change, the last answer stays meanwhile.
 */

import { type ReadonlySignal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { QueryAnswer, QueryArgs, QueryName } from "../engine/queries.ts";
import { engine } from "./engine.ts";
import { currentId } from "./store.ts";

/**
 * `args` undefined: nothing is asked, the answer is undefined. Arguments are compared as JSON.
 *
 * @example const rows = useQuery("tables", { id: moment.value.position.id, owner: "rs1" });
 */
export function useQuery<N extends QueryName>(name: N, args: QueryArgs<N> | undefined, session = currentId.value): ReadonlySignal<QueryAnswer<N> | undefined> {
  const answer = useSignal<QueryAnswer<N> | undefined>(undefined);
  const key = args === undefined ? "" : `${session} ${JSON.stringify(args)}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for all of them
  useEffect(() => {
    if (args === undefined || session === 0) {
      answer.value = undefined;
      return;
    }
    let isWanted = true;
    void engine.ask(name, session, args).then(
      (value) => {
        if (isWanted) answer.value = value;
      },
      () => {
        if (isWanted) answer.value = undefined;
      },
    );
    return () => {
      isWanted = false;
    };
  }, [name, key]);
  return answer;
}
