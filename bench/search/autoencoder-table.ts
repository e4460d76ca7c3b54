/** Defines the search space that the table of autoencoder trials covers. Every axis is ordered. */
import { readFileSync } from 'node:fs';
import type { Distribution } from '../../coordinator/search/distribution.ts';
import type { Point, TestFunction } from './functions.ts';

/** The values of each parameter of the table. In the rows of the table, the first axis changes slowest. */
export const AXES = {
  noise_std: [0, 0.3],
  weight_decay: [0, 1e-5, 1e-4, 1e-3, 1e-2],
  latent_dim: [4, 8, 16, 32, 64],
  batch_size: [8, 16, 32, 64],
  learning_rate: [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 5e-2],
} as const satisfies Record<string, readonly number[]>;

/** The number of points in the table. */
export const ROWS = Object.values(AXES).reduce((product, values) => product * values.length, 1);

/** Returns the point of a row of the table. Rows are counted from 0. */
export function pointOfRow(row: number): Record<string, number> {
  const point: Record<string, number> = {};
  let rest = row;
  for (const [name, values] of Object.entries(AXES).reverse()) {
    point[name] = values[rest % values.length] ?? 0;
    rest = Math.floor(rest / values.length);
  }
  return Object.fromEntries(Object.keys(AXES).map((name) => [name, point[name] ?? 0]));
}

/**
 * Returns the table as a function of the position on each axis. A row without a loss is a failed trial. If the table is
 * incomplete, the function is limited to the values of the first axis for which the table has all rows.
 * @throws {Error} if there is no value of the first axis for which the table has all rows
 */
export function tableFunction(file: string): TestFunction {
  const losses = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.slice(line.lastIndexOf(',') + 1))
    .map((text) => (text === '' ? undefined : Number(text)));
  const sizes = Object.entries(AXES).map(([name, values]) => ({ name, size: values.length as number }));
  const [first] = sizes;
  const block = first === undefined ? 0 : ROWS / first.size;
  const rows = Math.floor(losses.length / block) * block;
  if (first === undefined || rows === 0) throw new Error(`${file}: ${losses.length} rows, expected at least ${block}`);
  first.size = rows / block;
  const space = new Map(
    sizes.map(({ name, size }): [string, Distribution] => [name, { kind: 'int_uniform', min: 0, max: size - 1 }]),
  );
  const value = (point: Point) => losses[sizes.reduce((row, { name, size }) => row * size + Number(point[name]), 0)];
  const minimum = Math.min(...losses.slice(0, rows).flatMap((loss) => loss ?? []));
  return { name: `${rows} autoencoder trials`, space, conditions: new Map(), observe: value, value, minimum };
}
