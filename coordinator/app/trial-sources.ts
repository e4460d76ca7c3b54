/** Opens the trial sources of submitted sweeps. */
import { BadInputError } from '../../proto/errors.ts';
import { adaptiveSource } from '../grid/adaptive-trials.ts';
import { type SweepSpec, usesResults } from '../grid/spec.ts';
import { nextStep, studyOf } from '../grid/trials.ts';
import type { Samplers } from '../search/optuna/sweep-samplers.ts';
import type { TrialSource } from '../search/trial-source.ts';
import { endedTrials } from '../store/judged-trials.ts';
import { type StoredSearchHistory, storedSearchHistory } from '../store/search-history.ts';
import type { Store, StoredSweepFile } from '../store/store.ts';
import { parseStoredSweep } from '../sweepfile/parse.ts';
import { StepsAhead } from './steps-ahead.ts';

interface ParsedFile {
  readonly text: string;
  readonly spec: SweepSpec;
}

/**
 * Opens the source of the trials that a stored sweep has not created yet.
 * @param parsed the parsed file of a request; used only if the stored file has the same text
 */
export type SourceOpener = (sweep: StoredSweepFile, parsed?: ParsedFile) => TrialSource;

/**
 * Returns a function that opens trial sources. The sources ask the store which trials already exist. If this version of
 * trawl rejects a stored sweep file, the source of the sweep yields no trials. The coordinator starts nevertheless, and
 * all other sweeps run.
 * @param samplers the processes of optuna searches; without them, such a search yields no trials
 */
export function sourceOpener(store: Pick<Store, 'reader' | 'queries'>, samplers?: Samplers): SourceOpener {
  const queries = store.queries();
  return ({ id, text, fileName }, parsed) => {
    let spec: SweepSpec;
    try {
      spec = parsed?.text === text ? parsed.spec : parseStoredSweep(text, fileName);
    } catch (error) {
      if (!(error instanceof BadInputError)) throw error;
      const problem = `this version of trawl rejects its sweep file: ${error.message}`;
      return { usesResults: false, problem, prepare: async () => {}, next: () => ({ kind: 'wait' }) };
    }
    const findStored = (trialIds: readonly string[]) => queries.trials.existing(id, trialIds);
    const source = usesResults(spec.search)
      ? resultSource(spec, storedSearchHistory(store.reader, id, spec.seeds.length), samplers, id)
      : pureSource(spec, findStored);
    const { adaptiveReplicates } = spec;
    if (adaptiveReplicates === undefined) return source;
    const ended = (created: number) => endedTrials(store.reader, queries, id, created, needsCurves(spec));
    return adaptiveSource(spec, adaptiveReplicates, source, ended, findStored);
  };
}

/** Returns the source of a search whose points do not depend on results. */
function pureSource(
  spec: SweepSpec,
  findStored: (trialIds: readonly string[]) => Promise<ReadonlySet<string>>,
): TrialSource {
  const ahead = new StepsAhead((state, isKnown) => nextStep(spec, state, isKnown), findStored);
  return {
    usesResults: false,
    prepare: (state) => ahead.prepare(state),
    get isUnprepared() {
      return ahead.isExhausted;
    },
    next: (state, isKnown) => ahead.next(state, isKnown),
  };
}

/** Returns the source of a search whose points depend on results. */
function resultSource(
  spec: SweepSpec,
  history: StoredSearchHistory,
  samplers: Samplers | undefined,
  sweepId: string,
): TrialSource {
  const sampler = spec.search?.method === 'optuna' ? samplers?.open(sweepId, studyOf(spec, spec.search)) : undefined;
  const read = () => {
    const results = history.read();
    if (sampler === undefined) return results;
    return { ...results, sampler: { suggestions: history.suggestions(), answer: sampler.answer } };
  };
  let isPrepared = false;
  let isUnprepared = false;
  return {
    usesResults: true,
    get problem() {
      return sampler?.problem;
    },
    get isUnprepared() {
      return isUnprepared;
    },
    async prepare() {
      await history.refresh();
      isPrepared = true;
      isUnprepared = false;
    },
    next(state, isKnown) {
      // A sweep may be added during a pass, after the pass has prepared the sources. The source of such a sweep has
      // not yet read the history of the search, and would start the search over.
      if (!isPrepared) {
        isUnprepared = true;
        return { kind: 'wait' };
      }
      // While the sampler is busy, only the replicates of the current config are created, because they need no
      // suggestion.
      if (sampler?.isBusy === true && state.config === undefined) return { kind: 'wait' };
      const step = nextStep(spec, state, (trialId) => isKnown(trialId) || history.has(trialId), read);
      if (step.kind === 'trial') history.add(step.trial);
      if (step.kind === 'wait') {
        if (step.request !== undefined) sampler?.request(step.request);
      } else if (step.kind !== 'done' && step.suggestion !== undefined) history.addSuggestion(step.suggestion);
      return step;
    },
  };
}

const needsCurves = ({ hypotheses }: SweepSpec): boolean => hypotheses.some(({ claim }) => claim.kind === 'trend');
