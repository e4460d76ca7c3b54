/** Parses the claims of hypotheses. */
import { quote } from '../../lib/text/quote.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Condition } from '../grid/points.ts';

/** The relation between the left side and the right side of a claim. */
export type Direction = '>' | '<';

/**
 * Either the mean of a metric over the trials that match the conditions, or the range of such means: the largest minus
 * the smallest of the means at the values of a parameter.
 */
export interface Quantity {
  readonly metric: string;
  /** The parameter of the range. Undefined if the quantity is a mean. */
  readonly over: string | undefined;
  readonly conditions: readonly Condition[];
}

export type HypothesisClaim =
  /** `test_loss[latent_dim]: 15 > 30 > 50` */
  | {
      readonly kind: 'ordering';
      readonly metric: string;
      readonly parameter: string;
      readonly values: readonly ParameterValue[];
      readonly direction: Direction;
    }
  /** `psnr[latent_dim=15] > psnr[latent_dim=100]`, its negation with `not`, or a comparison of two ranges */
  | {
      readonly kind: 'comparison';
      readonly left: Quantity;
      readonly right: Quantity;
      readonly direction: Direction;
      readonly negated: boolean;
    }
  /** `test_loss falls over epochs` */
  | { readonly kind: 'trend'; readonly metric: string; readonly rises: boolean };

/** One example of each kind of claim, for messages. */
export const CLAIM_FORMS =
  'test_loss[latent_dim]: 15 > 30 > 50, psnr[latent_dim=15] > psnr[latent_dim=100], test_loss falls over epochs';

/** Parses a claim. If the claim is invalid, returns a message with the position of the error. */
export function parseClaim(text: string): HypothesisClaim | string {
  const tokens = new ClaimTokens(text);
  const claim = claimOf(tokens);
  return tokens.problem ?? claim;
}

function claimOf(tokens: ClaimTokens): HypothesisClaim {
  const negated = tokens.word() === 'not' && tokens.isWord(1);
  if (negated) tokens.next();
  const next = tokens.word(1);
  if (!negated && (next === 'falls' || next === 'rises')) return trendOf(tokens);
  if (!negated && tokens.sign(1) === '[' && tokens.sign(3) === ']') return orderingOf(tokens);
  const left = quantityOf(tokens);
  if (tokens.word() === 'falls' || tokens.word() === 'rises') {
    tokens.fail('the metric of a trend cannot have conditions; write them in the key "where" of the hypothesis');
  }
  const direction = directionOf(tokens);
  const right = quantityOf(tokens);
  tokens.end();
  return { kind: 'comparison', left, right, direction, negated };
}

function trendOf(tokens: ClaimTokens): HypothesisClaim {
  const metric = tokens.name('a metric');
  const rises = tokens.next().text === 'rises';
  tokens.expect('over');
  tokens.expect('epochs');
  tokens.end();
  return { kind: 'trend', metric, rises };
}

function orderingOf(tokens: ClaimTokens): HypothesisClaim {
  const metric = tokens.name('a metric');
  tokens.expect('[');
  const parameter = tokens.name('a parameter');
  tokens.expect(']');
  tokens.expect(':');
  const values = [scalarOf(tokens)];
  const direction = directionOf(tokens);
  values.push(scalarOf(tokens));
  while (tokens.sign() === '>' || tokens.sign() === '<') {
    if (tokens.sign() !== direction) tokens.fail(`an ordering uses only one sign; expected "${direction}"`);
    tokens.next();
    values.push(scalarOf(tokens));
  }
  tokens.end();
  return { kind: 'ordering', metric, parameter, values, direction };
}

function quantityOf(tokens: ClaimTokens): Quantity {
  if (tokens.word() !== 'range' || tokens.sign(1) !== '(') {
    const metric = tokens.name('a metric');
    return { metric, over: undefined, conditions: conditionsOf(tokens) };
  }
  tokens.next();
  tokens.expect('(');
  const metric = tokens.name('a metric');
  tokens.expect(',');
  const over = tokens.name('a parameter');
  tokens.expect(')');
  return { metric, over, conditions: conditionsOf(tokens) };
}

