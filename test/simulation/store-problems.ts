/** Checks the trials, attempts, reports and artifacts in the store after a simulation has ended. */
import type { Database } from 'libsql';
import { enumerateTrials } from '../../coordinator/grid/enumerate.ts';
import { usesResults } from '../../coordinator/grid/spec.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import type { StoredFiles } from './stored-files.ts';
import { lossAt, sumAt } from './training.ts';

interface TrialRow {
  readonly sweep: number;
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
  readonly epoch: number;
  readonly metrics: string;
  readonly epochs: number;
}

interface AttemptRow {
  readonly number: number;
  readonly outcome: string | null;
  readonly resumedFrom: number;
  readonly speculative: number;
}

interface ArtifactRow {
  readonly sweepId: string;
  readonly trialId: string;
  /** The trial that produced the file. */
  readonly producer: string;
  readonly attempt: number;
  readonly name: string;
  readonly kind: string;
  readonly epoch: number;
  readonly sha256: string;
}

/** Returns the violated invariants. */
export function storeProblems(db: Database, files: StoredFiles): string[] {
  const trials = db
    .prepare(
      `select sweep_id as sweep, id, state, attempts, epoch, metrics,
         json_extract(parameters, '$.epochs') as epochs from trials`,
    )
    .all() as TrialRow[];
  const problems = trials.flatMap((trial) => trialProblems(db, trial));
  return [...problems, ...creationProblems(db), ...artifactProblems(db, files)];
}

interface SweepRow {
  readonly id: number;
  readonly text: string;
  readonly fileName: string;
  readonly state: string;
  readonly searching: number;
  readonly planned: number;
  readonly version: number;
}

interface CreatedRow {
  readonly id: string;
  readonly idx: number;
  readonly state: string;
  readonly droppedIn: number;
  readonly parent: string;
}

/**
 * Checks that the trials of each sweep are the first points of the sweep, in order and without duplicates. A finished
 * sweep that was never stopped or killed must have all of its points. A sweep with a new version also has trials of
 * points that were dropped, and its trials can be in a different order.
 */
function creationProblems(db: Database): string[] {
  const sweeps = db
    .prepare('select id, text, file_name as fileName, state, searching, planned, version from sweeps')
    .all() as SweepRow[];
  const select = db.prepare(
    'select id, idx, state, dropped_in as droppedIn, parent from trials where sweep_id = ? order by idx',
  );
  const wasStopped = db.prepare(
    "select 1 as found from events where sweep_id = ? and kind in ('sweep stopping', 'sweep killed') limit 1",
  );
  return sweeps.flatMap(({ id, text, fileName, state, searching, planned, version }) => {
    const all = select.all(id) as CreatedRow[];
    // The children of a population are left out. They are created after its first members.
    const created = all.filter(({ parent }) => parent === '');
    const spec = parseSweep(text, fileName);
    // The points of a search that uses results cannot be listed. Therefore, only two things are checked: the trials are
    // distinct, and there are at most run_cap of them.
    const points = usesResults(spec.search)
      ? [...new Set(created.map((trial) => trial.id))]
      : [...enumerateTrials(spec)].map(({ trialId }) => trialId);
    const size = usesResults(spec.search) ? (spec.runCap ?? 0) : points.length;
    const kept = created.filter(({ droppedIn }) => droppedIn === 0);
    const isNumbered = all.every(({ idx }, index) => idx === index);
    const isPrefix = version > 1 ? areSome(kept, points) : created.every((trial, index) => trial.id === points[index]);
    const isWhole = kept.length === size || state !== 'finished' || wasStopped.get(id) !== undefined;
    const total = size + all.length - kept.length;
    const waiting = created.filter((trial) => trial.droppedIn > 0 && ['pending', 'offered'].includes(trial.state));
    return [
      ...(isPrefix && isNumbered ? [] : [`the trials of sweep ${id} are not its first ${created.length} points`]),
      ...(isWhole ? [] : [`sweep ${id} finished with ${kept.length} of ${size} trials`]),
      ...(planned === total ? [] : [`sweep ${id} plans ${planned} of ${total} trials`]),
      ...(searching === 0 ? [] : [`sweep ${id} is ${state} and still creates trials`]),
      ...waiting.map((trial) => `trial ${id}/${trial.id} is ${trial.state}, but its point was dropped`),
    ];
  });
}

/** Whether the trials are distinct points of the sweep. */
function areSome(trials: readonly { readonly id: string }[], points: readonly string[]): boolean {
  const ids = new Set(trials.map(({ id }) => id));
  return ids.size === trials.length && points.filter((id) => ids.has(id)).length === ids.size;
}

