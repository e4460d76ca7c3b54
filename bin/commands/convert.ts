import { writeFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { CONVERT_FORMATS, convertFile, type Format } from '../convert/convert.ts';
import { toYaml } from '../convert/converted.ts';
import { writeWholeFile } from '../export/write-whole.ts';
import { type GlobalOptions, withHelp } from '../options/common.ts';
import { pathOption } from '../options/values.ts';
import { note, print } from '../output/print.ts';

interface Options extends GlobalOptions {
  readonly from?: Format;
  readonly out?: string;
}

async function convert(file: string, { from, out }: Options): Promise<void> {
  const converted = await convertFile(file, from);
  const text = toYaml(converted);
  if (out === undefined) await print(text);
  else await writeWholeFile(out, (path) => writeFile(path, text));
  for (const line of converted.notes) note(line);
}

export function registerConvert(program: Command): void {
  const command = program
    .command('convert')
    .description("convert another tool's sweep to a trawl sweep file")
    .argument(
      '<file>',
      'a Katib Experiment, a Determined experiment, an NNI configuration or search space, a Ray Tune or Optuna space in JSON, a text file with Hydra multirun arguments, or a Hydra configuration with a sweeper',
    )
    .addOption(
      new Option('--from <format>', 'format of the file (default: recognized by its content)').choices(CONVERT_FORMATS),
    )
    .option('--out <file>', 'write the sweep file here (default: stdout)', pathOption);
  withHelp(command, {
    remote: false,
    examples: [
      ['trawl convert experiment.yaml --out sweep.yaml', 'convert a Katib or Determined experiment'],
      ['trawl convert space.json --from ray', "convert Ray Tune's search space"],
      ['echo "train.py -m lr=1e-3,1e-4" > args.txt && trawl convert args.txt', 'convert Hydra arguments'],
    ],
  }).action((file: string, _options: Options, self: Command) => convert(file, self.optsWithGlobals<Options>()));
}
