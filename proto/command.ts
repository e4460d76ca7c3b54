// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros are written so
/**
 * The command line of a user's program, as a sweep file writes it (trainer `command`): a list of arguments that may
 * hold macros, with the names that Weights & Biases gave them. No shell reads it. `$${` stands for `${` itself.
 */

/** What a macro stands for: `one` argument or part of one; or `many`, and then it is an item of its own. */
export type MacroKind = 'one' | 'many';

export const MACROS = {
  env: 'one',
  interpreter: 'one',
  program: 'one',
  /** `--lr=0.1 --layers=3` */
  args: 'many',
  /** `lr=0.1 layers=3` */
  args_no_hyphens: 'many',
  /** As args, but `true` is `--name` and `false` is left out. */
  args_no_boolean_flags: 'many',
  /** `{"lr":0.1,"layers":3}` */
  args_json: 'one',
  seed: 'one',
} as const satisfies Record<string, MacroKind>;

export type MacroName = keyof typeof MACROS;

/** `${envvar:NAME}` is the variable NAME where the agent runs. */
const VARIABLE = /^envvar:([A-Za-z_][A-Za-z0-9_]*)$/;

export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'macro'; readonly name: MacroName }
  | { readonly kind: 'variable'; readonly name: string }
  /** No macro that there is. */
  | { readonly kind: 'unknown'; readonly name: string };

/** One item of a command, cut where its macros begin and end. */
export function piecesOf(item: string): Piece[] {
  const pieces: Piece[] = [];
  let rest = item;
  while (rest !== '') {
    const at = rest.indexOf('${');
    const end = at === -1 ? -1 : rest.indexOf('}', at);
    if (at > 0 && rest[at - 1] === '$') {
      pieces.push({ kind: 'text', text: `${rest.slice(0, at - 1)}\${` });
      rest = rest.slice(at + 2);
    } else if (end === -1) {
      // Without an end it is no macro: plain text.
      pieces.push({ kind: 'text', text: rest });
      rest = '';
    } else {
      if (at > 0) pieces.push({ kind: 'text', text: rest.slice(0, at) });
      pieces.push(pieceNamed(rest.slice(at + 2, end)));
      rest = rest.slice(end + 1);
    }
  }
  return pieces;
}

function pieceNamed(name: string): Piece {
  if (Object.hasOwn(MACROS, name)) return { kind: 'macro', name: name as MacroName };
  const variable = VARIABLE.exec(name)?.[1];
  return variable === undefined ? { kind: 'unknown', name } : { kind: 'variable', name: variable };
}
