/**
 * Reads the `run-ID.wandb` file of a W&B run, for programs in which the import hook was not loaded. The file is a
 * header of seven bytes, followed by a LevelDB log (https://github.com/google/leveldb/blob/main/doc/log_format.md).
 * Each entry of the log is a `Record` message of W&B's wandb_internal.proto. The file is complete when the run has
 * finished.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { LineObject } from './objects.ts';
import { namesStep } from './steps.ts';

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;
const MAGIC = Buffer.from([0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0x00]);
const FULL = 1;
const FIRST = 2;
const MIDDLE = 3;
const LAST = 4;

/**
 * Returns the rows of the run's history, each with its `step`. If numbers in the run's summary differ from the last
 * values in the history, these numbers form an additional last row. For a truncated file, returns the rows before the
 * truncation. For any other kind of file, returns no rows.
 */
export function wandbRows(file: Uint8Array): LineObject[] {
  const rows: LineObject[] = [];
  const summary = new Map<string, unknown>();
  let lastStep = 0;
  for (const record of records(Buffer.from(file.buffer, file.byteOffset, file.byteLength))) {
    try {
      const { history, updates } = rowOf(record);
      for (const [name, value] of updates) summary.set(name, value);
      if (history === undefined) continue;
      const step = history.get('step');
      if (typeof step === 'number') lastStep = Math.max(lastStep, step);
      rows.push(history);
    } catch {
      // The message has a newer format. The other messages are still read.
    }
  }
  const logged = new Map(rows.flatMap((row) => [...row]));
  const news = [...summary].filter(([name, value]) => logged.get(name) !== value && typeof value === 'number');
  if (news.length > 0) {
    const epoch = [...logged.keys()].find((name) => name.trim().toLowerCase() === 'epoch');
    const axis = epoch === undefined ? (['step', lastStep] as const) : ([epoch, logged.get(epoch)] as const);
    rows.push(new Map<string, unknown>([axis, ...news]));
  }
  return rows;
}

function* records(file: Buffer): Generator<Uint8Array, void, undefined> {
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) return;
  let parts: Buffer[] = [];
  for (let at = MAGIC.length; at < file.length; ) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES);
    if (left < HEADER_BYTES) {
      at += left;
      continue;
    }
    if (at + HEADER_BYTES > file.length) return;
    const length = file.readUInt16LE(at + 4);
    const type = file[at + 6];
    const data = file.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
    if (data.length < length) return;
    at += HEADER_BYTES + length;
    if (type === FULL) yield data;
    else if (type === FIRST) parts = [data];
    else if (type === MIDDLE) parts.push(data);
    else if (type === LAST) yield Buffer.concat([...parts, data]);
    else return;
  }
}

/** Reads a message `Record { HistoryRecord history = 2; SummaryRecord summary = 3 }`. */
function rowOf(record: Uint8Array): { history: Map<string, unknown> | undefined; updates: Map<string, unknown> } {
  let history: Map<string, unknown> | undefined;
  let updates = new Map<string, unknown>();
  for (const [field, bytes] of submessages(record)) {
    if (field === 2) history = itemsOf(bytes);
    if (field === 3) updates = itemsOf(bytes);
  }
  return { history, updates };
}

/**
 * Reads a message `HistoryRecord { repeated Item item = 1; Step step = 2 }` or
 * `SummaryRecord { repeated Item update = 1 }`.
 */
function itemsOf(bytes: Uint8Array): Map<string, unknown> {
  const values = new Map<string, unknown>();
  let step: number | undefined;
  for (const [field, inner] of submessages(bytes)) {
    if (field === 1) {
      const [name, value] = itemOf(inner);
      if (name === '_step') step = Number(value);
      else if (!name.startsWith('_') && !isMedia(value)) values.set(name, value);
    }
    if (field === 2) step = stepOf(inner) ?? step;
  }
  if (step !== undefined && !namesStep(values)) values.set('step', step);
  return values;
}

/**
 * Returns whether a value describes an image, a table or another file. The numbers in such an object are not metrics.
 */
function isMedia(value: unknown): boolean {
  return typeof value === 'object' && value !== null && '_type' in value;
}

/**
 * Reads the name and the value from a protobuf message `Item { string key = 1; repeated string nested_key = 2;
 * sint64 integer = 5; double number = 6; string value_json = 16 }`.
 */
function itemOf(bytes: Uint8Array): [string, unknown] {
  let key = '';
  const nested: string[] = [];
  let value: unknown;
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.LengthDelimited) key = reader.string();
    else if (field === 2 && type === WireType.LengthDelimited) nested.push(reader.string());
    else if (field === 5 && type === WireType.Varint) value = Number(reader.sint64());
    else if (field === 6 && type === WireType.Bit64) value = reader.double();
    else if ((field === 8 || field === 16) && type === WireType.LengthDelimited) value = jsonOf(reader.string());
    else reader.skip(type);
  }
  return [nested.length > 0 ? nested.join('.') : key, value];
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text.replaceAll(/\bNaN\b/g, 'null'));
  } catch {
    return undefined;
  }
}

/** Reads a message `Step { int64 num = 1 }`. */
function stepOf(bytes: Uint8Array): number | undefined {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.Varint) return Number(reader.int64());
    reader.skip(type);
  }
  return undefined;
}

function* submessages(bytes: Uint8Array): Generator<[number, Uint8Array], void, undefined> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.LengthDelimited) yield [field, reader.bytes()];
    else reader.skip(type);
  }
}
