/**
 * Compares the members of a population when all of them wait at a rung (population based training). In one step, the
 * worst members are stopped, children of the best members are created, and all other members continue. Because all
 * members wait for the comparison, the result depends neither on the number of slots nor on the order of the reports.
 */

import { formatStep } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { TrainerName } from '../../proto/trainers.ts';
import { chosen, explored, selectMembers } from '../early-stop/population.ts';
import { scoreText } from '../early-stop/rule.ts';
import { idsOf } from '../grid/trial-id.ts';
import type { Checkpoint } from './attempt-model.ts';
import type { Sweep } from './model.ts';
import { advance } from './promotions.ts';
import type { Change } from './step.ts';
import type { Population } from './sweep-observations.ts';
import { isFinal, newTrial, type Trial } from './trial-model.ts';
import { addTrial, createdTrials, moveTrial } from './trials.ts';
import { onComparison, onHeldTrialStopped } from './warnings.ts';

/**
 * A checkpoint that a child inherits from its parent has this attempt number. The child's own attempts are numbered
 * from 1.
 */
export const PARENT_ATTEMPT = 0;

/** A trial that can be a parent. */
interface Parent {
  readonly trial: Trial;
  readonly checkpoint: Checkpoint;
}

/** Compares the members of a running sweep if all of them wait. Otherwise, nothing changes. */
export function compareMembers(sweep: Sweep, now: number): Change[] {
  const population = sweep.earlyStopping?.population;
  if (population === undefined || sweep.state !== 'running' || sweep.search !== undefined) return [];
  if (sweep.counts.held === 0 || sweep.counts.pending + sweep.counts.offered + sweep.counts.running > 0) return [];
  const ranked = [...sweep.trials.values()].filter(({ state }) => !isFinal(state)).sort(byScore);
  const { settings, vacant } = population;
  const selection = selectMembers(ranked, vacant.size, settings.quantile);
  const parents = selection.parents.flatMap((trial): Parent[] =>
    trial.checkpoint === undefined ? [] : [{ trial, checkpoint: trial.checkpoint }],
  );
  population.compared = Math.max(...ranked.map(({ rung }) => rung));
  const place = (trial: Trial) => placeText(sweep, ranked, trial);
  const changes: Change[] = [];
  const replace = (replaced: string, reason: string): string | undefined => {
    const child = createChild(sweep, population, parents, replaced, reason);
    if (child !== undefined) changes.push(child.change);
    return child && `replaced by ${shortId(child.id)}, a child of ${shortId(child.parent)}`;
  };
  for (const id of [...vacant].sort()) {
    if (replace(id, 'failed') !== undefined) vacant.delete(id);
  }
  for (const trial of selection.replaced) {
    const replacement = replace(trial.id, place(trial));
    if (replacement === undefined) continue;
    const detail = `pbt: ${place(trial)}; ${replacement}`;
    changes.push(moveTrial(sweep, trial, 'stopped', { detail }), ...onHeldTrialStopped(sweep, trial, now));
  }
  for (const trial of ranked) {
    if (trial.state !== 'held') continue;
    changes.push(...advance(sweep, trial, trial.rung, { detail: place(trial), verb: 'continues' }));
  }
  const hasProblem = parents.length === 0 && selection.replaced.length + vacant.size > 0;
  return [...changes, ...onComparison(sweep, hasProblem ? noParentText(population) : undefined, now)];
}

function noParentText({ compared }: Population): string {
  const at = `at the comparison of epoch ${formatStep(compared)}`;
  return `none of the best members had a checkpoint ${at}, so no member was replaced`;
}

function byScore(a: Trial, b: Trial): number {
  return a.rungScore - b.rungScore || a.index - b.index;
}

function placeText({ policy }: Sweep, ranked: readonly Trial[], trial: Trial): string {
  const value = scoreText(trial.rungScore, policy.ranking.goal);
  return `${value} ranks ${ranked.indexOf(trial) + 1} of ${ranked.length} at epoch ${formatStep(trial.rung)}`;
}

interface Child {
  readonly id: string;
  readonly parent: string;
  readonly change: Change;
}

/**
 * Creates a child of one of the parents. Returns undefined if there is no parent with a checkpoint, or if the maximum
 * number of trials is reached.
 */
function createChild(
  sweep: Sweep,
  { settings, compared }: Population,
  parents: readonly Parent[],
  replaces: string,
  reason: string,
): Child | undefined {
  const index = createdTrials(sweep);
  const parent = chosen(parents, settings.seed, index, 'parent');
  const { parameters: inherited } = parent?.trial ?? {};
  if (parent === undefined || inherited === undefined) return undefined;
  if (settings.maxTrials !== undefined && index >= settings.maxTrials) return undefined;
  const { checkpoint } = parent;
  const parameters = explored(inherited, settings, index);
  const { configId, trialId } = idsOf(sweep.policy.trainer as TrainerName, parameters);
  // No two trials of the sweep have the same seed, so trials with equal parameters have different ids.
  const trial = { index, parameters, seed: index, trialId: trialId(index), configId };
  sweep.planned += 1;
  addTrial(sweep, {
    ...newTrial(sweep.policy, trial),
    parent: parent.trial.id,
    rung: compared,
    promotedFrom: compared,
    checkpoint: { ...checkpoint, attempt: PARENT_ATTEMPT },
  });
  const detail =
    `child of ${shortId(parent.trial.id)} after epoch ${formatStep(checkpoint.epoch)}; ` +
    `replaces ${shortId(replaces)} (${reason})`;
  const origin = { parent: parent.trial.id, replaces, rung: compared, checkpoint, detail };
  return {
    id: trial.trialId,
    parent: parent.trial.id,
    change: { kind: 'inherited', sweepId: sweep.id, trial, origin },
  };
}
