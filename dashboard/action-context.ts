/** Derives the context of a key press from the model. */
import { sweepEnded } from '../lib/domain/trial-state.ts';
import { shortId } from '../lib/text/short-id.ts';
import { AgentState, type Sweep, type Trial } from '../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../proto/names.ts';
import type { ActionContext } from './state/actions.ts';
import { agentColumns, agentRows, chosenAgent } from './state/agent-rows.ts';
import { rowTrial } from './state/board-columns.ts';
import type { BoardRow } from './state/board-rows.ts';
import { curveTrials, markedComparison } from './state/compared.ts';
import { eventId, eventKinds, eventRows, eventUnderCursor } from './state/event-rows.ts';
import { failureGroupId, failureRows, groupNeighbor } from './state/failures.ts';
import { bodyLines, hasPreview, LOG_HEADING_LINES, listLines } from './state/layout.ts';
import type { Model } from './state/model.ts';
import {
  markedRows,
  metricShown,
  pairShown,
  parametersByImportance,
  sortedColumn,
  sweepRows,
  sweepUnderCursor,
} from './state/selectors.ts';
import { cursorOf, viewOf, windowOf } from './state/ui.ts';

export function actionContext(model: Model): ActionContext {
  const { state, board } = model;
  const sweep = chosenSweep(model);
  const list = listOf(model);
  const row = boardRowUnderCursor(model);
  const details = visibleTrials(model).map(({ id }) => model.details.get(id));
  return {
    readonly: model.readonly,
    ...list,
    pageLines: listLines(model) - 1,
    maxOffset: list.rowCount > 0 ? 0 : Math.max(0, model.contentLines - bodyLines(model.size)),
    log: { text: model.log, columns: model.size.columns, lines: bodyLines(model.size) - LOG_HEADING_LINES },
    sweep: sweep && {
      id: sweep.id,
      name: sweep.name,
      paused: sweepState.of(sweep.state) === 'paused',
      running: sweep.counts?.running ?? 0,
      ended: sweepEnded(sweep),
    },
    config: row && { id: row.config.id, replicates: row.config.trials.length },
    agent: agentUnderCursor(model),
    trialId: trialIdOf(model),
    copied: copiedId(model),
    nextFailure: (by) => nextFailure(model, by),
    neighbor: (by) => neighborOf(model, by),
    trialsUnderCursor: () => trialsUnderCursor(model),
    selectedTrials: () => selectedTrials(model),
    ...sortingOf(model),
    eventKinds: eventKinds(model),
    metricNames: board.metricNames,
    metric: metricShown(model),
    parameters: parametersByImportance(model),
    pair: pairShown(model),
    imageEpochs: Math.max(0, ...details.map((detail) => detail?.epochs.length ?? 0)),
    trials: () => state.trials.values(),
    replay: model.replay,
  };
}

function sortingOf({ ui, board, columns, now }: Model): Pick<ActionContext, 'sortColumns' | 'sortColumn'> {
  if (viewOf(ui).kind === 'agents') {
    return { sortColumns: agentColumns(now).map(({ header }) => header), sortColumn: ui.lists.agents.sort ?? '' };
  }
  return { sortColumns: columns.map(({ header }) => header.trimEnd()), sortColumn: sortedColumn(ui, board) ?? '' };
}

function listOf(model: Model): Pick<ActionContext, 'rowCount' | 'idAt' | 'indexOf'> {
  const of = (ids: readonly string[]) => ({
    rowCount: ids.length,
    idAt: (at: number) => ids[at],
    indexOf: (id: string) => ids.indexOf(id),
  });
  switch (viewOf(model.ui).kind) {
    case 'sweep': {
      const { rows } = model;
      return { rowCount: rows.length, idAt: (at) => rows.slice(at, at + 1)[0]?.id, indexOf: rows.indexOf };
    }
    case 'agents':
      return of(agentRows(model).map(({ agent }) => agent.id));
    case 'events':
      return of(eventRows(model).map(eventId));
    case 'sweeps':
      return of(sweepRows(model).map(({ id }) => id));
    case 'errors':
      return of(failureRows(model.state).map(failureGroupId));
    default:
      return of([]);
  }
}

