/** Compares an edited file with a sweep, and changes the sweep to the new version. */
import { keyText } from '../../lib/domain/attempt-key.ts';
import { endedByTarget, reachesTarget } from '../../lib/domain/target.ts';
import { countText } from '../../lib/text/numbers.ts';
import { BadInputError, RejectedError } from '../../proto/errors.ts';
import type { ApplySweepRequest, VersionChanges } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep as WireSweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { type ApplyRequest, hasNewRule, onApply } from '../core/apply.ts';
import { newEarlyStopping } from '../core/early-stopping.ts';
import { forgetIfEnded } from '../core/ended-trials.ts';
import { leasesOf } from '../core/leases.ts';
import type { Sweep } from '../core/model.ts';
import type { Step } from '../core/step.ts';
import { FINAL_STATES, type Trial } from '../core/trial-model.ts';
import { planWithoutDrawing } from '../grid/plan.ts';
import { type SweepSpec, sweptParameters } from '../grid/spec.ts';
import { initialState } from '../grid/trials.ts';
import type { SourceState } from '../search/trial-source.ts';
import type { Queries } from '../store/queries.ts';
import { sweepFingerprint } from '../sweepfile/fingerprint.ts';
import { parseStoredSweep, parseSweep } from '../sweepfile/parse.ts';
import { checkLength } from '../transport/limits.ts';
import { compareSpaces, countChanges, MAX_COMPARED_TRIALS, type SpaceChange } from '../versions/comparison.ts';
import { compareSettings } from '../versions/settings.ts';
import type { Runtime } from './runtime.ts';
import { policyOf } from './sweep-policy.ts';

interface VersionComparison {
  readonly changes: VersionChanges;
  readonly before: SweepSpec;
  readonly after: SweepSpec;
  readonly space: SpaceChange;
  /** The ids of created trials that the new version no longer contains (`dropped`) or contains again (`restored`). */
  readonly dropped: readonly string[];
  readonly restored: readonly string[];
  /**
   * The ids of kept trials that were cancelled when the sweep reached its target. These trials become pending again.
   */
  readonly resumed: readonly string[];
}

/**
 * Compares a file with the current version of a sweep. All earlier changes of the sweep must be durable before the
 * comparison.
 * @throws {BadInputError | RejectedError} if the file cannot become the next version of the sweep
 */
async function compareVersion(
  queries: Queries,
  sweepId: string,
  file: Pick<ApplySweepRequest, 'fileName' | 'text'>,
): Promise<VersionComparison> {
  const current = await queries.sweeps.file(sweepId);
  const after = parseSweep(file.text, file.fileName);
  const before = parseStored(sweepId, current);
  const settings = compareSettings(before, after);
  const isPopulation = [before, after].some(({ earlyTerminate }) => earlyTerminate?.type === 'pbt');
  if (isPopulation && (settings.length > 0 || sweepFingerprint(before) !== sweepFingerprint(after))) {
    throw new RejectedError(
      `sweep ${sweepId} trains a population (method: pbt), which cannot change, because each comparison depends on the ` +
        'earlier ones: submit the file as a new sweep',
    );
  }
  const space = compareSpaces(before, after);
  const { kept, added, dropped } = countChanges(before, after, space);
  const differs = settings.length > 0 || space.kind !== 'same';
  const sweep = await queries.sweeps.get(sweepId);
  if (differs) mustBeChangeable(sweep);
  const marks = await marksOf(queries, sweepId, after, space);
  const hasReachedTarget = differs && sweepState.of(sweep.state) === 'stopped';
  if (hasReachedTarget) await mustNotReachTarget(queries, sweepId, after, marks.dropped);
  const changes: VersionChanges = {
    version: differs ? current.version + 1 : current.version,
    differs,
    kept,
    added,
    dropped,
    droppedStarted: marks.droppedStarted,
    settings,
  };
  const resumed = hasReachedTarget ? await endCancelled(queries, sweep, marks.dropped) : [];
  return { changes, before, after, space, dropped: marks.dropped, restored: marks.restored, resumed };
}

/** Returns the ids of the trials that were cancelled when the sweep ended, and whose points the new version keeps. */
async function endCancelled(
  queries: Queries,
  { id, reason }: WireSweep,
  dropped: readonly string[],
): Promise<string[]> {
  const gone = new Set(dropped);
  return (await queries.trials.cancelledBy(id, reason)).filter((trialId) => !gone.has(trialId));
}

function parseStored(sweepId: string, { text, fileName }: { text: string; fileName: string }): SweepSpec {
  try {
    return parseStoredSweep(text, fileName);
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    throw new RejectedError(`this version of trawl rejects the file of sweep ${sweepId}: ${error.message}`);
  }
}

/**
 * @throws {RejectedError} for a sweep that a user has stopped or killed. A sweep that has reached its target can change
 * once it has ended.
 */
