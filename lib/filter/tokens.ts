/** The tokens of the filter language: names, values, comparisons and brackets. */
import { BadInputError } from '../../proto/errors.ts';

const COMPARISON_OPERATORS = ['=', '!=', '<', '<=', '>', '>=', '~', '!~'] as const;
export type ComparisonOperator = (typeof COMPARISON_OPERATORS)[number];

export type Token =
  | { readonly kind: 'word'; readonly text: string; readonly quoted: boolean; readonly at: number }
  | { readonly kind: 'comparison'; readonly comparison: ComparisonOperator; readonly at: number }
  | { readonly kind: '(' | ')' | '!'; readonly at: number };

const TOKEN =
  /\s*(?:(?<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<comparison>==|!=|!~|<=|>=|[=<>~])|(?<sign>[()!])|(?<word>[^\s()!=<>~"']+))/y;

/**
 * Splits a filter into tokens.
 * @throws {BadInputError} if a quote is not closed
 */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match?.groups === undefined) {
      throw new BadInputError(
        `filter: the quote at character ${text.slice(from).search(/\S/) + from + 1} is not closed`,
      );
    }
    const { quoted, comparison, sign, word } = match.groups;
    const at = TOKEN.lastIndex - (quoted ?? comparison ?? sign ?? word ?? '').length + 1;
    if (quoted !== undefined) {
      tokens.push({ kind: 'word', text: quoted.slice(1, -1).replace(/\\(.)/g, '$1'), quoted: true, at });
    } else if (comparison !== undefined) {
      tokens.push({
        kind: 'comparison',
        comparison: (comparison === '==' ? '=' : comparison) as ComparisonOperator,
        at,
      });
    } else if (sign !== undefined) tokens.push({ kind: sign as '(' | ')' | '!', at });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word, quoted: false, at });
  }
  return tokens;
}
