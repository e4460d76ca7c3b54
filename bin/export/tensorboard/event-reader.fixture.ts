/** Reads event files for tests, independently of the code that writes them. */
import protobuf from 'protobufjs';

const DESCRIPTION = `
syntax = "proto3";
message Event {
  double wall_time = 1;
  int64 step = 2;
  oneof what { string file_version = 3; Summary summary = 5; }
}
message Summary { repeated SummaryValue value = 1; }
message SummaryValue {
  string tag = 1;
  SummaryMetadata metadata = 9;
  oneof value { float simple_value = 2; Tensor tensor = 8; }
}
message SummaryMetadata { PluginData plugin_data = 1; }
message PluginData { string plugin_name = 1; bytes content = 2; }
message Tensor { int32 dtype = 1; TensorShape tensor_shape = 2; }
message TensorShape { bool unknown_rank = 3; }

message HParamsPluginData {
  int32 version = 1;
  oneof data { Experiment experiment = 2; SessionStart session_start_info = 3; SessionEnd session_end_info = 4; }
}
message Experiment {
  string description = 1;
  double time_created_secs = 3;
  repeated HParamInfo hparam_infos = 4;
  repeated MetricInfo metric_infos = 5;
}
message HParamInfo {
  enum Type { UNSET = 0; STRING = 1; BOOL = 2; FLOAT64 = 3; }
  string name = 1;
  Type type = 4;
  oneof domain { ListValue domain_discrete = 5; Interval domain_interval = 6; }
}
message Interval { double min_value = 1; double max_value = 2; }
message MetricInfo { MetricName name = 1; }
message MetricName { string group = 1; string tag = 2; }
message SessionStart { map<string, Value> hparams = 1; double start_time_secs = 5; }
message SessionEnd {
  enum Status { UNKNOWN = 0; SUCCESS = 1; FAILURE = 2; RUNNING = 3; }
  Status status = 1;
  double end_time_secs = 2;
}
message Value { oneof kind { double number_value = 2; string string_value = 3; bool bool_value = 4; } }
message ListValue { repeated Value values = 1; }
`;

const { root } = protobuf.parse(DESCRIPTION, { keepCase: true });

function decode(type: string, bytes: Uint8Array): Record<string, unknown> {
  const message = root.lookupType(type);
  return message.toObject(message.decode(bytes), { longs: Number, enums: String });
}

/** Computes the CRC bit by bit, as RFC 3720 defines it. */
function crcBitwise(bytes: Uint8Array): bigint {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  }
  return crc ^ 0xffffffffn;
}

function checkCrc(what: string, bytes: Uint8Array, stored: number): void {
  const crc = crcBitwise(bytes);
  const masked = (((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn;
  if (masked !== BigInt(stored)) throw new Error(`the CRC of ${what} is ${stored}, expected ${masked}`);
}

/** Returns all events of a file, in order. @throws {Error} when a frame is damaged or truncated */
export function readEvents(file: Uint8Array): Record<string, unknown>[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const events: Record<string, unknown>[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(view.getBigUint64(at, true));
    checkCrc('a length', file.subarray(at, at + 8), view.getUint32(at + 8, true));
    const data = file.subarray(at + 12, at + 12 + length);
    checkCrc('a record', data, view.getUint32(at + 12 + length, true));
    events.push(decode('Event', data));
    at += 16 + length;
  }
  return events;
}

interface Summary {
  readonly value: readonly {
    readonly tag: string;
    readonly simple_value?: number;
    readonly metadata?: { readonly plugin_data: { readonly plugin_name: string; readonly content: Uint8Array } };
  }[];
}

function valuesOf(events: readonly Record<string, unknown>[]) {
  return events.flatMap((event) => {
    const summary = event.summary as Summary | undefined;
    return (summary?.value ?? []).map((value) => ({ ...value, step: event.step, wallTime: event.wall_time }));
  });
}

/** Returns `[tag, step, seconds, value]` of every scalar. */
export function scalarsIn(events: readonly Record<string, unknown>[]): unknown[][] {
  return valuesOf(events)
    .filter(({ metadata }) => metadata === undefined)
    .map(({ tag, step, wallTime, simple_value }) => [tag, step, wallTime, simple_value]);
}

/** Returns the data of the HParams plugin, by tag. */
export function hparamsIn(events: readonly Record<string, unknown>[]): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    valuesOf(events).flatMap(({ tag, metadata }) => {
      if (metadata?.plugin_data.plugin_name !== 'hparams') return [];
      return [[tag, decode('HParamsPluginData', metadata.plugin_data.content)]];
    }),
  );
}
