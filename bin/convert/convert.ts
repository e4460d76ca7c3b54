// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/** Converts another tool's sweep to a trawl sweep file. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgsStringToArgv } from 'string-argv';
import { parse } from 'yaml';
import { BadInputError } from '../../proto/errors.ts';
import { type Converted, isRecord } from './converted.ts';
import { fromDetermined, isDetermined } from './determined.ts';
import { fromHydra, fromHydraConfig, isHydra, isHydraConfig } from './hydra.ts';
import { fromKatib, isKatib } from './katib.ts';
import { fromNni, isNni, isNniSpace, nniSpaceFile } from './nni.ts';
import { fromOptuna, fromRayTune, isOptuna } from './spaces.ts';

/** The values of `--from`. */
export const CONVERT_FORMATS = ['katib', 'determined', 'nni', 'ray', 'optuna', 'hydra'] as const;
export type Format = (typeof CONVERT_FORMATS)[number];

const KNOWN =
  'a Katib Experiment, a Determined experiment, an NNI configuration or search space, a Ray Tune or Optuna space in JSON, Hydra arguments, or a Hydra configuration with a sweeper';

/**
 * Converts a file. Detects the format of the file unless `format` is given.
 * @throws {BadInputError} when the format is unknown, or when the file or a file that it names cannot be read
 */
export async function convertFile(path: string, format?: Format): Promise<Converted> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new BadInputError(`cannot read ${path}: ${error.code === 'ENOENT' ? 'no such file' : error.message}`);
  });
  const readBeside = async (name: string) => parse(await readFile(join(dirname(path), name), 'utf8'));
  return await convertText(text, path, format, readBeside);
}

/**
 * Converts a text. Detects the format of the text unless `format` is given.
 * @param where the name of the text, for error messages
 * @param readBeside a function that reads and parses a file that the text names
 */
export async function convertText(
  text: string,
  where: string,
  format: Format | undefined,
  readBeside: (name: string) => Promise<unknown>,
): Promise<Converted> {
  const converted = await convertedText(text, where, format, readBeside);
  if (converted.sweep.command !== undefined) return converted;
  const note = 'the command is a placeholder: replace it with the command of your program.';
  const sweep = { ...converted.sweep, command: PLACEHOLDER_COMMAND };
  return { ...converted, sweep, notes: [...converted.notes, note] };
}

/**
 * The command of the sweep file if the converted file names no command. A sweep file with neither a command nor a
 * trainer is invalid.
 */
const PLACEHOLDER_COMMAND = ['python3', 'main.py', '${args}'];

async function convertedText(
  text: string,
  where: string,
  format: Format | undefined,
  readBeside: (name: string) => Promise<unknown>,
): Promise<Converted> {
  const args = parseArgsStringToArgv(text.replaceAll(/^\s*#.*$/gm, '').replaceAll(/\\\r?\n/g, ' '));
  const multirun = args.slice(args.findIndex((arg) => /^(?:-m|--multirun)$/.test(arg)) + 1);
  const overrides = multirun.filter((arg) => !arg.startsWith('-') && !/\.py$/.test(arg) && !/^python\d?/.test(arg));
  const data = parsed(text);
  const isHydraFile = isHydraConfig(data);
  if (!isHydraFile && (format === 'hydra' || (format === undefined && !isRecord(data) && isHydra(overrides)))) {
    return fromHydra(
      overrides,
      args.find((arg) => arg.endsWith('.py')),
    );
  }
  if (!isRecord(data)) throw new BadInputError(`${where}: expected ${KNOWN}`);
  switch (format ?? formatOf(data)) {
    case 'katib':
      return fromKatib(data);
    case 'determined':
      return fromDetermined(data);
    case 'nni': {
      const file = nniSpaceFile(data);
      if (isNniSpace(data)) return fromNni({}, data);
      if (file === undefined) return fromNni(data, data.searchSpace);
      const space = await readBeside(file).catch(() => {
        throw new BadInputError(`${where}: cannot read the search space file ${file}`);
      });
      return fromNni(data, space);
    }
    case 'optuna':
      return fromOptuna(data);
    case 'ray':
      return fromRayTune(data);
    case 'hydra':
      return fromHydraConfig(data);
    default:
      throw new BadInputError(
        `${where}: expected ${KNOWN}; name the format with --from if the file has one of these formats`,
      );
  }
}

function parsed(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function formatOf(data: Record<string, unknown>): Format | undefined {
  if (isKatib(data)) return 'katib';
  if (isDetermined(data)) return 'determined';
  if (isNniSpace(data) || isNni(data)) return 'nni';
  if (isOptuna(data)) return 'optuna';
  if (isHydraConfig(data)) return 'hydra';
  const sampled = JSON.stringify(data).match(/"(?:grid_search|(?:q|log|qlog)?(?:uniform|randint)|choice|q?randn)"/);
  return sampled === null ? undefined : 'ray';
}