function boardRowUnderCursor({ ui, rows }: Model): BoardRow | undefined {
  if (viewOf(ui).kind !== 'sweep') return undefined;
  const { at } = windowOf(cursorOf(ui), rows.length, 1, rows.indexOf);
  return at < 0 ? undefined : rows.slice(at, at + 1)[0];
}

function trialIdOf(model: Model): string | undefined {
  const view = viewOf(model.ui);
  if ('trialId' in view) return view.trialId;
  if (view.kind === 'sweep') {
    const row = boardRowUnderCursor(model);
    return row && rowTrial(row, model.board).id;
  }
  if (view.kind === 'errors') return failuresUnderCursor(model)[0]?.id;
  return view.kind === 'events' ? eventUnderCursor(model)?.trialId || undefined : undefined;
}

function selectedTrials(model: Model): Trial[] {
  const { ui, state, board } = model;
  const view = viewOf(ui);
  if (ui.marks.size > 0 && (view.kind === 'sweep' || view.kind === 'compare')) {
    const replicates = (id: string) => board.configs[board.at.get(id) ?? -1]?.trials ?? [];
    return [...new Set([...ui.marks].flatMap((id) => state.trials.get(id) ?? replicates(id)))];
  }
  return trialsUnderCursor(model);
}

/** Returns the trials of the failure group under the cursor in the errors view. */
function failuresUnderCursor({ ui, state }: Model): readonly Trial[] {
  const groups = failureRows(state);
  const indexOf = (id: string) => groups.findIndex((group) => failureGroupId(group) === id);
  return groups[windowOf(cursorOf(ui, 'errors'), groups.length, 1, indexOf).at]?.trials ?? [];
}

function trialsUnderCursor(model: Model): Trial[] {
  if (viewOf(model.ui).kind === 'errors') return [...failuresUnderCursor(model)];
  if (viewOf(model.ui).kind === 'sweep') {
    const row = boardRowUnderCursor(model);
    return row === undefined ? [] : row.trial === undefined ? [...row.config.trials] : [row.trial];
  }
  const trial = model.state.trials.get(trialIdOf(model) ?? '');
  return trial === undefined ? [] : [trial];
}

const chosenSweep = (model: Model): Sweep | undefined =>
  viewOf(model.ui).kind === 'sweeps' ? sweepUnderCursor(model) : model.state.sweep;

/**
 * Returns the id that the copy key copies: the id of the row under the cursor (an agent, a sweep or a trial) or of the
 * open trial. If there is no such row and no open trial, returns the id of the open sweep.
 */
function copiedId(model: Model): ActionContext['copied'] {
  const { kind } = viewOf(model.ui);
  if (kind === 'agents') {
    const agent = agentUnderCursor(model);
    return agent && { id: agent.id, of: 'agent' };
  }
  const trialId = kind === 'sweeps' ? undefined : trialIdOf(model);
  if (trialId !== undefined) return { id: trialId, of: trialRole(model) };
  const sweep = chosenSweep(model);
  return sweep && { id: sweep.id, of: 'sweep' };
}

/** Describes the trial whose id is copied, for the message after a copy. */
function trialRole(model: Model): string {
  const { kind } = viewOf(model.ui);
  if (kind === 'errors') return 'first trial of the group';
  const row = boardRowUnderCursor(model);
  const isConfig = row !== undefined && row.trial === undefined && row.config.trials.length > 1;
  return isConfig ? `best trial of config ${shortId(row.config.id)}` : 'trial';
}

/**
 * Returns the index of the next or previous row with a failed trial. The search wraps at the ends of the leaderboard.
 * Returns -1 if no row has a failed trial.
 */
function nextFailure({ ui, rows }: Model, by: 1 | -1): number {
  const { at } = windowOf(cursorOf(ui), rows.length, 1, rows.indexOf);
  const all = rows.slice(0, rows.length);
  for (let step = 1; step <= all.length; step++) {
    const index = (at + by * step + all.length * 2) % all.length;
    const row = all[index];
    const trials = row === undefined ? [] : row.trial === undefined ? row.config.trials : [row.trial];
    if (trials.some(({ state }) => state === 'TRIAL_STATE_FAILED')) return index;
  }
  return -1;
}

