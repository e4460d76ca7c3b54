import { type Command, Option } from 'commander';
import { withConnection } from '../client/connect.ts';
import { getSweep, listConfigs, listTrials } from '../client/sweeps.ts';
import { type Comparison, chooseConfigs, comparisonOf, DEFAULT_COMPARED } from '../compare/comparison.ts';
import { renderComparison } from '../compare/comparison-table.ts';
import {
  type GlobalOptions,
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withServer,
} from '../options/common.ts';
import { GOALS, type GoalChoice, goalOf } from '../options/ranking.ts';
import { configJson } from '../output/json.ts';
import { print, printJson } from '../output/print.ts';
import { metricNames } from '../output/ranking-tables.ts';
import { terminalOf } from '../output/terminal.ts';

interface Options extends GlobalOptions, ServerOptions, OutputOptions {
  readonly sweep: string;
  readonly by?: string;
  readonly goal?: GoalChoice;
}

function comparisonJson({ configs, shared, parameters, metrics }: Comparison) {
  return {
    shared,
    differing: parameters.map(({ name }) => name),
    configs: configs.map((config, at) => ({
      ...configJson(config),
      difference_from_first: Object.fromEntries(
        metrics.map(({ name, differences }) => [name, differences[at] ?? null]),
      ),
    })),
  };
}

async function compare(selectors: readonly string[], options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep } = await getSweep(connection, options.sweep);
    const rankBy = options.by ?? '';
    const ranked = await listConfigs(connection, { sweep: sweep.id, rankBy, goal: goalOf(options.goal) });
    const configs = chooseConfigs(ranked, selectors);
    const trials = await listTrials(connection, { sweep: sweep.id });
    const by = rankBy || (sweep.metric?.name ?? '');
    const comparison = comparisonOf(configs, trials, metricNames(configs, { by, trainer: sweep.trainer }));
    if (options.output === 'json') return printJson(comparisonJson(comparison));
    return print(renderComparison(comparison, terminalOf(process.stdout, options.color, process.env)));
  });
}

export function registerCompare(program: Command): void {
  const command = program
    .command('compare')
    .description('put configs side by side: what differs, and whether it is more than their seeds do')
    .argument('[configs...]', `config or trial ids, or the start of them (default: the ${DEFAULT_COMPARED} best)`)
    .option('--sweep <sweep>', 'id, name or "last"', 'last')
    .option('--by <metric>', "metric to rank by, and to show first (default: the sweep's own)")
    .addOption(new Option('--goal <goal>', "which end is best (default: the metric's usual one)").choices(GOALS));
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl compare', `the ${DEFAULT_COMPARED} best configs of the newest sweep`],
      ['trawl compare 2a2fab1a 83102658 --sweep 3', 'two configs, or the configs of two trials'],
      ['trawl compare --by psnr -o json', 'means, deviations and intervals, as JSON'],
    ],
  }).action((configs: string[], _options: Options, self: Command) => compare(configs, self.optsWithGlobals<Options>()));
}
