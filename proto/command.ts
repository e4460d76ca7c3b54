// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the syntax of macros
/**
 * The command line of a user's program in a sweep file (trainer `command`): a list of arguments, which can contain
 * macros. The macros have the same names as in Weights & Biases. The command line is not passed to a shell. `$${` is an
 * escaped `${`.
 */

/**
 * A macro of kind `one` expands to one argument or to a part of an argument. A macro of kind `many` expands to several
 * arguments and must be a separate item of the command.
 */
export type MacroKind = 'one' | 'many';

export const MACROS = {
  env: 'one',
  interpreter: 'one',
  program: 'one',
  /** `--lr=0.1 --layers=3` */
  args: 'many',
  /** `lr=0.1 layers=3` */
  args_no_hyphens: 'many',
  /** `--lr 0.1 --layers 3` */
  args_no_equals: 'many',
  /** `+lr=0.1 +layers=3` */
  args_append_hydra: 'many',
  /** `++lr=0.1 ++layers=3` */
  args_override_hydra: 'many',
  /** A macro like args, except that `true` becomes `--name` and `false` is omitted. */
  args_no_boolean_flags: 'many',
  /** `{"lr": 0.1, "layers": 3}` */
  args_json: 'one',
  /** The path of a file with the JSON of args_json. */
  args_json_file: 'one',
  seed: 'one',
  /** The trial's id. */
  trial: 'one',
  /** The folder whose files are kept as artifacts. */
  artifacts: 'one',
} as const satisfies Record<string, MacroKind>;

export type MacroName = keyof typeof MACROS;

const VARIABLE = /^envvar:([A-Za-z_][A-Za-z0-9_]*)$/;
const PARAMETER = /^param:(.+)$/s;

export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'macro'; readonly name: MacroName }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'unknown'; readonly name: string };

/** Splits one item of a command into text and macros. */
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
  if (variable !== undefined) return { kind: 'variable', name: variable };
  const parameter = PARAMETER.exec(name)?.[1];
  return parameter === undefined ? { kind: 'unknown', name } : { kind: 'parameter', name: parameter };
}
