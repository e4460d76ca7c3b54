/** What a key press can see, read off what is on the screen. */

import { sweepEnded } from '../lib/domain/trial-state.ts';
import { AgentState, type Trial } from '../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../proto/names.ts';
import type { ActionContext } from './state/actions.ts';
import type { Board } from './state/board.ts';
import type { ConfigRow } from './state/config-row.ts';
import type { Model } from './state/model.ts';
import { cursorOf, type Ui, viewOf, windowOf } from './state/ui.ts';
import { boardColumns, trialOf } from './views/board-columns.ts';
import { markedRows } from './views/compare-view.ts';
import { bodyLines, maxScroll, type Size } from './views/frame.ts';
import { eventId, eventRows, sweepRows } from './views/list-views.ts';
import { metricShown } from './views/metric-shown.ts';
import { pairShown, parametersByImportance } from './views/parameters-view.ts';

/** The column that the leaderboard is sorted by. */
export const sortedBy = (ui: Ui, board: Board): string | undefined => ui.sortColumn ?? board.metrics[0]?.name;

export function actionContext(model: Model, size: Size): ActionContext {
  const { state, board, ui, curveOf, now } = model;
  const { sweep } = state;
  const list = listOf(model);
  const selected = rowUnderCursor(model);
  const view = viewOf(ui);
  const columns = boardColumns({ board, varying: state.varying, curveOf, now, width: size.columns });
  const details = visibleTrials(model, size).map(({ id }) => model.details.get(id));
  return {
    readonly: model.readonly,
    ...list,
    page: bodyLines(size) - 1,
    maxOffset: list.length > 0 ? 0 : maxScroll(model, size),
    sweep: sweep && {
      id: sweep.id,
      name: sweep.name,
      paused: sweepState.of(sweep.state) === 'paused',
      running: sweep.counts?.running ?? 0,
      ended: sweepEnded(sweep),
    },
    config: selected?.config && { id: selected.config.id, replicates: selected.config.trials.length },
    agent: agentUnderCursor(model),
    trialId: 'trialId' in view ? view.trialId : selected?.trialId,
    selectedTrials: () => selectedTrials(model),
    sortColumns: columns.map(({ header }) => header.trimEnd()),
    sortedBy: sortedBy(ui, board) ?? '',
    metricNames: board.metricNames,
    metric: metricShown(model),
    parameters: parametersByImportance(model),
    pair: pairShown(model),
    imageEpochs: Math.max(0, ...details.map((detail) => detail?.epochs.length ?? 0)),
    trials: () => state.trials.values(),
  };
}

/** The rows of the list on the screen, if it is one. */
function listOf(model: Model): Pick<ActionContext, 'length' | 'idAt' | 'indexOf'> {
  const of = (ids: readonly string[]) => ({
    length: ids.length,
    idAt: (at: number) => ids[at],
    indexOf: (id: string) => ids.indexOf(id),
  });
  switch (viewOf(model.ui).kind) {
    case 'sweep': {
      const { rows } = model;
      return { length: rows.length, idAt: (at) => rows.slice(at, at + 1)[0]?.id, indexOf: rows.indexOf };
    }
    case 'agents':
      return of(model.state.agents.map(({ id }) => id));
    case 'events':
      return of(eventRows(model).map(eventId));
    case 'sweeps':
      return of(sweepRows(model).map(({ id }) => id));
    default:
      return of([]);
  }
}

/** What the cursor is on, where that is about a trial. */
function rowUnderCursor(model: Model): { readonly config?: ConfigRow; readonly trialId: string } | undefined {
  const { ui, rows, board } = model;
  const cursor = cursorOf(ui);
  switch (viewOf(ui).kind) {
    case 'sweep': {
      const { at } = windowOf(cursor, rows.length, 1, rows.indexOf);
      const [row] = at < 0 ? [] : rows.slice(at, at + 1);
      return row && { config: row.config, trialId: trialOf(row, board).id };
    }
    case 'events': {
      const events = eventRows(model);
      const { at } = windowOf(cursor, events.length, 1, (id) => events.findIndex((event) => eventId(event) === id));
      const event = events[at];
      return event === undefined || event.trialId === '' ? undefined : { trialId: event.trialId };
    }
    default:
      return undefined;
  }
}

function selectedTrials(model: Model): Trial[] {
  const { ui, state, rows, board } = model;
  const view = viewOf(ui);
  const trial = (id: string | undefined) => (id === undefined ? undefined : state.trials.get(id));
  const replicates = (id: string) => board.configs[board.at.get(id) ?? -1]?.trials ?? [];
  if (ui.marks.size > 0 && (view.kind === 'sweep' || view.kind === 'compare')) {
    return [...new Set([...ui.marks].flatMap((id) => trial(id) ?? replicates(id)))];
  }
  if (view.kind === 'sweep') {
    const { at } = windowOf(cursorOf(ui), rows.length, 1, rows.indexOf);
    const [row] = at < 0 ? [] : rows.slice(at, at + 1);
    return row === undefined ? [] : row.trial === undefined ? [...row.config.trials] : [row.trial];
  }
  const only = trial('trialId' in view ? view.trialId : rowUnderCursor(model)?.trialId);
  return only === undefined ? [] : [only];
}

function agentUnderCursor({ ui, state: { agents } }: Model): ActionContext['agent'] {
  if (viewOf(ui).kind !== 'agents') return undefined;
  const { at } = windowOf(cursorOf(ui), agents.length, 1, (id) => agents.findIndex((agent) => agent.id === id));
  const agent = agents[at];
  const drained = agent?.state === AgentState.DRAINING || agent?.state === AgentState.DRAINED;
  return agent && { id: agent.id, drained };
}

/** The trials that the view is about. */
export function visibleTrials(model: Model, size: Size): Trial[] {
  const { ui, state, rows, board } = model;
  const view = viewOf(ui);
  switch (view.kind) {
    case 'sweep': {
      const lines = bodyLines(size) - 1;
      const { offset } = windowOf(cursorOf(ui), rows.length, lines, rows.indexOf);
      return rows.slice(offset, offset + lines).map((row) => trialOf(row, board));
    }
    case 'trial': {
      const trial = state.trials.get(view.trialId);
      return [...(trial === undefined ? [] : [trial]), ...markedRows(model).map((one) => one.trial)];
    }
    case 'compare':
      return markedRows(model).map(({ trial }) => trial);
    default:
      return [];
  }
}
