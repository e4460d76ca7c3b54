/**
 * Draws population based training: the learning rates of the members, their losses, and the lineage of the best trial.
 */
import { extent, max, range } from 'd3-array';
import { figureSvg } from '../../bin/report/charts/svg.ts';
import { axes, cross, curve, horizontal, LOSS_TICKS, type Point, ring, vertical } from './plot.ts';
import { bestOf, type RecordedRun, type RecordedTrial } from './recorded-run.ts';

const SIZE = { width: 520, height: 380 };
const [LINEAGE, OTHERS, CHILDREN] = [0, 1, 2];
const THIN = { style: 'stroke-width:1.5' };
const THICK = { style: 'stroke-width:3' };

/** Returns the position of a trial in the picture, after the given epoch. */
type Place = (trial: number, epoch: number) => Point;

/** @param interval the number of epochs between two comparisons of the members */
export function populationPicture(run: RecordedRun, interval: number): string {
  const epochs = max(run.trials, endOf) ?? 1;
  const x = horizontal(SIZE, [0, epochs], range(0, epochs + 1, interval), 'epoch', 'linear');
  const rates = run.trials.map(({ parameters }) => parameters.learning_rate ?? Number.NaN);
  const [slowest = 1e-4, fastest = 1e-1] = extent(rates);
  const rate = vertical(SIZE, [slowest * 0.9, fastest * 1.1], [1e-4, 1e-3, 1e-2, 1e-1], 'learning rate');
  const [low = 0.1, high = 1] = extent(run.trials.flatMap(({ losses }) => losses));
  const loss = vertical(SIZE, [low * 0.95, high * 1.02], LOSS_TICKS, 'test loss');

  const atRate: Place = (trial, epoch) => [x.at(epoch), rate.at(rates[trial] ?? Number.NaN)];
  const atLoss: Place = (trial, epoch) => {
    const { losses = [], start = 0, parent } = run.trials[trial] ?? {};
    if (epoch === start && parent !== undefined) return atLoss(parent, epoch);
    return [x.at(epoch), loss.at(losses[epoch - start - 1] ?? Number.NaN)];
  };
  const panel = (title: string, content: string) => ({ title, alt: '', drawing: { ...SIZE, content } });
  return figureSvg({
    title: `${run.name}: ${run.trials.length} trials of a population of autoencoders on MNIST`,
    caption: '',
    legend: [
      'the best trial and its ancestors',
      'other trials; × replaced',
      '○ a child starts from the checkpoint of its parent',
    ],
    scrolls: false,
    table: undefined,
    panels: [
      panel('learning rates', axes(SIZE, x, rate) + members(run, atRate, 0)),
      panel('losses', axes(SIZE, x, loss) + members(run, atLoss, 1)),
    ],
  });
}

/** @param first the epoch at which the line of a trial without a parent starts */
function members(run: RecordedRun, at: Place, first: number): string {
  const part = (index: number, until: number) => {
    const { start = 0, parent } = run.trials[index] ?? {};
    return range(parent === undefined ? first : start, until + 1).map((epoch) => at(index, epoch));
  };
  const others = run.trials.flatMap((trial, index) => {
    const line = curve(part(index, endOf(trial)), OTHERS, THIN);
    return trial.state === 'stopped' ? [line, cross(at(index, endOf(trial)), OTHERS)] : [line];
  });
  const ancestors = lineageOf(run).map(({ trial, until }) => curve(part(trial, until), LINEAGE, THICK));
  const children = run.trials.flatMap(({ parent, start }, index) => {
    if (parent === undefined) return [];
    const [from, to] = [at(parent, start), at(index, start)];
    return [curve([from, to], CHILDREN, THIN), ring(to, CHILDREN)];
  });
  return [...others, ...ancestors, ...children].join('');
}

const endOf = ({ start, losses }: RecordedTrial): number => start + losses.length;

/**
 * Returns the best trial and its ancestors. For an ancestor, `until` is the epoch of the checkpoint from which its
 * child started.
 */
function lineageOf(run: RecordedRun): { readonly trial: number; readonly until: number }[] {
  const best = bestOf(run);
  const first = run.trials[best];
  const lineage = [{ trial: best, until: first === undefined ? 0 : endOf(first) }];
  for (let child = first; child?.parent !== undefined; child = run.trials[child.parent]) {
    lineage.push({ trial: child.parent, until: child.start });
  }
  return lineage;
}
