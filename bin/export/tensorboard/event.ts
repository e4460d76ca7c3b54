/** TensorBoard's `Event` (event.proto) with a `Summary` (summary.proto): what an event file is made of. */
import { all, bytes, double, type Fields, float, inner, int32, int64, message, text } from './message.ts';
import { tfRecord } from './tfrecord.ts';

const event = (wallMs: number, ...what: readonly Fields[]): Uint8Array =>
  tfRecord(message(all(double(1, wallMs / 1000), ...what)));

const summary = (...values: readonly Fields[]): Fields => inner(5, ...values.map((value) => inner(1, value)));

/** The first record of every file: says which rules the others follow. */
export function fileVersion(wallMs: number): Uint8Array {
  return event(wallMs, text(3, 'brain.Event:2'));
}

/** The metrics of an epoch, each as a scalar of its name, in 32 bits: TensorBoard has no wider ones. */
export function scalars(wallMs: number, step: number, values: Readonly<Record<string, number>>): Uint8Array {
  const named = Object.entries(values).map(([name, value]) => all(text(1, name), float(2, value)));
  return event(wallMs, int64(2, step), summary(...named));
}

/** DT_FLOAT without dimensions or a value: TensorBoard drops a summary that has no data at all. */
const NO_DATA = inner(8, int32(1, 1), inner(2));

/** Something that is for one plugin only, in the summary's metadata. */
export function pluginData(wallMs: number, tag: string, plugin: string, content: Uint8Array): Uint8Array {
  const metadata = inner(9, inner(1, text(1, plugin), bytes(2, content)));
  return event(wallMs, summary(all(text(1, tag), NO_DATA, metadata)));
}