function mustBeChangeable(sweep: WireSweep): void {
  const state = sweepState.of(sweep.state);
  if (state === 'stopping' && endedByTarget(sweep))
    throw new RejectedError(
      `sweep ${sweep.id} is ending, because it reached its target: apply the file again after its end`,
    );
  if (state === 'stopped' && endedByTarget(sweep)) return;
  if (state !== 'stopping' && state !== 'stopped' && state !== 'killed') return;
  const how = state === 'stopping' ? 'is stopping' : `was ${state}`;
  throw new RejectedError(`sweep ${sweep.id} ${how}: submit the file as a new sweep`);
}

/** @throws {RejectedError} if a result of a kept point reaches the target of the new version */
async function mustNotReachTarget(
  queries: Queries,
  sweepId: string,
  after: SweepSpec,
  dropped: readonly string[],
): Promise<void> {
  const { target } = after.metric;
  if (target === undefined) return;
  const gone = new Set(dropped);
  const best = await queries.trials.bestResults(sweepId, after.metric.goal, dropped.length + 1);
  for (const { index, value } of best) {
    const trial = await queries.trials.at(sweepId, index);
    if (trial === undefined || gone.has(trial.id)) continue;
    if (!reachesTarget(value, target, after.metric.goal)) return;
    throw new RejectedError(
      `trial ${trial.id} has ${after.metric.name} ${value}, which reaches the target ${target}: ` +
        'set a stricter metric.target or remove it, so that the sweep can continue',
    );
  }
}

interface Marks {
  readonly dropped: string[];
  readonly restored: string[];
  /** The number of trials in `dropped` that are neither pending, offered nor cancelled. */
  readonly droppedStarted: number;
}

async function marksOf(queries: Queries, sweepId: string, after: SweepSpec, space: SpaceChange): Promise<Marks> {
  if (space.kind === 'same') return { dropped: [], restored: [], droppedStarted: 0 };
  const created = await queries.trials.created(sweepId);
  if (created > MAX_COMPARED_TRIALS) {
    throw new RejectedError(
      `the points of sweep ${sweepId} cannot change, because it has ${countText(created, 'trial')} ` +
        `(max ${MAX_COMPARED_TRIALS.toLocaleString('en')}): submit the file as a new sweep`,
    );
  }
  const marks = { dropped: [] as string[], restored: [] as string[], droppedStarted: 0 };
  const limit = planWithoutDrawing(after).trials;
  let place = 0;
  for await (const point of queries.trials.points(sweepId)) {
    const isInside = space.contains(point) && (space.kind === 'grid' || place++ < limit);
    if (isInside && point.droppedIn > 0) marks.restored.push(point.id);
    if (isInside || point.droppedIn > 0) continue;
    marks.dropped.push(point.id);
    if (point.state !== 'pending' && point.state !== 'offered' && point.state !== 'cancelled')
      marks.droppedStarted += 1;
  }
  return marks;
}

/**
 * A comparison is repeated if the sweep changes during the comparison. After this number of comparisons, the file is
 * rejected.
 */
const MAX_COMPARISONS = 20;

/**
 * Resolves once the new version is durable. While the comparison reads the store, the sweep in memory can change. If
 * such a change affects the comparison (see `factsOf`), the file is compared again.
 * @returns the differences from the previous version
 * @throws {RejectedError} if the file cannot become the next version of the sweep, or if the sweep changed during every
 * comparison
 */
export async function applyVersion(
  runtime: Runtime,
  sweepId: string,
  request: ApplySweepRequest,
  by: string,
): Promise<VersionChanges> {
  checkLength('file name', request.fileName);
  for (let comparisons = 0; comparisons < MAX_COMPARISONS; comparisons++) {
    const before = factsOf(runtime, sweepId);
    // The comparison reads the store, so all changes so far must be in the store.
    await runtime.flush();
    const comparison = await compareVersion(runtime.queries, sweepId, request);
    runtime.checkSampler(comparison.after);
    if (request.dryRun || !comparison.changes.differs) return comparison.changes;
    const prepared = await prepareVersion(runtime, sweepId, request, comparison);
    const now = factsOf(runtime, sweepId);
    if (now.trials === before.trials && (prepared.history === undefined || now.reports === before.reports)) {
      await runtime.settle(applyPrepared(runtime, prepared), by);
      runtime.reschedule();
      return comparison.changes;
    }
    for (const trial of prepared.loaded) forgetIfEnded(prepared.apply.sweep, trial);
  }
  throw new RejectedError(
    `sweep ${sweepId} changed during each of ${MAX_COMPARISONS} comparisons with the file: pause it, and apply the file again`,
  );
}

/**
 * Returns two texts, which are taken before and after a comparison of the file. If `trials` is no longer the same, the
 * state of the sweep has changed, a trial was created or a trial has ended, so the comparison may be wrong. If
 * `reports` is no longer the same, an attempt has started, has sent a record or has ended, so the history that was read
 * for an early-stopping rule may be incomplete.
 */
function factsOf({ core }: Runtime, sweepId: string): { readonly trials: string; readonly reports: string } {
  const sweep = core.sweeps.get(sweepId);
  if (sweep === undefined) return { trials: '', reports: '' };
  const { state, counts, trials } = sweep;
  const created = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const ended = FINAL_STATES.map((final) => counts[final]);
  const received = [...trials.values()].flatMap(leasesOf).map(({ key, lastSeq }) => [keyText(key), lastSeq]);
  return { trials: JSON.stringify([state, created, ended]), reports: JSON.stringify(received) };
}

