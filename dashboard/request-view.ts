/** Requests the data that a view shows but the Watch stream does not contain. */
import type { Sweep } from '../proto/gen/trawl/v1/types.ts';
import { visibleTrials } from './action-context.ts';
import type { DetailCache } from './detail-cache.ts';
import { chosenAgent } from './state/agent-rows.ts';
import { markedComparison } from './state/compared.ts';
import type { Model } from './state/model.ts';
import { epochAt, epochShown, metricShown, sweepUnderCursor } from './state/selectors.ts';
import { viewOf } from './state/ui.ts';

/** @param sweep the watched sweep */
export function requestView(details: DetailCache, model: Model, sweep: Sweep, now: number): void {
  const { ui, state } = model;
  const view = viewOf(ui);
  const trials = visibleTrials(model);
  details.requestCurves(trials, now);
  details.followLog(view.kind === 'trial' || view.kind === 'log' ? state.trials.get(view.trialId) : undefined);
  switch (view.kind) {
    case 'trial': {
      const [trial] = trials;
      if (trial !== undefined) details.requestTrial(trial, now, (detail) => epochShown(detail, ui.epochsBack));
      break;
    }
    case 'sweeps': {
      const chosen = sweepUnderCursor(model);
      if (chosen !== undefined) details.requestBest(chosen, now);
      break;
    }
    case 'compare':
      requestCompared(details, model, now);
      break;
    case 'agents':
      details.requestSlots(chosenAgent(model)?.running ?? [], now);
      break;
    case 'rungs':
      details.requestRungs(now);
      break;
    case 'explain':
      details.requestExplanation(view.trialId, now);
      break;
    case 'events':
      details.requestEarlierEvents(state.firstSeq, now);
      break;
    case 'parameters':
      details.requestImportance(() => [...state.trials.values()], metricShown(model), sweep.axes, now);
      break;
  }
}

/**
 * Requests the details of the compared trials. The first trial with reconstructions determines the epoch for all
 * compared trials (see epochAt).
 */
function requestCompared(details: DetailCache, model: Model, now: number): void {
  const shown = markedComparison(model).shown.map(({ trial }) => trial);
  const first = shown.map(({ id }) => model.details.get(id)).find((detail) => detail && detail.epochs.length > 0);
  const epoch = first && epochShown(first, model.ui.epochsBack);
  for (const trial of shown) {
    details.requestTrial(trial, now, (detail) => (epoch === undefined ? undefined : epochAt(detail, epoch)));
  }
}
