import { type Command, Option } from 'commander';
import { withConnection } from '../client/connect.ts';
import { type ServerOptions, withHelp, withServer } from '../options/common.ts';
import { print } from '../output/print.ts';
import type { ReportFormat } from '../report/write-report.ts';

interface Options extends ServerOptions {
  readonly format: ReportFormat;
  readonly out?: string;
  readonly file?: string;
}

const ABOUT = `
The HTML is one file that needs no network: charts and reconstructions are in it. The Markdown has the same numbers as
tables; its charts and pictures are files in NAME-report/ beside it, which only --out FOLDER writes.`;

async function report(sweep: string, options: Options): Promise<void> {
  // Drawing takes libraries that no other verb needs.
  const { writeReport } = await import('../report/write-report.ts');
  const { format, out, file } = options;
  const written = await withConnection(options, (connection) =>
    writeReport(connection, { sweep, format, out, file }, new Date()),
  );
  await print(written.map((path) => `${path}\n`).join(''));
}

export function registerReport(program: Command): void {
  const command = program
    .command('report')
    .description('write what a sweep found: verdicts, ranking, charts, reconstructions, and how to run it again')
    .argument('[sweep]', 'id, name or "last"', 'last')
    .addOption(new Option('-f, --format <format>', 'what to write').choices(['html', 'md', 'both']).default('both'))
    .option(
      '--out <path>',
      'a folder (there already, or ending in /) or a file (default: NAME-report.html and .md here)',
    )
    .option('--file <sweep.yaml>', "judge this file's hypotheses instead of those that the sweep was submitted with")
    .addHelpText('after', ABOUT);
  withHelp(withServer(command), {
    examples: [
      ['trawl report', 'the newest sweep: NAME-report.html and NAME-report.md'],
      ['trawl report 3 --dir runs/ae -f html --out study.html', 'one page, from a data folder'],
      ['trawl report 3 --out reports/', 'both, and the charts of the Markdown as files'],
      ['trawl report 3 --file asked-later.yaml', 'with hypotheses that came after the sweep'],
    ],
  }).action((sweep: string, options: Options) => report(sweep, options));
}
