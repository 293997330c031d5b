/**
 * Learn: what to look at, questions before the run shows the answer, the score.
 */

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Question, Verdict } from "../../engine/queries/learn.ts";
import { formatTime } from "../../state/format.ts";
import { pause } from "../../state/playback.ts";
import { t } from "../../state/preferences.ts";
import { useQuery } from "../../state/query.ts";
import { ask, current, goTo, moment } from "../../state/store.ts";
import { forget, nameOf, noteAnswer, score, tally } from "./score.ts";
import "./learn.css";

const chosen = signal<readonly string[]>([]);
const open = signal<Question | undefined>(undefined);
const verdict = signal<Verdict | undefined>(undefined);

export function Panel() {
  const s = t.value.learn;
  const session = current.value;
  const answer = useQuery("questions", session === undefined ? undefined : {});
  const id = session?.info.id;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another run has other questions
  useEffect(() => leave(), [id]);
  if (session === undefined) return null;
  const { file } = session.source;
  const list = answer.value ?? [];
  const own = tally(score.value, file);
  const all = tally(score.value);
  return (
    <div class="learn">
      <p class="score" role="status">
        <strong>{s.score(own.right, own.answered)}</strong> <span class="muted">{s.scoreAll(all.right, all.answered)}</span>
        {own.answered === 0 ? null : (
          <button type="button" class="quiet" onClick={() => forget(file)}>
            {s.forget}
          </button>
        )}
      </p>
      {open.value === undefined ? (
        <>
          {session.info.teaches === "" ? null : <p class="teaches">{session.info.teaches}</p>}
          {session.info.description === "" ? null : (
            <details open={list.length === 0}>
              <summary>{s.lookAt}</summary>
              <div class="description">{session.info.description.replaceAll(/[*`]/g, "").trim()}</div>
            </details>
          )}
          <h2>{s.questions}</h2>
          {answer.value !== undefined && list.length === 0 ? <p class="muted">{s.none}</p> : null}
          <ol>
            {list.map((question) => (
              <li key={question.key}>
                <button type="button" onClick={() => void begin(question)}>
                  <Mark isRight={score.value[nameOf(file, question.key)]} /> {wordsOf(question)}
                </button>
              </li>
            ))}
          </ol>
        </>
      ) : (
        <Asking question={open.value} file={file} list={list} />
      )}
    </div>
  );
}

function Mark({ isRight }: { readonly isRight: boolean | undefined }) {
  const s = t.value.learn;
  if (isRight === undefined) return <span aria-label={s.unanswered}>○</span>;
  return isRight ? (
    <span class="good" aria-label={s.right}>
      ✓
    </span>
  ) : (
    <span class="bad" aria-label={s.wrong}>
      ✕
    </span>
  );
}

function wordsOf({ kind, host, subject }: Question): string {
  return t.value.learn.ask[kind](host, subject);
}

/** Goes to where it is asked. */
async function begin(question: Question): Promise<void> {
  pause();
  chosen.value = [];
  verdict.value = undefined;
  open.value = question;
  await goTo(question.atId);
}

function leave(): void {
  open.value = undefined;
  verdict.value = undefined;
  chosen.value = [];
}

function Asking({ question, file, list }: { readonly question: Question; readonly file: string; readonly list: readonly Question[] }) {
  const s = t.value.learn;
  const said = verdict.value;
  const next = list[list.findIndex(({ key }) => key === question.key) + 1];
  const here = moment.value?.position.id;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void check(question, file);
      }}
    >
      <h2>{wordsOf(question)}</h2>
      <p class="muted">
        {s.hint[question.kind]}{" "}
        {here === question.atId || said !== undefined ? null : (
          <button type="button" class="quiet" onClick={() => void goTo(question.atId)}>
            {s.goThere}
          </button>
        )}
      </p>
      <fieldset disabled={said !== undefined}>
        <legend>{question.isMany ? s.chooseMany : s.chooseOne}</legend>
        {question.options.map((option) => (
          <label key={option} class={said?.answer.includes(option) === true ? "answer" : ""}>
            <input
              type={question.isMany ? "checkbox" : "radio"}
              name="answer"
              checked={chosen.value.includes(option)}
              onChange={(event) => choose(question, option, event.currentTarget.checked)}
            />{" "}
            {nameOfOption(option)} {said?.answer.includes(option) === true ? <strong class="good">✓ {s.isIt}</strong> : null}
          </label>
        ))}
      </fieldset>
      {said === undefined ? (
        <p>
          <button type="submit" class="primary" disabled={chosen.value.length === 0}>
            {s.check}
          </button>{" "}
          <button type="button" class="quiet" onClick={leave}>
            {s.back}
          </button>
        </p>
      ) : (
        <Said verdict={said} next={next} />
      )}
    </form>
  );
}

function Said({ verdict: { isRight, revealId, why }, next }: { readonly verdict: Verdict; readonly next: Question | undefined }) {
  const s = t.value.learn;
  const originNs = current.value?.info.originNs ?? 0;
  return (
    <>
      <p role="status" class={`said ${isRight ? "good" : "bad"}`}>
        {isRight ? `✓ ${s.right}` : `✕ ${s.wrong}`}
      </p>
      <h2>{s.why}</h2>
      <ul class="why mono">
        {why.map((record) => (
          <li key={record.id}>
            <button type="button" class="quiet" onClick={() => void goTo(record.id)}>
              <span class="muted">{formatTime(record.timeNs - originNs)}</span> {record.host}: {record.text}
            </button>
          </li>
        ))}
      </ul>
      <p>
        <button type="button" onClick={() => void goTo(revealId)}>
          {s.show}
        </button>{" "}
        {next === undefined ? null : (
          <button type="button" class="primary" onClick={() => void begin(next)}>
            {s.next}
          </button>
        )}{" "}
        <button type="button" class="quiet" onClick={leave}>
          {s.back}
        </button>
      </p>
    </>
  );
}

function nameOfOption(option: string): string {
  const s = t.value.learn;
  if (option === "") return s.nobody;
  return (s.fields as Readonly<Record<string, string>>)[option] ?? option;
}

function choose({ isMany }: Question, option: string, isOn: boolean): void {
  if (!isMany) chosen.value = [option];
  // Nobody and somebody exclude each other.
  else chosen.value = isOn ? [...chosen.value.filter((one) => (one === "") === (option === "")), option] : chosen.value.filter((one) => one !== option);
}

async function check({ key }: Question, file: string): Promise<void> {
  const found = await ask("checkAnswer", { key, choice: chosen.value });
  if (found === undefined) return;
  verdict.value = found;
  noteAnswer(file, key, found.isRight);
  await goTo(found.revealId);
}
