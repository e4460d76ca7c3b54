import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tfRecord } from '../../../../lib/files/tfrecord.ts';
import { EventFileReader } from './event-file.ts';

const message = (fill: (writer: BinaryWriter) => void): Uint8Array => {
  const writer = new BinaryWriter();
  fill(writer);
  return writer.finish();
};
const inner = (writer: BinaryWriter, field: number, bytes: Uint8Array) =>
  writer.tag(field, WireType.LengthDelimited).bytes(bytes);

const simple = (tag: string, value: number) =>
  message((w) => {
    w.tag(1, WireType.LengthDelimited).string(tag);
    w.tag(2, WireType.Bit32).float(value);
  });
/** Returns a scalar in `tensor_content`, as TensorFlow 2's summary writer stores it. */
const tensor = (tag: string, value: number) =>
  message((w) => {
    w.tag(1, WireType.LengthDelimited).string(tag);
    const content = Buffer.alloc(4);
    content.writeFloatLE(value);
    inner(
      w,
      8,
      message((t) => {
        t.tag(1, WireType.Varint).int32(1);
        inner(t, 2, new Uint8Array());
        inner(t, 4, content);
      }),
    );
  });
const image = (tag: string) =>
  message((w) => {
    w.tag(1, WireType.LengthDelimited).string(tag);
    inner(w, 4, new Uint8Array(100));
  });

const event = (step: number, ...values: Uint8Array[]) =>
  message((w) => {
    w.tag(1, WireType.Bit64).double(1.5e9);
    w.tag(2, WireType.Varint).int64(step);
    inner(
      w,
      5,
      message((s) => {
        for (const value of values) inner(s, 1, value);
      }),
    );
  });

const record = (data: Uint8Array) => Buffer.from(tfRecord(data));

const neverDamaged = (problem: string) => {
  throw new Error(problem);
};

const FILE = Buffer.concat([
  record(message((w) => w.tag(3, WireType.LengthDelimited).string('brain.Event:2'))),
  record(event(1, simple('loss', 0.5), image('sample'))),
  record(new Uint8Array(2 << 20)),
  record(event(2, tensor('epoch_loss', 0.25))),
  record(Buffer.from([0xff, 0xff, 0xff])),
  record(event(300, simple('loss', 0.125))),
]);

const EXPECTED = [
  { tag: 'loss', step: 1, value: 0.5 },
  { tag: 'epoch_loss', step: 2, value: 0.25 },
  { tag: 'loss', step: 300, value: 0.125 },
];

test('scalars are read as plain values and as tensors; images, huge records and invalid records are skipped', () => {
  expect(new EventFileReader(neverDamaged).push(FILE)).toEqual(EXPECTED);
});

test('the scalars do not depend on the pieces in which the bytes arrive', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(FILE.length), { maxLength: 6 }), (cuts) => {
      const at = [0, ...cuts.sort((x, y) => x - y), FILE.length];
      const reader = new EventFileReader(neverDamaged);
      expect(at.slice(1).flatMap((end, i) => reader.push(FILE.subarray(at[i], end)))).toEqual(EXPECTED);
    }),
    { numRuns: 20 },
  );
});

const RECORDS = [1, 2, 3].map((step) => record(event(step, simple('loss', step / 2))));
const WHOLE = Buffer.concat(RECORDS);
const STEPS = [1, 2, 3];

test('a damaged record is skipped, a record with a damaged length ends the reading, and both are reported', () => {
  fc.assert(
    fc.property(fc.nat(WHOLE.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(WHOLE.length), (at, change, cut) => {
      const file = Buffer.from(WHOLE);
      file[at] = (file[at] ?? 0) ^ change;
      const problems: string[] = [];
      const reader = new EventFileReader((problem) => problems.push(problem));
      const scalars = [file.subarray(0, cut), file.subarray(cut)].flatMap((bytes) => reader.push(bytes));
      const size = RECORDS[0]?.length ?? 0;
      const damaged = 1 + Math.floor(at / size);
      const isLength = at % size < 12;
      expect(scalars.map(({ step }) => step)).toEqual(
        STEPS.filter((step) => (isLength ? step < damaged : step !== damaged)),
      );
      expect(problems).toEqual([expect.stringContaining(isLength ? 'length of a record' : 'is skipped')]);
    }),
  );
});

test('an incomplete record at the end of a file is not reported as damaged', () => {
  expect(new EventFileReader(neverDamaged).push(WHOLE.subarray(0, -1)).map(({ step }) => step)).toEqual([1, 2]);
});
