import { type Command, Option } from 'commander';
import { rankingMetric } from '../../lib/domain/ranking.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { type Config, MetricAt, type Sweep, type Trial, WarningKind } from '../../proto/gen/trawl/v1/types.ts';
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
import { print, printJson } from '../output/print.ts';
import { renderConfigs, renderTrials, shownSteps } from '../output/ranking-tables.ts';
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
    const request = { sweep: sweep.id, rankBy, goal: goalFromOption(options.goal), limit: options.top };
    const wide = options.output === 'wide';
    const tableOf = (rows: readonly (Trial | Config)[]) => ({
      by: rankBy || rankingMetric(sweep.metric?.name, rows),
      trainer: sweep.trainer,
      wide,
    });
    const terminal = resultTerminal(options);
    const ranked = <Row extends { readonly rank: number }>(rows: readonly Row[]) => rows.filter(({ rank }) => rank > 0);
    if (options.trials) {
      const trials = ranked(await listTrials(connection, request));
      if (options.output === 'json') return printJson(trials.map(trialJson));
      if (trials.length === 0) return print(noResults(sweep, rankBy));
      const table = tableOf(trials);
      return print(headingOf(sweep, table.by) + renderTrials({ ...table, trials }, terminal));
    }
    const configs = ranked(await listConfigs(connection, request));
    if (configs.length === 0) return options.output === 'json' ? printJson([]) : print(noResults(sweep, rankBy));
    const table = tableOf(configs);
    const ids = configs.flatMap(({ trialIds }) => trialIds);
    const trials = await trialsById(connection, sweep.id, ids);
    const steps = shownSteps(trials, table.by, wide || options.output === 'json');
    if (options.output === 'json') {
      const stepOf = (id: string) => steps?.get(id) ?? null;
      return printJson(configs.map((config) => ({ ...configJson(config), steps: config.trialIds.map(stepOf) })));
    }
    return print(headingOf(sweep, table.by) + renderConfigs({ ...table, configs, steps }, terminal));
  });
}

function headingOf({ metric }: Sweep, by: string): string {
  return metric?.name === by && metric.at === MetricAt.BEST
    ? `${visibleText(by)}: best over the steps
`
    : '';
}

/** Returns the text of an empty ranking, with the reason if trials have ended without the ranking metric. */
function noResults({ metric, warnings }: Sweep, rankBy: string): string {
  const missing = warnings.find(({ kind }) => kind === WarningKind.MISSING_METRIC);
  const isAsked = rankBy === '' || rankBy === metric?.name;
  return missing !== undefined && isAsked ? `no results: ${visibleText(missing.message)}\n` : 'no results yet\n';
}

export function registerBest(program: Command): void {
  const command = program
    .command('best')
    .description('show the best configs of a sweep, by the mean over their replicates')
    .argument('[sweep]', 'sweep id, name or "last"', 'last')
    .addOption(new Option('--top <n>', 'number of configs').argParser(parseCount).default(DEFAULT_TOP))
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