interface Position {
  /** The index in the list, from 0. */
  readonly at: number;
  /** The length of the list. */
  readonly of: number;
}

/**
 * Returns the position of the cursor in the list of the view. For an open trial, returns the trial's position in the
 * list that the next-trial and previous-trial keys step through. Undefined if the view has no list, or if the list does
 * not contain the trial.
 */
export function positionIn(model: Model): Position | undefined {
  const view = viewOf(model.ui);
  if (view.kind === 'trial') return trialPosition(model, view.trialId);
  const { rowCount, indexOf } = listOf(model);
  const { at } = windowOf(cursorOf(model.ui), rowCount, 1, indexOf);
  return at < 0 ? undefined : { at, of: rowCount };
}

function trialPosition({ ui, state, rows }: Model, trialId: string): Position | undefined {
  const trial = state.trials.get(trialId);
  if (trial === undefined) return undefined;
  const group = failureRows(state).find(({ trials }) => trials.includes(trial))?.trials;
  const isInGroup = ui.stack[0].kind === 'errors' && group !== undefined;
  const at = isInGroup ? group.indexOf(trial) : rowOf(rows, trial);
  return at < 0 ? undefined : { at, of: isInGroup ? group.length : rows.length };
}

/** Returns the index of a trial's row, or else of its config's row. Returns -1 if the leaderboard has neither row. */
function rowOf(rows: Model['rows'], trial: Trial): number {
  const own = rows.indexOf(trial.id);
  return own >= 0 ? own : rows.indexOf(trial.configId || trial.id);
}

/**
 * Returns the trial next to the open trial: in the same group of failures if the trial was opened from the errors view,
 * otherwise on the leaderboard.
 */
function neighborOf(model: Model, by: 1 | -1): string | undefined {
  const { rows, board, state } = model;
  const trial = state.trials.get(trialIdOf(model) ?? '');
  if (trial === undefined) return undefined;
  if (model.ui.stack[0].kind === 'errors') return groupNeighbor(failureRows(state), trial.id, by);
  const at = rowOf(rows, trial);
  const [row] = at < 0 || at + by < 0 ? [] : rows.slice(at + by, at + by + 1);
  return row && rowTrial(row, board).id;
}

function agentUnderCursor(model: Model): ActionContext['agent'] {
  if (viewOf(model.ui).kind !== 'agents') return undefined;
  const agent = chosenAgent(model)?.agent;
  const draining = agent?.state === AgentState.DRAINING || agent?.state === AgentState.DRAINED;
  // An agent that was drained and is now lost stays drained until a user ends the drain.
  const drained = draining || (agent?.state === AgentState.LOST && agent.drainReason !== '');
  return agent && { id: agent.id, drained };
}

/** Returns the trial that the leaderboard or the events view previews; undefined if the view previews no trial. */
export function previewedTrial(model: Model): Trial | undefined {
  const { kind } = viewOf(model.ui);
  if (kind === 'events') return model.state.trials.get(eventUnderCursor(model)?.trialId ?? '');
  if (kind !== 'sweep' || !hasPreview(model)) return undefined;
  const row = boardRowUnderCursor(model);
  return row && rowTrial(row, model.board);
}

/** Returns the trials whose curves the current view draws. In the view of a trial, the open trial comes first. */
export function visibleTrials(model: Model): Trial[] {
  const { ui, state, rows, board } = model;
  const view = viewOf(ui);
  switch (view.kind) {
    case 'sweep': {
      const lines = listLines(model) - 1;
      const { offset } = windowOf(cursorOf(ui), rows.length, lines, rows.indexOf);
      return rows.slice(offset, offset + lines).map((row) => rowTrial(row, board));
    }
    case 'trial': {
      const trial = state.trials.get(view.trialId);
      return [...(trial === undefined ? [] : [trial]), ...markedRows(model).map((row) => row.trial)];
    }
    case 'events':
      return [previewedTrial(model) ?? []].flat();
    case 'compare':
      return markedComparison(model).shown.flatMap((row) => [row.trial, ...curveTrials(row)]);
    default:
      return [];
  }
}
