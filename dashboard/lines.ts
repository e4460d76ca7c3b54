/** The progress of a sweep as lines of text, for a log or a pipe: one line per notable event. */

import { ownValue } from '../lib/domain/own-value.ts';
import { parametersText } from '../lib/domain/parameters.ts';
import { objectiveText, rankingMetric } from '../lib/domain/ranking.ts';
import { endedTotal, sweepEnded, trialEnded, trialTotal } from '../lib/domain/trial-state.ts';
import { formatSpan } from '../lib/text/duration.ts';
import { countText, formatMetric, formatStep } from '../lib/text/numbers.ts';
import { shortId } from '../lib/text/short-id.ts';
import { shortTotalText, totalText } from '../lib/text/trials-to-come.ts';
import { firstLine, visibleText } from '../lib/text/visible-text.ts';
import type { WatchDelta, WatchResponse, WatchSnapshot } from '../proto/gen/trawl/v1/sweep_service.ts';
import {
  type Agent,
  AgentState,
  type Event,
  type Failure,
  type Sweep,
  type Trial,
} from '../proto/gen/trawl/v1/types.ts';
import { failureClass, sweepState, trialState } from '../proto/names.ts';
import { attemptIdOf } from './state/curve-cache.ts';
import { type FirstReports, withFirstReports } from './state/first-reports.ts';
import { type DashboardState, EMPTY_STATE, reduce } from './state/reducer.ts';

const MAX_TRIALS_WITH_EPOCH_LINES = 50;

/** The maximum number of metrics in the line of an epoch, in addition to the ranking metric. */
const MAX_EPOCH_METRICS = 8;
const EPOCH_METRICS = ['train_loss', 'test_loss', 'psnr'];

interface LinesState extends DashboardState {
  readonly firstReports: FirstReports;
}

function stamp(sweep: Sweep | undefined, atMs: number): string {
  return `+${formatSpan(atMs - (sweep?.createdAtMs ?? atMs))}`.padEnd(8);
}

function agentLines(before: readonly Agent[], after: readonly Agent[]): string[] {
  const known = new Map(before.map((agent) => [agent.id, agent.state]));
  return after.flatMap((agent) => {
    if (known.get(agent.id) === agent.state) return [];
    const name = `agent ${agent.id} (${agent.host})`;
    if (agent.state === AgentState.LEFT) return known.has(agent.id) ? [`${name} left`] : [];
    if (agent.state === AgentState.LOST) return known.has(agent.id) ? [`${name} lost: no heartbeat`] : [];
    if (agent.state === AgentState.DRAINED) return [`${name} drained: no trials running`];
    if (agent.state === AgentState.QUARANTINED) return [`${name} quarantined: ${agent.quarantine?.reason ?? ''}`];
    if (agent.state === AgentState.DRAINING) return [`${name} draining: takes no new trials`];
    const slots = `${agent.slots} ${agent.slots === 1 ? 'slot' : 'slots'}`;
    return [`${name} connected: ${[slots, agent.backend, ...agent.gpus].filter(Boolean).join(', ')}`];
  });
}

function sweepLine(sweep: Sweep): string {
  const why = sweep.reason === '' ? '' : `: ${sweep.reason}`;
  if (!sweepEnded(sweep)) return `sweep ${sweep.name} ${sweepState.of(sweep.state)}${why}`;
  const counts = Object.entries(sweep.counts ?? {}).filter(([, count]) => count > 0);
  const took = formatSpan(sweep.endedAtMs - sweep.createdAtMs);
  const summary = counts.map(([state, count]) => `${count} ${state}`).join(', ');
  return `sweep ${sweep.name} ${sweepState.of(sweep.state)}${why}: ${summary} in ${took}`;
}

function openingLine(sweep: Sweep): string {
  const metric = sweep.metric === undefined ? '' : `, ${objectiveText(sweep)}`;
  const replicates = sweep.replicates > 1 ? ` (${sweep.configs} configs x ${sweep.replicates} seeds)` : '';
  const ended = endedTotal(sweep) > 0 ? `, ${endedTotal(sweep)} already ended` : '';
  return `sweep ${sweep.name} (${sweep.id}): ${totalText(sweep)}${replicates}${metric}${ended}`;
}

