/**
 * Compares the parameters of a sweep file with the options that a Python script declares with argparse. The script is
 * only read as text, so options that the text does not contain literally cannot be compared.
 */
import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import { SEED } from '../../lib/domain/parameters.ts';
import { didYouMean } from '../../lib/text/did-you-mean.ts';

/** The macros that pass every parameter as an option with the name of the parameter. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: macros have this form
const OPTION_MACROS = ['${args}', '${args_no_equals}', '${args_no_boolean_flags}'] as const;

const OPTION = /\.add_argument\(\s*((?:['"]-{1,2}[\w.-]+['"][\s,]*)+)([^()]*(?:\([^()]*\)[^()]*)*)\)/g;
/** Matches a script whose parser may have options that the text of the script does not contain. */
const OPEN_PARSER =
  /parse_known_args|add_subparsers|parents\s*=|add_cli_args|add_argparse_args|\.add_argument\((?!\s*['"])|\.add_argument\(\s*['"][^'"]*['"]\s*[%+.]|\b(?!ArgumentParser)\w+\(\s*parser\b/;

interface ScriptOption {
  readonly names: readonly string[];
  readonly isFlag: boolean;
}

/**
 * Returns the options of a script. Undefined if the script does not use argparse, or its text does not show all
 * options.
 */
export function argparseOptions(script: string): ScriptOption[] | undefined {
  const text = script.replaceAll(/^\s*#.*$/gm, '');
  if (!/\bArgumentParser\(/.test(text) || !/\.parse_args\(/.test(text) || OPEN_PARSER.test(text)) return undefined;
  return [...text.matchAll(OPTION)].map(([, names = '', rest = '']) => ({
    names: [...names.matchAll(/['"](-{1,2}[\w.-]+)['"]/g)].map(([, name = '']) => name),
    isFlag: /\baction\s*=\s*['"]store_(?:true|false)['"]/.test(rest),
  }));
}

/** Returns one sentence for each parameter that no option of the script can receive. */
export function argparseWarnings({ command, program }: SweepSpec, script: string, scriptName: string): string[] {
  const macro = OPTION_MACROS.find((one) => command.includes(one));
  const options = macro === undefined ? undefined : argparseOptions(script);
  if (program === undefined || options === undefined) return [];
  const all = options.flatMap(({ names }) => names);
  return program.parameterOrder.flatMap((name) => {
    const written = `--${name}`;
    // argparse accepts a unique prefix of an option.
    const matching = options.filter(({ names }) => names.some((one) => one.startsWith(written)));
    if (matching.length === 0) {
      const seed = name === SEED ? ' (the seed of the replicates)' : '';
      return [`${scriptName} has no option ${written}${seed}${didYouMean(written, all)}`];
    }
    if (macro === OPTION_MACROS[2] || !matching.some(({ isFlag, names }) => isFlag && names.includes(written)))
      return [];
    return [`the option ${written} of ${scriptName} takes no value: pass the parameters with ${OPTION_MACROS[2]}`];
  });
}