function conditionsOf(tokens: ClaimTokens): Condition[] {
  tokens.expect('[');
  const conditions: Condition[] = [];
  do {
    if (conditions.length > 0) tokens.expect(',');
    const name = tokens.name('a parameter');
    if (conditions.some((one) => one.name === name)) tokens.fail(`"${name}" is given twice`);
    tokens.expect('=');
    conditions.push({ name, anyOf: [scalarOf(tokens)] });
  } while (tokens.sign() === ',');
  tokens.expect(']');
  return conditions;
}

function directionOf(tokens: ClaimTokens): Direction {
  const sign = tokens.sign();
  if (sign !== '>' && sign !== '<') tokens.fail('expected ">" or "<"');
  tokens.next();
  return sign === '<' ? '<' : '>';
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

function scalarOf(tokens: ClaimTokens): ParameterValue {
  const token: ClaimToken = tokens.next();
  if (token.kind === 'text') return token.text;
  if (token.kind !== 'word') {
    tokens.fail('expected a value', token);
    return '';
  }
  if (token.text === 'true' || token.text === 'false') return token.text === 'true';
  if (!NUMBER.test(token.text)) return token.text;
  const number = Number(token.text);
  if (!Number.isFinite(number)) tokens.fail('expected a finite number', token);
  return number === 0 ? 0 : number;
}

interface ClaimToken {
  readonly kind: 'word' | 'sign' | 'text' | 'end';
  readonly text: string;
  /** The offset of the token in the claim, in characters. */
  readonly at: number;
}

const TOKEN =
  /\s*(?:"(?<double>[^"]*)"|'(?<single>[^']*)'|(?<sign>[[\](),:=<>])|(?<word>[^\s[\](),:=<>"']+)|(?<bad>["']))/y;

function* tokensOf(text: string): Generator<ClaimToken, void, undefined> {
  const pattern = new RegExp(TOKEN);
  for (let match = pattern.exec(text); match?.groups !== undefined; match = pattern.exec(text)) {
    const { double, single, sign, word, bad } = match.groups;
    const at = match.index + match[0].length - match[0].trimStart().length;
    if (sign !== undefined) yield { kind: 'sign', text: sign, at };
    else if (word !== undefined) yield { kind: 'word', text: word, at };
    else if (bad !== undefined) yield { kind: 'sign', text: bad, at };
    else yield { kind: 'text', text: double ?? single ?? '', at };
  }
}

/** Reads the tokens of a claim. Keeps only the first error: later calls of `fail` have no effect. */
class ClaimTokens {
  readonly #tokens: readonly ClaimToken[];
  readonly #end: ClaimToken;
  #position = 0;
  #problem: string | undefined;

  constructor(text: string) {
    this.#tokens = [...tokensOf(text)];
    this.#end = { kind: 'end', text: '', at: text.length };
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** @param token the token with the error; by default, the next token */
  fail(message: string, token: ClaimToken = this.#peek(0)): void {
    const got = token.kind === 'end' ? 'the claim ends here' : `got ${quote(token.text)}`;
    this.#problem ??= `character ${token.at + 1} of the claim: ${message}; ${got}`;
  }

  next(): ClaimToken {
    return this.#tokens[this.#position++] ?? this.#end;
  }

  /** Returns the token that is `ahead` tokens after the next token, or undefined if that token is not a word. */
  word(ahead = 0): string | undefined {
    const token = this.#peek(ahead);
    return token.kind === 'word' ? token.text : undefined;
  }

  sign(ahead = 0): string | undefined {
    const token = this.#peek(ahead);
    return token.kind === 'sign' ? token.text : undefined;
  }

  isWord(ahead: number): boolean {
    return this.word(ahead) !== undefined;
  }

  expect(text: string): void {
    const token = this.next();
    if (token.kind === 'text' || token.text !== text) this.fail(`expected ${quote(text)}`, token);
  }

  name(expected: string): string {
    const token = this.next();
    if (token.kind !== 'word') this.fail(`expected ${expected}`, token);
    return token.text;
  }

  end(): void {
    if (this.#peek(0).kind !== 'end') this.fail('expected the end of the claim');
  }

  #peek(ahead: number): ClaimToken {
    return this.#tokens[this.#position + ahead] ?? this.#end;
  }
}
