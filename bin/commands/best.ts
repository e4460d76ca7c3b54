import { type Command, Option } from 'commander';
import { withConnection } from '../client/connect.ts';
import { getSweep, listConfigs, listTrials } from '../client/sweeps.ts';
import {
  type GlobalOptions,
  type OutputOptions,
  parseCount,
  type ServerOptions,
  withHelp,
  withOutput,
  withServer,
} from '../options/common.ts';
import { GOALS, type GoalChoice, goalOf } from '../options/ranking.ts';
import { configJson, trialJson } from '../output/json.ts';
import { print, printJson } from '../output/print.ts';
import { renderConfigs, renderTrials } from '../output/ranking-tables.ts';
import { terminalOf } from '../output/terminal.ts';

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
    const request = { sweep: sweep.id, rankBy, goal: goalOf(options.goal), limit: options.top };
    const table = { by: rankBy || (sweep.metric?.name ?? ''), trainer: sweep.trainer };
    const terminal = terminalOf(process.stdout, options.color, process.env);
    // What has no value comes last, and is not best at anything.
    const ranked = <Row extends { readonly rank: number }>(rows: readonly Row[]) => rows.filter(({ rank }) => rank > 0);
    if (options.trials) {
      const trials = ranked(await listTrials(connection, request));
      if (options.output === 'json') return printJson(trials.map(trialJson));
      return print(trials.length === 0 ? NONE : renderTrials({ ...table, trials }, terminal));
    }
    const configs = ranked(await listConfigs(connection, request));
    if (options.output === 'json') return printJson(configs.map(configJson));
    return print(configs.length === 0 ? NONE : renderConfigs({ ...table, configs }, terminal));
  });
}

const NONE = 'no trial has reported yet\n';

export function registerBest(program: Command): void {
  const command = program
    .command('best')
    .description("show a sweep's best configs, by the mean over their replicates")
    .argument('[sweep]', 'id, name or "last"', 'last')
    .option('--by <metric>', "metric to rank by (default: the sweep's own)")
    .addOption(new Option('--goal <goal>', "which end is best (default: the metric's usual one)").choices(GOALS))
    .addOption(new Option('--top <n>', 'how many').argParser(parseCount).default(DEFAULT_TOP))
    .option('--trials', 'the best single trials, whatever their replicates did');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl best', `the ${DEFAULT_TOP} best of the newest sweep, by its own metric: mean ± standard deviation`],
      ['trawl best 3 --by psnr --top 1', 'the one with the highest mean PSNR'],
      ['trawl best 3 --trials', 'the luckiest seeds'],
      ['trawl best last --by train_loss --goal max -o json', 'the worst by training loss, as JSON'],
    ],
  }).action((sweep: string, _options: Options, self: Command) => best(sweep, self.optsWithGlobals<Options>()));
}