interface PreparedVersion {
  readonly apply: ApplyRequest;
  /** The trials that were loaded for the new version. */
  readonly loaded: readonly Trial[];
  /** The history of the new early-stopping rule. Undefined if the rule does not change. */
  readonly history: Pick<Sweep, 'earlyStopping'> | undefined;
}

/** Reads from the store what the new version needs. */
async function prepareVersion(
  runtime: Runtime,
  sweepId: string,
  request: ApplySweepRequest,
  { changes, before, after, space, dropped, restored, resumed }: VersionComparison,
): Promise<PreparedVersion> {
  const { store, core, queries } = runtime;
  const current = await queries.sweeps.file(sweepId);
  if (request.baseVersion !== 0 && request.baseVersion !== current.version) {
    throw new RejectedError(
      `sweep ${sweepId} has changed to version ${current.version} since the comparison: apply the file again`,
    );
  }
  const now = runtime.now();
  const sweep = core.sweeps.get(sweepId) ?? (await store.loadSweep(sweepId, now));
  const plan = planWithoutDrawing(after);
  const policy = policyOf(after, sweep.policy.program?.code, plan.isBound);
  const outside = (await queries.trials.droppedIds(sweepId)).length + dropped.length - restored.length;
  const search = await searchOf(runtime, sweep, { after, request, space, outside, total: plan.trials });
  const droppedEnds = await queries.trials.endedStates(sweepId, dropped);
  const loaded = await store.loadTrials(sweep, [...restored, ...resumed], now);
  try {
    const history = hasNewRule(sweep.policy, policy)
      ? { ...sweep, policy, earlyStopping: newEarlyStopping(policy) }
      : undefined;
    if (history !== undefined) await store.loadRuleHistory(history);
    const version = {
      number: changes.version,
      fileName: request.fileName,
      text: request.text,
      fingerprint: sweepFingerprint(after),
      name: after.name,
      axes: sweptParameters(after),
      configs: plan.configs,
      replicates: plan.replicates,
      excluded: plan.excluded.reduce((sum, { count }) => sum + count, 0),
      policy,
      // If both versions of the file have the same priority, the sweep keeps its current priority, which a user may
      // have set.
      priority: before.priority === after.priority ? sweep.priority : after.priority,
      detail: describe(changes),
    };
    const planned = plan.trials + outside;
    const apply = { sweep, version, planned, search, dropped, droppedEnds, restored, resumed };
    return { apply, loaded, history };
  } catch (error) {
    for (const trial of loaded) forgetIfEnded(sweep, trial);
    throw error;
  }
}

/** Changes the sweep in memory. */
function applyPrepared({ core, now }: Runtime, { apply, loaded, history }: PreparedVersion): Step {
  const { sweep } = apply;
  const step = onApply(core, apply, now());
  for (const trial of loaded) forgetIfEnded(sweep, trial);
  if (history === undefined) return step;
  sweep.earlyStopping = history.earlyStopping;
  // The new version may have dropped some of the trials whose curves were read.
  for (const id of history.earlyStopping?.resumable.keys() ?? []) {
    if (!sweep.trials.has(id)) history.earlyStopping?.resumable.delete(id);
  }
  return step;
}

interface NewSpace {
  readonly after: SweepSpec;
  readonly request: Pick<ApplySweepRequest, 'text' | 'fileName'>;
  readonly space: SpaceChange;
  /** The number of created trials that the new version does not contain. */
  readonly outside: number;
  /** The number of trials of the new version. */
  readonly total: number;
}

/**
 * Returns the source of further trials and its state. If the new version has a different grid, or no state is stored,
 * the points are visited from the first point on, and points that already have a trial are skipped. In all other cases,
 * the search continues from its stored state.
 */
async function searchOf(
  runtime: Runtime,
  sweep: Sweep,
  { after, request, space, outside, total }: NewSpace,
): Promise<ApplyRequest['search']> {
  const { text, fileName } = request;
  const source = runtime.openSource({ id: sweep.id, text, fileName }, { text, spec: after });
  const stored = await runtime.store.searchState(sweep.id);
  const created = await runtime.queries.trials.created(sweep.id);
  const state: SourceState =
    space.kind === 'grid' || stored === undefined
      ? { ...initialState(after), created, outside, merges: true }
      : { ...stored.state, outside };
  const isWhole = created - outside >= total;
  // A sweep that has reached its target has the state `stopped`. Its search was stored as done, but the search may have
  // further trials and therefore continues.
  const isDone = stored === undefined || (stored.done && sweep.state !== 'stopped');
  const done = isWhole || (space.kind === 'same' && isDone);
  return { source, state, done };
}

function describe({ version, kept, added, dropped, settings }: VersionChanges): string {
  const changed = settings.map(({ key, before, after }) => `${key} ${before} → ${after}`);
  const counts = `${kept.toLocaleString('en')} trials kept, ${added.toLocaleString('en')} added, ${dropped.toLocaleString('en')} dropped`;
  return `version ${version}: ${[counts, ...changed].join('; ')}`;
}
