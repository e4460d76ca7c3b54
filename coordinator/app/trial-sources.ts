/** Opens the sources of the trials of submitted sweeps. */
import type { Database } from 'libsql';
import { BadInputError } from '../../proto/errors.ts';
import { adaptiveSource } from '../grid/adaptive-trials.ts';
import { type SweepSpec, usesResults } from '../grid/spec.ts';
import { nextStep } from '../grid/trials.ts';
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
 * @param parsed the file that a request has parsed. It is used if the stored file has the same text.
 */
export type SourceOpener = (sweep: StoredSweepFile, parsed?: ParsedFile) => TrialSource;

/**
 * Opens sources that find existing trials in the store. If this version of trawl rejects a stored sweep file, the
 * source of the sweep yields no trials. The coordinator starts nevertheless, and all other sweeps run.
 */
export function sourceOpener(db: Database): SourceOpener {
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
    const history = storedSearchHistory(db, id);
    const isStored = (trialId: string) => select.get(id, trialId) !== undefined;
    const source = withReplicates(
      spec,
      {
        usesResults: usesResults(spec.search),
        next: (state, isKnown) => nextStep(spec, state, isKnown, () => history.read()),
      },
      (created) => endedTrials(db, queries, id, created, needsCurves(spec)),
    );
    return {
      usesResults: source.usesResults,
      next(state, isKnown) {
        const step = source.next(state, (trialId) => isKnown(trialId) || isStored(trialId));
        if (source.usesResults && step.kind === 'trial') history.add(step.trial);
        return step;
      },
    };
  };
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
