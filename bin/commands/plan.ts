import type { Command } from 'commander';
import { type Plan, plan as planOf } from '../../coordinator/grid/plan.ts';
import type { Column } from '../../lib/text/table.ts';
import { type GlobalOptions, type OutputOptions, withHelp, withOutput } from '../options/common.ts';
import { loadSweepFile } from '../options/sweep-file.ts';
import { grouped } from '../output/format.ts';
import { print, printJson } from '../output/print.ts';
import { renderFields, renderTable } from '../output/table.ts';
import { resultTerminal, type Terminal } from '../output/terminal.ts';

type Options = GlobalOptions & OutputOptions;

function planText(plan: Plan, terminal: Terminal): string {
  const axes: Column<[string, number]>[] = [
    { header: 'axis', cell: ([name]) => name },
    { header: 'values', numeric: true, cell: ([, count]) => grouped(count) },
  ];
  const excluded: Column<Plan['excluded'][number]>[] = [
    { header: 'excluded', numeric: true, cell: ({ count }) => grouped(count) },
    { header: 'rule', cell: ({ rule }) => rule },
  ];
  const summary = renderFields(
    [
      ['sweep', plan.sweep],
      ['trials', grouped(plan.trials)],
      ['configs', grouped(plan.configs)],
      ['replicates', grouped(plan.replicates)],
      ['duplicates', `${grouped(plan.duplicates)}${plan.duplicates > 0 ? ' (identical after "when"; run once)' : ''}`],
    ],
    terminal,
  );
  const rules = plan.excluded.length > 0 ? `\n${renderTable(excluded, plan.excluded, terminal)}` : '';
  return `${summary}\n${renderTable(axes, Object.entries(plan.axes), terminal)}${rules}`;
}

async function plan(file: string, options: Options): Promise<void> {
  const planned = planOf((await loadSweepFile(file)).spec);
  if (options.output === 'json') return printJson(planned);
  return print(planText(planned, resultTerminal(options)));
}

export function registerPlan(program: Command): void {
  const command = program
    .command('plan')
    .description('validate a sweep file and count its trials, without a server')
    .argument('<file>', 'sweep file, YAML or JSON');
  withHelp(withOutput(command), {
    remote: false,
    examples: [
      ['trawl plan sweep.yaml', 'count axes, trials and excluded points'],
      ['trawl plan sweep.yaml -o json', 'print the counts as JSON'],
    ],
  }).action((file: string, _options: Options, self: Command) => plan(file, self.optsWithGlobals<Options>()));
}
