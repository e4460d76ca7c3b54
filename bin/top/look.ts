import type { Look } from '../../dashboard/draw/paint.ts';

/**
 * What the terminal can show: colours unless refused, and more than ASCII where the locale says UTF-8.
 * @param options `color` false after `--no-color`
 */
export function lookOf(
  options: { readonly color: boolean; readonly ascii?: true },
  terminal: { readonly isTTY?: boolean },
  environment: NodeJS.ProcessEnv,
): Look {
  const refused = !options.color || (environment.NO_COLOR ?? '') !== '';
  const dumb = environment.TERM === 'dumb' || environment.TERM === 'linux';
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  // A pipe says nothing of what reads it: nearly everything reads UTF-8.
  const utf8 = terminal.isTTY !== true || /utf-?8/i.test(locale);
  return {
    colour: !refused && environment.TERM !== 'dumb' && terminal.isTTY === true,
    plain: terminal.isTTY !== true,
    ascii: options.ascii === true || (terminal.isTTY === true && dumb) || !utf8,
  };
}
