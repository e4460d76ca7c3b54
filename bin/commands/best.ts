import { type Command, Option } from 'commander';
import { goalOf, objectivesOf, objectiveText, rankingMetric } from '../../lib/domain/ranking.ts';
import { sweepEnded } from '../../lib/domain/trial-state.ts';
import { sweepStateText } from '../../lib/text/sweep-state.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import {
  type Config,
  MetricAt,
  type Sweep,
  type SweepWarning,
  type Trial,
  WarningKind,
} from '../../proto/gen/trawl/v1/types.ts';
import { withConnection } from '../client/connect.ts';
import { getSweep, listConfigs, listTrials, trialsById } from '../client/sweeps.ts';
import {
  type GlobalOptions,
  type GoalChoice,
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withRanking,
  withServer,
} from '../options/common.ts';
import { goalFromOption } from '../options/ranking.ts';
import { parseCount } from '../options/values.ts';
import { configJson, trialJson } from '../output/json.ts';
import { note, print, printJson } from '../output/print.ts';
import { renderConfigs, renderTrials, shownSteps } from '../output/ranking-tables.ts';
import { suggested } from '../output/suggested.ts';
import { resultTerminal } from '../output/terminal.ts';

interface Options extends GlobalOptions, ServerOptions, OutputOptions {
  readonly by?: string;
  readonly goal?: GoalChoice;
  readonly top: number;
  readonly trials?: true;
}

const DEFAULT_TOP = 5;

async function best(selector: string, options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep } = await getSweep(connection, selector);
    const rankBy = options.by ?? '';
    // Requests one more row than the table shows, to detect whether there are further rows.
    const request = { sweep: sweep.id, rankBy, goal: goalFromOption(options.goal), limit: options.top + 1 };
    const wide = options.output === 'wide';
    const tableOf = (rows: readonly (Trial | Config)[]) => ({
      by: rankBy || rankingMetric(sweep.metric?.name, rows),
      objectives: rankBy === '' ? objectivesOf(sweep).map(({ name }) => name) : [],
      trainer: sweep.trainer,
      swept: sweep.axes,
      wide,
    });
    const terminal = resultTerminal(options);
    const ranked = <Row extends { readonly rank: number }>(rows: readonly Row[]) => rows.filter(({ rank }) => rank > 0);
    if (options.trials) {
      const all = ranked(await listTrials(connection, request));
      const trials = all.slice(0, options.top);
      if (options.output === 'json') return printJson(trials.map(trialJson));
      if (trials.length === 0) return print(noResults(sweep, rankBy, options));
      const table = tableOf(trials);
      await print(headingOf(sweep, table, options) + renderTrials({ ...table, trials }, terminal));
      return noteOthers(sweep, table.by, all.length > trials.length, options);
    }
    const all = ranked(await listConfigs(connection, request));
    const configs = all.slice(0, options.top);
    if (configs.length === 0)
      return options.output === 'json' ? printJson([]) : print(noResults(sweep, rankBy, options));
    const table = tableOf(configs);
    const ids = configs.flatMap(({ trialIds }) => trialIds);
    const trials = await trialsById(connection, sweep.id, ids);
    const steps = shownSteps(trials, table.by, wide || options.output === 'json');
    if (options.output === 'json') {
      const stepOf = (id: string) => steps?.get(id) ?? null;
      return printJson(configs.map((config) => ({ ...configJson(config), steps: config.trialIds.map(stepOf) })));
    }
    await print(headingOf(sweep, table, options) + renderConfigs({ ...table, configs, steps }, terminal));
    return noteOthers(sweep, table.by, all.length > configs.length, options);
  });
}

/**
 * Returns the heading of the table. For a ranking by several objectives, the heading lists the objectives. For other
 * rankings, the heading states the goal and the metric if the goal is assumed, or if each trial is ranked by its best
 * step. The goal is assumed if --goal is not given and the metric is not the metric of the sweep. In all other cases,
 * the heading is empty.
 */
function headingOf(
  sweep: Sweep,
  { by, objectives }: { readonly by: string; readonly objectives: readonly string[] },
  { goal }: Options,
): string {
  if (objectives.length > 0)
    return `${visibleText(objectiveText(sweep))}: by Pareto front, then by hypervolume contribution\n`;
  const { metric } = sweep;
  const isOwn = metric?.name === by;
  const direction = goal === undefined ? goalOf(sweep, by) : goal.startsWith('max') ? 'maximize' : 'minimize';
  const isAssumed = goal === undefined && !isOwn && by !== '';
  const best = isOwn && metric.at === MetricAt.BEST ? ', best over the steps' : '';
  if (!isAssumed && best === '') return '';
  const remedy = isAssumed ? ` (--goal ${direction === 'maximize' ? 'min' : 'max'} reverses the order)` : '';
  return `${direction} ${visibleText(by)}${best}${remedy}\n`;
}

/** Prints notes about the omitted rows: further rows, failed trials, and trials without the metric. */
function noteOthers(sweep: Sweep, by: string, hasMore: boolean, options: Options): void {
  if (hasMore)
    note(`more ${options.trials ? 'trials' : 'configs'} are ranked; show them with --top ${options.top * 4}`);
  const failed = sweep.counts?.failed ?? 0;
  if (failed > 0) {
    note(`not ranked: ${failed} failed; see ${suggested(`errors ${sweep.id}`, options)}`);
  }
  const missing = missingMetric(sweep, by);
  if (missing !== undefined) note(`not ranked: ${visibleText(missing.message)}`);
}

function missingMetric({ metric, warnings }: Sweep, rankBy: string): SweepWarning | undefined {
  const isOwn = rankBy === '' || rankBy === metric?.name;
  return isOwn ? warnings.find(({ kind }) => kind === WarningKind.MISSING_METRIC) : undefined;
}

/** Returns the text of an empty ranking, with the reason if trials failed or did not report the metric. */
function noResults(sweep: Sweep, rankBy: string, options: Options): string {
  const missing = missingMetric(sweep, rankBy);
  if (missing !== undefined) return `no results: ${visibleText(missing.message)}\n`;
  const failed = sweep.counts?.failed ?? 0;
  if (failed === 0) return sweepEnded(sweep) ? 'no results\n' : 'no results yet\n';
  const state = sweepStateText(sweep, Date.now());
  return `no results: the sweep is ${state}; see ${suggested(`errors ${sweep.id}`, options)}\n`;
}

export function registerBest(program: Command): void {
  const command = program
    .command('best')
    .description('show the best configs of a sweep, by the mean over their replicates')
    .argument('[sweep]', 'sweep id, name or "last"', 'last')
    .addOption(
      new Option('--top <n>', 'number of configs or, with --trials, of trials')
        .argParser(parseCount)
        .default(DEFAULT_TOP),
    )
    .option('--trials', 'show the best single trials instead of configs');
  withHelp(withOutput(withServer(withRanking(command))), {
    examples: [
      ['trawl best', `the ${DEFAULT_TOP} best configs of the newest sweep: mean ± standard deviation`],
      ['trawl best 3 --by psnr --top 1', 'the config with the highest mean PSNR'],
      ['trawl best 3 --trials', 'the best single trials'],
      ['trawl best last --by train_loss --goal max -o json', 'the worst configs by training loss, as JSON'],
    ],
  }).action((sweep: string, _options: Options, self: Command) => best(sweep, self.optsWithGlobals<Options>()));
}
