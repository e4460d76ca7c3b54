/** Generates valid and invalid values for the fields of messages. */
import type protobuf from 'protobufjs';
import type { TestRandom } from '../support/random.ts';

/** Valid values by field name, such as `seq` or `Hello.metrics`. One of them is picked at random for each field. */
export type SampleValues = Readonly<Record<string, readonly (string | number)[]>>;

export interface Values {
  /** Returns the content of a field of type string or bytes. */
  text(field: protobuf.Field): Uint8Array;
  /** Returns the value of an integer, enum or bool field, as the 64 bits of its varint. */
  integer(field: protobuf.Field): bigint;
  double(field: protobuf.Field): number;
  /** Returns how many times a field occurs in its message. */
  times(field: protobuf.Field): number;
  /** Returns how many members of a oneof are set. */
  members(): number;
}

/** Returns values that form valid messages. */
export function plausible(random: TestRandom, samples: SampleValues): Values {
  const word = (field: protobuf.Field) => {
    const known = samples[`${field.parent?.name}.${field.name}`] ?? samples[field.name];
    return known && random.pick(known);
  };
  return {
    text: (field) => Buffer.from(`${word(field) ?? 'x'}`),
    integer: (field) => BigInt(word(field) ?? Math.floor(random.between(0, 5))),
    double: () => random.next(),
    times: (field) => (field.repeated || field.map ? Math.floor(random.between(0, 3)) : 1),
    members: () => 1,
  };
}

const LONG = 300_000;
const HOSTILE_TEXTS: readonly (readonly string[])[] = [
  [
    '',
    '.',
    '..',
    '../../x',
    '/etc/passwd',
    'a/../../b',
    'C:\\x',
    '~',
    'last',
    '-1',
    '0',
    '00',
    '1e999',
    'NaN',
    'a.b',
    '*',
    '>',
  ],
  [
    ...[' ', '\0', 'a\0b', '\u202etxt', '\x1b[2J\x1b]0;x\x07', '\r\nx: y', '%s%n', '$(x)', '\ufffd', '\u{1f41f}'],
    ...[
      "' or 1=1; --",
      '"; drop table trials; --',
      '<script>alert(1)</script>',
      '__proto__',
      'constructor',
      'toString',
    ],
    ...['x'.repeat(65), 'x'.repeat(1_001), '\u00e9'.repeat(5_000), '\u{1f41f}'.repeat(2_000), 'x'.repeat(LONG)],
  ],
  [
    ...['['.repeat(LONG), '{a: '.repeat(20_000), '- '.repeat(20_000), '? '.repeat(5_000), '!!js/function x', '%YAML 9'],
    ...['"\\ud800": 1', 'name: "\\ud800"\ntrainer: "\\udc00"', '&a [*a]'],
    'a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]',
    'trainer: noop\nparameters: {x: {min: 1, max: 1000000000000}}',
    'trainer: noop\nparameters: {x: {min: 0, max: 1, step: 1.0e-300}}',
    'trainer: noop\nparameters: {__proto__: {values: [1]}, constructor: {values: [2]}}',
    'trainer: noop\nparameters: {x: {values: ["\\ud800", "\\0", -0, 1.0e400, .nan]}}',
  ],
];
const INTEGERS: readonly bigint[] = [
  0n,
  1n,
  2n,
  127n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
].concat([2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n - 2n ** 31n]);
const DOUBLES = [0, -0, 1e308, -1e308, 5e-324, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/**
 * Returns values for well-formed messages. Some values are valid, and others are at or beyond the limits. Some messages
 * have only a few invalid values, so that they pass the first checks and reach later checks.
 */
export function extreme(random: TestRandom, samples: SampleValues): Values {
  const sane = plausible(random, samples);
  const share = random.pick([0.05, 0.1, 0.4]);
  const mostly = <T>(usual: T, odd: () => T) => (random.next() < share ? odd() : usual);
  return {
    text: (field) =>
      mostly(sane.text(field), () =>
        random.next() < 0.9 ? Buffer.from(random.pick(random.pick(HOSTILE_TEXTS))) : noise(random, 40),
      ),
    integer: (field) => mostly(sane.integer(field), () => random.pick(INTEGERS)),
    double: () => random.pick(DOUBLES),
    times: (field) => {
      if (random.next() >= share) return sane.times(field);
      return field.repeated || field.map ? random.pick([0, 1, 70, 2_000]) : random.pick([0, 0, 2]);
    },
    members: () => random.pick([1, 1, 1, 0, 2]),
  };
}

/** Returns up to `atMost` random bytes. */
export function noise(random: TestRandom, atMost: number): Uint8Array {
  return Uint8Array.from({ length: Math.floor(random.between(0, atMost + 1)) }, () => Math.floor(random.next() * 256));
}
