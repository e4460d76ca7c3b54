/** Opens the sources of the trials of submitted sweeps. */
import type { Database } from 'libsql';
import { BadInputError } from '../../proto/errors.ts';
import { MAX_POINTS_PER_PASS } from '../core/create-trials.ts';
import { adaptiveSource } from '../grid/adaptive-trials.ts';
import type { SweepSpec } from '../grid/spec.ts';
import { type SpecSource, trialSource } from '../grid/trials.ts';
import type { PlannedTrial, SourceState, TrialSource } from '../search/trial-source.ts';
import { endedTrials } from '../store/judged-trials.ts';
import type { StoredFile } from '../store/load.ts';
import { Queries } from '../store/queries.ts';
import { storedSearchHistory } from '../store/search-history.ts';
import { parseSweep } from '../sweepfile/parse.ts';

/** A sweep file and the source of its trials. */
interface ParsedFile {
  readonly text: string;
  readonly source: SpecSource;
}

/**
 * Opens the source of the trials that a stored sweep has not created yet.
 * @param parsed the file that a request has parsed. It is used if the stored file has the same text.
 */
export type SourceOpener = (sweep: StoredFile, parsed?: ParsedFile) => TrialSource;

/**
 * Opens sources that find existing trials in the store. If this version of trawl rejects a stored sweep file, the
 * source of the sweep yields no trials. The coordinator starts nevertheless, and all other sweeps run.
 */
export function sourceOpener(db: Database): SourceOpener {
  const queries = new Queries(db);
  const select = db.prepare('select 1 as found from trials where sweep_id = ? and id = ?');
  return ({ id, text, fileName }, parsed) => {
    const history = storedSearchHistory(db, id);
    let source: SpecSource;
    try {
      source = parsed?.text === text ? parsed.source : trialSource(parseSweep(text, fileName));
    } catch (error) {
      if (!(error instanceof BadInputError)) throw error;
      const problem = `this version of trawl rejects its sweep file: ${error.message}`;
      return { usesResults: false, problem, next: () => ({ kind: 'wait' }) };
    }
    const { spec } = source;
    const first: TrialSource = {
      usesResults: source.usesResults,
      next: (state, isKnown) => source.next(state, isKnown, () => history.read()),
    };
    const all = withReplicates(spec, first, (created) => endedTrials(db, queries, id, created, needsCurves(spec)));
    return {
      usesResults: source.usesResults,
      next(state, isKnown) {
        const step = all.next(state, (trialId) => isKnown(trialId) || select.get(id, trialId) !== undefined);
        if (source.usesResults && step.kind === 'trial') history.add(step.trial);
        return step;
      },
    };
  };
}

/** Adds adaptive replicates to a source. @param first the source, which is returned if the number of replicates is fixed */
function withReplicates(
  spec: SweepSpec,
  first: TrialSource,
  trials: Parameters<typeof adaptiveSource>[3],
): TrialSource {
  const { adaptiveReplicates } = spec;
  return adaptiveReplicates === undefined ? first : adaptiveSource(spec, adaptiveReplicates, first, trials);
}

const needsCurves = ({ hypotheses }: SweepSpec): boolean => hypotheses.some(({ claim }) => claim.kind === 'trend');

interface FirstTrials {
  readonly trials: readonly PlannedTrial[];
  readonly state: SourceState;
  /** Whether the source has no further trials. */
  readonly done: boolean;
}

/** Returns up to `limit` trials to create when a sweep is submitted. Returns no trials if they depend on results. */
export function firstTrials(source: SpecSource, limit: number): FirstTrials {
  const all = withReplicates(source.spec, source, () => undefined);
  const trials: PlannedTrial[] = [];
  const known = new Set<string>();
  let state = source.initialState;
  if (source.usesResults) return { trials, state, done: false };
  for (let points = 0; points < MAX_POINTS_PER_PASS && trials.length < limit; points++) {
    const step = all.next(state, (trialId) => known.has(trialId));
    if (step.kind === 'done') return { trials, state, done: true };
    if (step.kind === 'wait') break;
    state = step.state;
    if (step.kind === 'dropped') continue;
    known.add(step.trial.trialId);
    trials.push(step.trial);
  }
  return { trials, state, done: false };
}
