/**
 * Defines the messages between the coordinator and the process of a sampler (sampler.py): one JSON object per line. A
 * request contains only the changes of the study since the previous request, unless the study must start anew.
 */
import { visibleText } from '../../../lib/text/visible-text.ts';
import type { GoalName } from '../../../proto/names.ts';
import type { PastSuggestion, SamplerAnswer, SuggestionOutcome, SuggestionRecord } from '../searcher.ts';
import type { OptunaSpace } from './dimensions.ts';
import type { SamplerSettings } from './samplers.ts';

const MAX_ERROR = 500;

/** The settings of a study. They do not change while a sampler is open. */
export interface StudySettings extends SamplerSettings {
  readonly seed: number;
  readonly space: OptunaSpace;
  readonly goals: readonly GoalName[];
}

/** A trial of the study, as the process knows it. */
export interface KnownTrial {
  readonly record: SuggestionRecord;
  /** The values of an ended trial as JSON, or `null` if the trial has failed. Undefined while the trial runs. */
  ended: string | undefined;
}

/** Returns what the process knows about a trial after a request that contains the trial. */
export function knownTrial({ record, outcome }: PastSuggestion): KnownTrial {
  return { record, ended: endText(outcome) };
}

/**
 * Formats a request as one line.
 * @param known the trials that the process already knows; undefined for a new process
 */
export function requestLine(
  number: number,
  trials: readonly PastSuggestion[],
  known: readonly KnownTrial[] | undefined,
  { sampler, options, seed, space, goals }: StudySettings,
): string {
  const changes = known && changesOf(known, trials);
  const settings = { sampler, options, seed, directions: goals, ...space };
  const { add, end } = changes ?? { add: trials, end: [] };
  const content = { add: add.map(trialMessage), end: end.map(endMessage), number };
  return JSON.stringify(changes === undefined ? { settings, ...content } : content);
}

/**
 * Returns the differences between the study in the process and the study of a request. Returns undefined if the study
 * must start anew.
 */
function changesOf(known: readonly KnownTrial[], trials: readonly PastSuggestion[]) {
  if (known.length > trials.length) return undefined;
  const end: (readonly [number, PastSuggestion])[] = [];
  for (const [position, { record, ended }] of known.entries()) {
    const trial = trials[position];
    if (trial === undefined || trial.record !== record) return undefined;
    const now = endText(trial.outcome);
    if (now === ended) continue;
    if (ended !== undefined) return undefined;
    end.push([position, trial]);
  }
  return { add: trials.slice(known.length), end };
}

function endText(outcome: SuggestionOutcome): string | undefined {
  return outcome.kind === 'running' ? undefined : JSON.stringify(objectivesOf(outcome) ?? null);
}

/** Returns the values of a trial with a result. Undefined for a trial that is running or has failed. */
function objectivesOf(outcome: SuggestionOutcome): number[] | undefined {
  if (outcome.kind === 'running') return undefined;
  const values = outcome.values.filter((value) => value !== undefined && Number.isFinite(value)) as number[];
  return values.length > 0 && values.length === outcome.values.length ? values : undefined;
}

function trialMessage({ record, outcome }: PastSuggestion) {
  return { ...record, state: outcome.kind, objectives: objectivesOf(outcome) };
}

function endMessage([position, { outcome }]: readonly [number, PastSuggestion]) {
  return [position, outcome.kind, objectivesOf(outcome) ?? null];
}

type Reading =
  | { readonly answer: SamplerAnswer; readonly problem?: undefined }
  | { readonly answer?: undefined; readonly problem: string };

/** Parses a line that a sampler process has sent. @param python the interpreter, for messages */
export function readAnswer(line: string, python: string): Reading {
  let data: unknown;
  try {
    data = JSON.parse(line);
  } catch {
    data = undefined;
  }
  const { number, values, attributes, error, kind } = (data ?? {}) as Record<string, unknown>;
  if (typeof error === 'string')
    return { problem: problemText(`${kind}`, visibleText(error).slice(0, MAX_ERROR), python) };
  if (typeof number !== 'number' || typeof attributes !== 'string' || !isNumbers(values)) {
    return { problem: 'the Python process of the sampler sent a line that is not an answer' };
  }
  return { answer: { number, record: { values, attributes } } };
}

function isNumbers(values: unknown): values is Record<string, number> {
  if (typeof values !== 'object' || values === null) return false;
  return Object.values(values).every((value) => typeof value === 'number' && Number.isFinite(value));
}

function problemText(kind: string, error: string, python: string): string {
  switch (kind) {
    case 'optuna':
      return `Optuna is not installed for ${python}; install it with: ${error || python} -m pip install optuna`;
    case 'options':
      return `the options of the sampler are invalid: ${error}`;
    case 'sampler':
      return `the sampler does not exist: ${error}`;
    default:
      return `the sampler raised an exception: ${error}`;
  }
}