/** @param ranking the ranking metric, which comes first */
function epochLine(trial: Trial, ranking: string): string {
  const usual = EPOCH_METRICS.filter((name) => Object.hasOwn(trial.metrics, name));
  const all = usual.length > 0 ? usual : Object.keys(trial.metrics).sort();
  const shown = all.filter((name) => name !== ranking).slice(0, MAX_EPOCH_METRICS);
  if (Object.hasOwn(trial.metrics, ranking)) shown.unshift(ranking);
  const values = shown.map((name) => `${name} ${formatMetric(ownValue(trial.metrics, name))}`);
  const others = all.filter((name) => !shown.includes(name)).length;
  const more = others > 0 ? `, and ${countText(others, 'more metric')}` : '';
  return `trial ${shortId(trial.id)} epoch ${formatStep(trial.epoch)}: ${values.join(', ')}${more}`;
}

function failureText(failure: Failure): string {
  return `${failureClass.of(failure.class)}: ${firstLine(failure.message)}`;
}

/** Returns the ranking metric. For a sweep without a ranking metric, returns the first metric of its trials. */
function rankingOf({ sweep, trials }: DashboardState): string {
  return rankingMetric(sweep?.metric?.name, trials.values());
}

function endedLine(trial: Trial, state: LinesState, ended: number): string {
  const total = state.sweep === undefined ? '?' : shortTotalText(state.sweep);
  const outcome = trialState.of(trial.state);
  const parts: string[] = [];
  if (trial.failure !== undefined) parts.push(failureText(trial.failure));
  if (trial.stopReason !== '') parts.push(trial.stopReason);
  const ranking = rankingOf(state);
  if (ranking !== 'train_loss' && Object.hasOwn(trial.metrics, ranking)) {
    parts.push(`${ranking} ${formatMetric(ownValue(trial.metrics, ranking))}`);
  }
  const last = trial.metrics.train_loss;
  const first = state.firstReports.get(trial.id);
  const from = first?.attempt === attemptIdOf(trial) && trial.epoch > 1 ? first.metrics.train_loss : undefined;
  if (last !== undefined) {
    parts.push(`train_loss ${from === undefined ? '' : `${formatMetric(from)} -> `}${formatMetric(last)}`);
  }
  if (ranking !== 'psnr' && Object.hasOwn(trial.metrics, 'psnr'))
    parts.push(`psnr ${formatMetric(trial.metrics.psnr)}`);
  if (trial.leasedMs > 0) parts.push(formatSpan(trial.leasedMs));
  return `trial ${shortId(trial.id)} ${outcome} (${ended}/${total})${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
}

function startedLine(event: Event, trial: Trial, after: DashboardState): string {
  const again = event.attempt > 1 ? `, attempt ${event.attempt}` : '';
  return `trial ${shortId(trial.id)} started${again} on ${trial.agentId}: ${parametersText(trial, after.varying)}`;
}

function lastEvents(events: readonly Event[]): Map<string, number> {
  return new Map(events.map((event, i) => [event.trialId, i]));
}

function trialLines(delta: WatchDelta, before: DashboardState, after: LinesState): string[] {
  const lines: string[] = [];
  const epochs = after.sweep !== undefined && trialTotal(after.sweep) <= MAX_TRIALS_WITH_EPOCH_LINES;
  const lastOf = lastEvents(delta.events);
  const withEpochLine = new Set<string>();
  const attemptEnded = new Map<string, number>();
  let ended = endedCount(before);
  const addEndLine = (trial: Trial) => {
    const known = before.trials.get(trial.id);
    if (!trialEnded(trial) || known === undefined || trialEnded(known)) return;
    ended++;
    if (wasStarted(trial)) lines.push(`${stamp(after.sweep, trial.endedAtMs)} ${endedLine(trial, after, ended)}`);
  };
  delta.events.forEach((event, i) => {
    const trial = after.trials.get(event.trialId);
    if (trial === undefined) return;
    const known = before.trials.get(trial.id);
    const add = (line: string) => lines.push(`${stamp(after.sweep, event.atMs)} ${line}`);
    switch (event.kind) {
      case 'granted':
        add(startedLine(event, trial, after));
        break;
      case 'speculated':
        add(`trial ${shortId(trial.id)} is slow: attempt ${event.attempt} started ${event.detail}`);
        break;
      case 'reported': {
        const advanced = trial.epoch > 0 && (known?.epoch !== trial.epoch || known.attempts !== trial.attempts);
        if (epochs && advanced && !withEpochLine.has(trial.id)) add(epochLine(trial, rankingOf(after)));
        withEpochLine.add(trial.id);
        break;
      }
      case 'ended':
        attemptEnded.set(trial.id, event.attempt);
        break;
      case 'pending': {
        // If an attempt has ended, the event means a retry. Otherwise, the event means that an offer was withdrawn.
        const attempt = attemptEnded.get(trial.id);
        if (attempt !== undefined) add(`trial ${shortId(trial.id)} attempt ${attempt} ${firstLine(event.detail)}`);
        break;
      }
    }
    if (lastOf.get(trial.id) === i) addEndLine(trial);
  });
  // A very large delta arrives in parts, and only the first part has events. The other parts have only rows.
  for (const trial of delta.trials) if (!lastOf.has(trial.id)) addEndLine(trial);
  return lines;
}

function deltaLines(delta: WatchDelta, before: DashboardState, after: LinesState): string[] {
  const { sweep } = after;
  const newest = delta.events.at(-1)?.atMs ?? sweep?.createdAtMs ?? 0;
  const lines = delta.agents.length > 0 ? agentLines(before.agents, delta.agents) : [];
  const stamped = lines.map((line) => `${stamp(sweep, newest)} ${line}`);
  stamped.push(...trialLines(delta, before, after));
  if (sweep !== undefined && before.sweep !== undefined && sweep.state !== before.sweep.state) {
    stamped.push(`${stamp(sweep, sweep.endedAtMs || newest)} ${sweepLine(sweep)}`);
  }
  return stamped;
}

function snapshotLines(snapshot: WatchSnapshot, before: DashboardState, after: LinesState): string[] {
  const { sweep } = after;
  if (sweep === undefined) return [];
  if (before.sweep === undefined) {
    const lines = [openingLine(sweep), ...agentLines([], snapshot.agents)];
    if (sweepEnded(sweep)) lines.push(sweepLine(sweep));
    return lines.map((line) => `${stamp(sweep, sweep.createdAtMs)} ${line}`);
  }
  let ended = endedCount(before);
  const missed = snapshot.trials
    .filter((trial) => trialEnded(trial) && wasStarted(trial) && !isEnded(before.trials.get(trial.id)))
    .sort((a, b) => a.endedAtMs - b.endedAtMs)
    .map((trial) => `${stamp(sweep, trial.endedAtMs)} ${endedLine(trial, after, ++ended)}`);
  const agents = agentLines(before.agents, snapshot.agents).map((line) => `${' '.repeat(8)} ${line}`);
  const changed = sweep.state !== before.sweep.state;
  return [...agents, ...missed, ...(changed ? [`${stamp(sweep, sweep.endedAtMs)} ${sweepLine(sweep)}`] : [])];
}

const isEnded = (trial: Trial | undefined): boolean => trial !== undefined && trialEnded(trial);

function endedCount({ trials }: DashboardState): number {
  let count = 0;
  for (const trial of trials.values()) if (trialEnded(trial)) count++;
  return count;
}

/** Only a started trial has an end line. A killed sweep may have thousands of cancelled trials that never started. */
const wasStarted = (trial: Trial): boolean => trial.attempts > 0;

function linesFor({ update }: WatchResponse, before: DashboardState, after: LinesState): string[] {
  if (update === undefined) return [];
  const lines =
    update.$case === 'snapshot'
      ? snapshotLines(update.snapshot, before, after)
      : deltaLines(update.delta, before, after);
  return lines.map(visibleText);
}

function rowsOf({ update }: WatchResponse): readonly Trial[] {
  if (update === undefined) return [];
  return update.$case === 'snapshot' ? update.snapshot.trials : update.delta.trials;
}

/** Yields the lines of a Watch stream as updates arrive. */
export async function* lineStream(updates: AsyncIterable<WatchResponse>): AsyncGenerator<string> {
  let state: LinesState = { ...EMPTY_STATE, firstReports: new Map() };
  for await (const update of updates) {
    const firstReports = withFirstReports(state.firstReports, rowsOf(update));
    const after = { ...reduce(state, update), firstReports };
    yield* linesFor(update, state, after);
    state = after;
  }
}
