/**
 * Draws the learning curves of a sweep with early stopping. Also draws the steps at which the early-stopping rule
 * compares trials, and the bound that it compares them with.
 */
import { extent, mean, median, range } from 'd3-array';
import { figureSvg, text } from '../../bin/report/charts/svg.ts';
import { bracketsOf } from '../../coordinator/early-stop/hyperband.ts';
import { risingRungs } from '../../coordinator/early-stop/rungs.ts';
import type { EarlyTerminate } from '../../coordinator/early-stop/settings.ts';
import { axes, cross, curve, horizontal, LOSS_TICKS, type Point, ring, vertical } from './plot.ts';
import { bestOf, lossOf, type RecordedRun, type RecordedTrial } from './recorded-run.ts';

const SIZE = { width: 720, height: 400 };
const [FINISHED, STOPPED, RUNG, BOUND] = [0, 1, 2, 3];

/** The parts of the picture that show an early-stopping rule. */
interface RuleLines {
  /** The steps at which trials are compared, each with a label. Each step is drawn as a vertical line. */
  readonly steps: readonly (readonly [step: number, label: string])[];
  readonly stepsLegend: string;
  /** The curve of the values that trials are compared with; empty if the picture shows no such curve. */
  readonly bound: readonly Point[];
  readonly boundLegend: string;
}

/** @param epochs the number of epochs of a whole trial */
export function rulePicture(run: RecordedRun, rule: EarlyTerminate, epochs: number): string {
  const { steps, stepsLegend, bound, boundLegend } = linesOf(run, rule, epochs);
  const trained = run.trials.reduce((sum, { losses }) => sum + losses.length, 0);
  const legend = ['trained to the last epoch', 'stopped early; × marks the end', stepsLegend, boundLegend];
  const x = horizontal(SIZE, [1, epochs], range(1, epochs + 1), 'epoch', 'linear');
  const all = run.trials.flatMap(({ losses }) => losses);
  const [low = 0.1, high = 1] = extent([...all, ...bound.map(([, value]) => value)]);
  const y = vertical(SIZE, [low * 0.88, high * 1.02], LOSS_TICKS, 'test loss');
  const at = ([epoch, loss]: Point): Point => [x.at(epoch), y.at(loss)];
  const pointsOf = ({ losses }: RecordedTrial) => losses.map((loss, index): Point => at([index + 1, loss]));
  const verticals = steps.map(([step, label]) => {
    const [top, bottom] = [30, SIZE.height - 40];
    const anchor = step === 1 ? 'start' : 'middle';
    return (
      curve([[x.at(step), top] as const, [x.at(step), bottom] as const], RUNG) +
      text(x.at(step), top - 4, label, { 'text-anchor': anchor, class: 'label' })
    );
  });
  const stopped = run.trials.filter(({ state }) => state === 'stopped');
  const finished = run.trials.filter(({ state }) => state !== 'stopped');
  const lastOf = (trial: RecordedTrial): Point[] => pointsOf(trial).slice(-1);
  const waited = run.trials.flatMap(({ waited, losses }) =>
    waited.map((epoch): Point => at([epoch, losses[epoch - 1] ?? Number.NaN])),
  );
  const best = run.trials.slice(bestOf(run)).slice(0, 1);
  const label = best.flatMap(lastOf).map(([left, top]) => {
    const below = { 'text-anchor': 'end', class: 'halo' };
    return text(left, top + 16, `best: ${lossOf(best[0]).toFixed(3)}`, below);
  });
  const drawn = [
    axes(SIZE, x, y),
    ...verticals,
    ...stopped.map((trial) => curve(pointsOf(trial), STOPPED, { style: 'stroke-width:1.5' })),
    ...finished.map((trial) => curve(pointsOf(trial), FINISHED)),
    ...stopped.flatMap(lastOf).map((point) => cross(point, STOPPED)),
    ...waited.map((point) => ring(point, RUNG)),
    bound.length === 0 ? '' : curve(bound.map(at), BOUND, { style: 'stroke-width:2.5' }),
    ...label,
  ];
  return figureSvg({
    title: `${run.name}: learning curves of ${run.trials.length} autoencoders on MNIST`,
    caption: '',
    legend,
    scrolls: false,
    table: undefined,
    panels: [
      {
        title: `${stopped.length} of ${run.trials.length} trials stopped; ${trained} of ${epochs * run.trials.length} epochs trained`,
        alt: '',
        drawing: { ...SIZE, content: drawn.join('') },
      },
    ],
  });
}

function linesOf(run: RecordedRun, rule: EarlyTerminate, epochs: number): RuleLines {
  const none = { steps: [], stepsLegend: '', bound: [], boundLegend: '' };
  switch (rule.type) {
    case 'asha': {
      const waits = rule.variant === 'promotion' ? '; ○ waited, and was promoted later' : '';
      return { ...none, ...rungLines(run, risingRungs(rule.minIter, rule.eta, epochs), 'rung', waits) };
    }
    case 'hyperband': {
      const brackets = bracketsOf(rule).filter((bracket) => bracket < epochs);
      return { ...none, ...rungLines(run, brackets, 'bracket', '') };
    }
    case 'median': {
      const compared = range(rule.minIter, epochs + 1).map((step): Point => {
        const reached = run.trials.filter(({ losses }) => losses.length >= step);
        return [step, median(reached, ({ losses }) => mean(losses.slice(0, step))) ?? Number.NaN];
      });
      return {
        ...firstStep(rule.minIter),
        bound: compared,
        boundLegend: 'median of the running averages of all trials, at the end of the sweep',
      };
    }
    case 'patience':
      return { ...none, ...(rule.minIter > 1 ? firstStep(rule.minIter) : {}) };
    case 'threshold':
      return {
        ...firstStep(rule.minIter),
        bound: [
          [rule.minIter, rule.worseThan],
          [epochs, rule.worseThan],
        ],
        boundLegend: `threshold ${rule.worseThan}`,
      };
    case 'pbt':
      return none;
  }
}

function rungLines({ trials }: RecordedRun, rungs: readonly number[], name: string, more: string) {
  const steps = rungs.map((rung): [number, string] => {
    const entered = trials.filter(({ losses }) => losses.length >= rung);
    return [rung, `${entered.length} → ${entered.filter(({ losses }) => losses.length > rung).length}`];
  });
  return { steps, stepsLegend: `${name}, with the number of trials that entered → continued${more}` };
}

function firstStep(step: number) {
  const steps: [number, string][] = [[step, '']];
  return { steps, stepsLegend: `first comparison: epoch ${step}` };
}
