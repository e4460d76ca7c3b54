/** Opens the sources of the trials of submitted sweeps. */
import type { Database } from 'libsql';
import { BadInputError } from '../../proto/errors.ts';
import { adaptiveSource } from '../grid/adaptive-trials.ts';
import { type OptunaSettings, type SweepSpec, usesResults } from '../grid/spec.ts';
import { nextStep } from '../grid/trials.ts';
import { OptunaDimensions } from '../search/optuna/dimensions.ts';
import type { StudySettings } from '../search/optuna/messages.ts';
import type { Samplers } from '../search/optuna/sweep-samplers.ts';
import type { TrialSource } from '../search/trial-source.ts';
import { endedTrials } from '../store/judged-trials.ts';
import type { StoredSweepFile } from '../store/load.ts';
import { Queries } from '../store/queries.ts';
import { storedSearchHistory } from '../store/search-history.ts';
import { parseSweep } from '../sweepfile/parse.ts';

interface ParsedFile {
  readonly text: string;
  readonly spec: SweepSpec;
}

/**
 * Opens the source of the trials that a stored sweep has not created yet.
 * @param parsed the file that a request has parsed. It is used only if the stored file has the same text.
 */
export type SourceOpener = (sweep: StoredSweepFile, parsed?: ParsedFile) => TrialSource;

/**
 * Opens sources that find existing trials in the store. If this version of trawl rejects a stored sweep file, the
 * source of the sweep yields no trials. The coordinator starts nevertheless, and all other sweeps run.
 * @param samplers the processes of optuna searches; without them, such a search yields no trials
 */
export function sourceOpener(db: Database, samplers?: Samplers): SourceOpener {
  const queries = new Queries(db);
  const select = db.prepare('select 1 as found from trials where sweep_id = ? and id = ?');
  return ({ id, text, fileName }, parsed) => {
    let spec: SweepSpec;
    try {
      spec = parsed?.text === text ? parsed.spec : parseSweep(text, fileName);
    } catch (error) {
      if (!(error instanceof BadInputError)) throw error;
      const problem = `this version of trawl rejects its sweep file: ${error.message}`;
      return { usesResults: false, problem, next: () => ({ kind: 'wait' }) };
    }
    const history = storedSearchHistory(db, id, spec.seeds.length);
    const sampler = spec.search?.method === 'optuna' ? samplers?.open(id, studyOf(spec, spec.search)) : undefined;
    const read = () => {
      const results = history.read();
      if (sampler === undefined) return results;
      return { ...results, sampler: { suggestions: history.suggestions(), answer: sampler.answer } };
    };
    const isStored = (trialId: string) => select.get(id, trialId) !== undefined;
    const source = withReplicates(
      spec,
      {
        usesResults: usesResults(spec.search),
        next: (state, isKnown) => {
          // The history is not read while the sampler is busy. The replicates of a config need no sampler.
          if (sampler?.isBusy === true && state.config === undefined) return { kind: 'wait' };
          const step = nextStep(spec, state, isKnown, read);
          if (step.kind === 'wait' && step.request !== undefined) sampler?.request(step.request);
          return step;
        },
      },
      (created) => endedTrials(db, queries, id, created, needsCurves(spec)),
    );
    return {
      usesResults: source.usesResults,
      prepare: source.prepare,
      get problem() {
        return sampler?.problem;
      },
      next(state, isKnown) {
        const step = source.next(state, (trialId) => isKnown(trialId) || isStored(trialId));
        if (source.usesResults && step.kind === 'trial') history.add(step.trial);
        if (step.kind !== 'wait' && step.kind !== 'done' && step.suggestion !== undefined) {
          history.addSuggestion(step.suggestion);
        }
        return step;
      },
    };
  };
}

function studyOf({ objectives, metric, when }: SweepSpec, search: OptunaSettings): StudySettings {
  const { sampler, options, python, seed, space } = search;
  const goals = objectives.length > 0 ? objectives.map(({ goal }) => goal) : [metric.goal];
  return { sampler, options, python, seed, space: new OptunaDimensions(space, when).space, goals };
}

/** Adds adaptive replicates to a source. Returns the source itself if the number of replicates is fixed. */
function withReplicates(
  spec: SweepSpec,
  first: TrialSource,
  trials: Parameters<typeof adaptiveSource>[3],
): TrialSource {
  const { adaptiveReplicates } = spec;
  return adaptiveReplicates === undefined ? first : adaptiveSource(spec, adaptiveReplicates, first, trials);
}

const needsCurves = ({ hypotheses }: SweepSpec): boolean => hypotheses.some(({ claim }) => claim.kind === 'trend');
