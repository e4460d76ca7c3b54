/** A claim's words and signs, read one after the other. The first thing that is wrong is kept; reading goes on to no effect. */
import { quote } from '../sweepfile/wording.ts';

export interface ClaimToken {
  readonly kind: 'word' | 'sign' | 'text' | 'end';
  readonly text: string;
  /** Characters from the start of the claim. */
  readonly at: number;
}

/** Text in quotes, a sign, or a run of anything else: names of metrics and values have dots, slashes and hyphens. */
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

export class ClaimTokens {
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

  /** @param token where; the one that comes next unless another is named */
  fail(message: string, token: ClaimToken = this.#peek(0)): void {
    const got = token.kind === 'end' ? 'the claim ends there' : `got ${quote(token.text)}`;
    this.#problem ??= `character ${token.at + 1} of the claim: ${message}; ${got}`;
  }

  next(): ClaimToken {
    return this.#tokens[this.#position++] ?? this.#end;
  }

  /** The word, or the sign, that comes after so many others; undefined when something else does. */
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

  name(what: string): string {
    const token = this.next();
    if (token.kind !== 'word') this.fail(`expected ${what}`, token);
    return token.text;
  }

  end(): void {
    if (this.#peek(0).kind !== 'end') this.fail('expected nothing more');
  }

  #peek(ahead: number): ClaimToken {
    return this.#tokens[this.#position + ahead] ?? this.#end;
  }
}