function trialProblems(db: Database, trial: TrialRow): string[] {
  const name = `trial ${trial.sweep}/${trial.id}`;
  const attempts = db
    .prepare(
      `select number, outcome, resumed_from as resumedFrom, speculative from attempts
       where sweep_id = ? and trial_id = ? order by number`,
    )
    .all(trial.sweep, trial.id) as AttemptRow[];
  const problems: string[] = [];
  const expect = (holds: boolean, invariant: string) => holds || problems.push(`${name}: ${invariant}`);
  expect(['succeeded', 'stopped', 'failed', 'cancelled'].includes(trial.state), `ended as ${trial.state}`);
  expect(
    attempts.every(({ number }, at) => number === at + 1) && attempts.length === trial.attempts,
    `has attempts ${attempts.map(({ number }) => number).join(', ')} of ${trial.attempts}`,
  );
  const open = attempts.filter(({ outcome }) => outcome === null);
  expect(open.length === 0, `attempt ${open[0]?.number} has no end`);
  const successes = attempts.filter(({ outcome }) => outcome === 'succeeded').map(({ number }) => number);
  const last = attempts.filter(({ outcome }) => outcome === 'succeeded').at(-1)?.number ?? 0;
  // An attempt with a higher number than the successful attempt was superseded, or failed while the successful attempt
  // ran.
  const isLast = attempts.slice(last).length <= (attempts.some(({ speculative }) => speculative > 0) ? 1 : 0);
  const expected = trial.state === 'succeeded' ? [last] : [];
  expect(
    `${successes}` === `${expected}` && (last === 0 || isLast),
    `is ${trial.state} after ${attempts.length} attempts, those that succeeded: ${successes.join(', ')}`,
  );
  const superseded = attempts.filter(({ outcome }) => outcome === 'superseded').length;
  expect(superseded === 0 || trial.state === 'succeeded', `is ${trial.state}, attempts superseded: ${superseded}`);
  for (const attempt of attempts) problems.push(...reportProblems(db, trial, attempt));
  if (trial.state !== 'succeeded') return problems;
  const { test_loss: loss } = JSON.parse(trial.metrics) as Record<string, number>;
  expect(trial.epoch === trial.epochs, `ended at epoch ${trial.epoch} of ${trial.epochs}`);
  expect(loss === lossAt(trial.id, trial.epochs), 'the trial has the result of another trial');
  const model = db
    .prepare(`select 1 from artifacts where sweep_id = ? and trial_id = ? and attempt = ? and name = 'model'`)
    .get(trial.sweep, trial.id, last);
  expect(model !== undefined, 'its model is missing');
  return problems;
}

function reportProblems(db: Database, trial: TrialRow, { number, resumedFrom }: AttemptRow): string[] {
  const rows = db
    .prepare('select epoch, metrics from reports where sweep_id = ? and trial_id = ? and attempt = ? order by seq')
    .all(trial.sweep, trial.id, number) as { epoch: number; metrics: string }[];
  const name = `trial ${trial.sweep}/${trial.id} attempt ${number}`;
  // An attempt starts from epoch 1 if its checkpoint was unavailable.
  const first = rows[0]?.epoch === 1 ? 1 : resumedFrom + 1;
  return rows.flatMap(({ epoch, metrics }, at) => {
    const { test_loss: loss, attempt } = JSON.parse(metrics) as Record<string, number>;
    return [
      ...(epoch === first + at ? [] : [`${name}: epoch ${epoch}, expected ${first + at}`]),
      ...(attempt === number ? [] : [`${name}: a report of attempt ${attempt}`]),
      ...(loss === lossAt(trial.id, epoch) ? [] : [`${name}: a report of another trial or epoch`]),
    ];
  });
}

/** Returns the artifacts in the store whose file is missing or wrong. */
export function artifactProblems(db: Database, files: StoredFiles): string[] {
  const rows = db
    .prepare(
      // A file of attempt 0 is the checkpoint that the trial inherited from its parent. The parent itself may have
      // inherited this checkpoint.
      `select cast(a.sweep_id as text) as sweepId, trial_id as trialId, attempt, name, kind, a.epoch, sha256,
         (with recursive line (id, parent, parent_attempt) as (
            select id, parent, parent_attempt from trials where sweep_id = a.sweep_id and id = a.trial_id
            union all
            select t.id, t.parent, t.parent_attempt from line join trials as t
              on t.sweep_id = a.sweep_id and t.id = line.parent and line.parent_attempt = 0)
          select iif(a.attempt > 0, a.trial_id, (select parent from line where parent_attempt > 0))) as producer
       from artifacts as a`,
    )
    .all() as ArtifactRow[];
  return rows.flatMap((row) => {
    const name = `artifact ${row.name} of ${row.sweepId}/${row.trialId}/${row.attempt}`;
    if (row.sha256 !== sumAt(row.kind, row.producer, row.epoch)) return [`${name} is of another trial`];
    return files.sumOf(row, row.name) === row.sha256 ? [] : [`${name} has no file`];
  });
}
