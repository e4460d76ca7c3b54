/** What a hypothesis claims, and the small language that it is written in. */
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Condition } from '../grid/rules.ts';
import { type ClaimToken, ClaimTokens } from './claim-tokens.ts';

/** The metric is greater, or less, on the left. */
export type Direction = '>' | '<';

/** A metric of the trials that meet the conditions: its mean, or the range of its means over a parameter's values. */
export interface Quantity {
  readonly metric: string;
  /** The parameter that a range is over; undefined: the mean. */
  readonly over: string | undefined;
  readonly conditions: readonly Condition[];
}

export type Claim =
  /** `test_loss[latent_dim]: 15 > 30 > 50` */
  | {
      readonly kind: 'ordering';
      readonly metric: string;
      readonly parameter: string;
      readonly values: readonly ParameterValue[];
      readonly direction: Direction;
    }
  /** `psnr[latent_dim=15] > psnr[latent_dim=100]`, with `not` before it, or of ranges */
  | {
      readonly kind: 'comparison';
      readonly left: Quantity;
      readonly right: Quantity;
      readonly direction: Direction;
      readonly negated: boolean;
    }
  /** `test_loss falls over epochs` */
  | { readonly kind: 'trend'; readonly metric: string; readonly rises: boolean };

/** The forms that a claim may have, for messages. */
export const CLAIM_FORMS =
  'test_loss[latent_dim]: 15 > 30 > 50, psnr[latent_dim=15] > psnr[latent_dim=100], test_loss falls over epochs';

/**
 * @returns what is wrong, as text with the place in the claim, when it is none
 */
export function parseClaim(text: string): Claim | string {
  const tokens = new ClaimTokens(text);
  const claim = claimOf(tokens);
  return tokens.problem ?? claim;
}

function claimOf(tokens: ClaimTokens): Claim {
  const negated = tokens.word() === 'not' && tokens.isWord(1);
  if (negated) tokens.next();
  const next = tokens.word(1);
  if (!negated && (next === 'falls' || next === 'rises')) return trendOf(tokens);
  if (!negated && tokens.sign(1) === '[' && tokens.sign(3) === ']') return orderingOf(tokens);
  const left = quantityOf(tokens);
  if (tokens.word() === 'falls' || tokens.word() === 'rises') {
    tokens.fail('a trend is of a bare metric; give its conditions under where');
  }
  const direction = directionOf(tokens);
  const right = quantityOf(tokens);
  tokens.end();
  return { kind: 'comparison', left, right, direction, negated };
}

function trendOf(tokens: ClaimTokens): Claim {
  const metric = tokens.name('a metric');
  const rises = tokens.next().text === 'rises';
  tokens.expect('over');
  tokens.expect('epochs');
  tokens.end();
  return { kind: 'trend', metric, rises };
}

function orderingOf(tokens: ClaimTokens): Claim {
  const metric = tokens.name('a metric');
  tokens.expect('[');
  const parameter = tokens.name('a parameter');
  tokens.expect(']');
  tokens.expect(':');
  const values = [scalarOf(tokens)];
  const direction = directionOf(tokens);
  values.push(scalarOf(tokens));
  while (tokens.sign() === '>' || tokens.sign() === '<') {
    if (tokens.sign() !== direction) tokens.fail(`every sign of an ordering is the same; expected "${direction}"`);
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
    if (conditions.some((one) => one.name === name)) tokens.fail(`"${name}" stands twice in one bracket`);
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

/** As YAML has it: a number, true or false, else text; text in quotes where it is to look like one of those. */
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
