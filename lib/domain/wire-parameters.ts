/** Parameters between their plain form and the wire's. */
import type { ParameterValue as WireValue } from '../../proto/gen/trawl/v1/types.ts';
import type { Parameters } from '../../proto/trainers.ts';

export function toWire(parameters: Parameters): Record<string, WireValue> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]): [string, WireValue] => {
      if (typeof value === 'number') return [name, { kind: { $case: 'number', number: value } }];
      if (typeof value === 'string') return [name, { kind: { $case: 'text', text: value } }];
      return [name, { kind: { $case: 'flag', flag: value } }];
    }),
  );
}

/** @throws {Error} when a value on the wire has no kind (a peer of another version). */
export function fromWire(parameters: Record<string, WireValue>): Parameters {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { kind }]) => {
      switch (kind?.$case) {
        case 'number':
          return [name, kind.number];
        case 'text':
          return [name, kind.text];
        case 'flag':
          return [name, kind.flag];
        default:
          throw new Error(`parameter ${name} has no value on the wire`);
      }
    }),
  );
}
