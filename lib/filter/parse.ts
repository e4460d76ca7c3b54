/**
 * The filter language: `psnr>20 and depth=3`, `state=failed or agent~gpu`, `not (latent_dim<30)`. A word without a
 * comparison matches each trial that has the word in its ids, state, agent, failure or parameters, or in the reason for
 * its early stop.
 *
 *     or         = and { "or" and }
 *     and        = not { "and" not }
 *     not        = ( "not" | "!" ) not | "(" or ")" | comparison
 *     comparison = name ( "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~" ) value | word
 */
import { BadInputError } from '../../proto/errors.ts';
import { type ComparisonOperator, type Token, tokensOf } from './tokens.ts';

export type Filter =
  | { readonly kind: 'all' }
  | { readonly kind: 'and' | 'or'; readonly left: Filter; readonly right: Filter }
  | { readonly kind: 'not'; readonly of: Filter }
  | { readonly kind: 'word'; readonly text: string }
  | {
      readonly kind: 'compare';
      readonly name: string;
      readonly comparison: ComparisonOperator;
      /** The value as written in the filter. */
      readonly text: string;
      /** The value as a number. Undefined if the value is not a number. */
      readonly number: number | undefined;
    };

/** Matches every trial. */
export const ALL: Filter = { kind: 'all' };

/** The maximum nesting depth of brackets and `not`. */
const MAX_DEPTH = 100;

/**
 * Parses a filter.
 * @throws {BadInputError} if the text is not a valid filter; the message states which token was expected, and where
 */
export function parseFilter(text: string): Filter {
  return new Parser(tokensOf(text)).parse();
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Filter {
    if (this.#tokens.length === 0) return ALL;
    const filter = this.#or();
    if (this.#peek() !== undefined) this.#expected('"and" or "or"');
    return filter;
  }

  #or(): Filter {
    let left = this.#and();
    while (this.#takeKeyword('or')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Filter {
    let left = this.#not();
    while (this.#takeKeyword('and')) left = { kind: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Filter {
    if (++this.#depth > MAX_DEPTH) throw new BadInputError('filter: brackets and "not" are nested too deep');
    try {
      if (this.#take('!') || this.#takeKeyword('not')) return { kind: 'not', of: this.#not() };
      if (!this.#take('(')) return this.#comparison();
      const inner = this.#or();
      if (!this.#take(')')) this.#expected('")"');
      return inner;
    } finally {
      this.#depth--;
    }
  }

  #comparison(): Filter {
    const word = this.#word('a name, a word or "("');
    const operator = this.#peek();
    if (operator?.kind !== 'comparison') return { kind: 'word', text: word.text };
    this.#at++;
    const value = this.#word(`a value after "${operator.comparison}"`);
    const number = value.quoted ? Number.NaN : Number(value.text);
    return {
      kind: 'compare',
      name: word.text,
      comparison: operator.comparison,
      text: value.text,
      number: Number.isNaN(number) ? undefined : number,
    };
  }

  #word(what: string): Extract<Token, { kind: 'word' }> {
    const token = this.#peek();
    if (token?.kind !== 'word' || isKeyword(token)) return this.#expected(what);
    this.#at++;
    return token;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #take(kind: '(' | ')' | '!'): boolean {
    if (this.#peek()?.kind !== kind) return false;
    this.#at++;
    return true;
  }

  #takeKeyword(keyword: string): boolean {
    const token = this.#peek();
    if (token?.kind !== 'word' || !isKeyword(token) || token.text.toLowerCase() !== keyword) return false;
    this.#at++;
    return true;
  }

  #expected(what: string): never {
    const token = this.#peek();
    throw new BadInputError(`filter: expected ${what} ${token ? `at character ${token.at}` : 'at the end'}`);
  }
}

const isKeyword = (token: Token): boolean =>
  token.kind === 'word' && !token.quoted && /^(and|or|not)$/i.test(token.text);

/** Returns the names of the fields that the filter compares, each once. */
export function namesIn(filter: Filter): string[] {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return [...new Set([...namesIn(filter.left), ...namesIn(filter.right)])];
    case 'not':
      return namesIn(filter.of);
    case 'compare':
      return [filter.name];
    default:
      return [];
  }
}
