/** Divides rows into messages of limited size, so that only one message is in memory for a client that reads slowly. */
import type { Config, Report, Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { PageSize } from '../store/trial-queries.ts';

/**
 * The limits of a message with trials or configs. A message ends with the row that reaches either limit, so the message
 * can be larger than `bytes`.
 */
export const ROWS_PER_MESSAGE: PageSize = { rows: 250, bytes: 1024 * 1024 };
/** The limits of a message with reports. A message ends in the same way as with ROWS_PER_MESSAGE. */
export const REPORTS_PER_MESSAGE: PageSize = { rows: 1_000, bytes: 256 * 1024 };

/**
 * The number of trials that are read at once if the trials are not sent in order of index. The number is low, because
 * the rows of trials can be long.
 */
export const TRIALS_PER_READ = 50;

/** The maximum number of artifacts in one message, each with a name of up to 200 characters. */
export const ARTIFACTS_PER_MESSAGE = 1_000;

/** The assumed size of a number, a state or a time, in bytes. */
const VALUE_BYTES = 20;

/** Yields the rows in pages. The rows of a page are read when the page is requested. */
export async function* pagesOf<Row>(
  rows: Iterable<Row> | AsyncIterable<Row>,
  sizeOf: (row: Row) => number,
  { rows: maxRows, bytes: maxBytes }: PageSize = ROWS_PER_MESSAGE,
): AsyncGenerator<Row[], void, void> {
  let page: Row[] = [];
  let bytes = 0;
  for await (const row of rows) {
    page.push(row);
    bytes += sizeOf(row);
    if (page.length < maxRows && bytes < maxBytes) continue;
    yield page;
    page = [];
    bytes = 0;
  }
  if (page.length > 0) yield page;
}

export function trialBytes({ parameters, metrics, failure, stopReason }: Trial): number {
  // A trial has a value and a step for each metric.
  return parameterBytes(parameters) + 2 * namesBytes(metrics) + (failure?.message.length ?? 0) + stopReason.length;
}

export function configBytes({ parameters, metrics, trialIds }: Config): number {
  const ids = trialIds.reduce((sum, id) => sum + id.length, 0);
  return parameterBytes(parameters) + namesBytes(metrics) + ids;
}

export const reportBytes = ({ metrics }: Report): number => namesBytes(metrics);

function namesBytes(values: Readonly<Record<string, unknown>>): number {
  let bytes = 0;
  for (const name of Object.keys(values)) bytes += name.length + VALUE_BYTES;
  return bytes;
}

function parameterBytes(parameters: Trial['parameters']): number {
  let bytes = 0;
  for (const { kind } of Object.values(parameters)) {
    if (kind?.$case === 'text') bytes += kind.text.length;
    else if (kind?.$case === 'json') bytes += kind.json.length;
    bytes += VALUE_BYTES;
  }
  return bytes;
}
