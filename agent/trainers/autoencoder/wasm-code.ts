/**
 * Assembles WebAssembly functions from instructions. Contains only the instructions that wasm-kernels.ts needs, under
 * the names in the WebAssembly specification. An operand is passed as the code that pushes its value.
 */

/** The bytes of instructions. */
export type Code = readonly number[];

export type ValueType = 'i32' | 'f32' | 'f64' | 'v128';

const TYPES: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const EMPTY_BLOCK = 0x40;

/** Encodes an unsigned integer in LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

/** Encodes a signed 32-bit integer in LEB128. */
function signed(value: number): number[] {
  const isLast = value >= -0x40 && value < 0x40;
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}

const operation =
  (...opcode: readonly number[]) =>
  (...operands: readonly Code[]): Code => [...operands.flat(), ...opcode];
const simd = (opcode: number, ...immediates: readonly number[]) => operation(0xfd, ...unsigned(opcode), ...immediates);
/** The alignment of a memory access (2^2 bytes, the size of a float), and its offset. */
const ALIGNMENT = [2, 0] as const;

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  add: operation(0x6a),
  lt_u: operation(0x49),
  le_u: operation(0x4d),
};

export const f32 = {
  const: (value: number): Code => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)],
};

export const f64 = { add: operation(0xa0) };

export const v128 = {
  load: simd(0x00, ...ALIGNMENT),
  load32_zero: simd(0x5c, ...ALIGNMENT),
  store: simd(0x0b, ...ALIGNMENT),
  /** Stores the first lane. */
  store32_lane0: simd(0x5a, ...ALIGNMENT, 0),
  and: simd(0x4e),
  /** The first operand, with each bit cleared that is set in the second operand. */
  andnot: simd(0x4f),
  or: simd(0x50),
  /** Moves the upper half of the operand to the lower half. The operand is evaluated twice. */
  upperHalf: (operand: Code): Code =>
    simd(0x0d, ...Array.from({ length: 16 }, (_, at) => (at + 8) % 16))(operand, operand),
};

export const i32x4 = { splat: simd(0x11) };

export const f32x4 = {
  splat: simd(0x13),
  ne: simd(0x42),
  lt: simd(0x43),
  sqrt: simd(0xe3),
  add: simd(0xe4),
  sub: simd(0xe5),
  mul: simd(0xe6),
  div: simd(0xe7),
  /** The larger value. If the first value is NaN, the result is NaN. */
  pmax: simd(0xeb),
};

export const f64x2 = {
  extract_lane: (operand: Code, lane: number): Code => simd(0x21, lane)(operand),
  promote_low_f32x4: simd(0x5f),
  add: simd(0xf0),
};

/** Repeats the body while the condition holds. */
export function whileLoop(condition: Code, body: Code): Code {
  const leaveUnless = [...condition, 0x45, 0x0d, 1];
  return [0x02, EMPTY_BLOCK, 0x03, EMPTY_BLOCK, ...leaveUnless, ...body, 0x0c, 0, 0x0b, 0x0b];
}

export interface Variable {
  /** The code that pushes the value of the variable. */
  readonly get: Code;
  readonly set: (value: Code) => Code;
}

/** A function under construction. */
export class FunctionCode {
  readonly parameters: readonly ValueType[];
  readonly result: ValueType;
  readonly #locals: ValueType[] = [];
  #body: Code = [];

  constructor(parameters: readonly ValueType[], result: ValueType) {
    this.parameters = parameters;
    this.result = result;
  }

  parameter(at: number): Variable {
    return { get: [0x20, ...unsigned(at)], set: (value) => [...value, 0x21, ...unsigned(at)] };
  }

  /** Declares a local variable, which starts as 0. */
  local(type: ValueType): Variable {
    this.#locals.push(type);
    return this.parameter(this.parameters.length + this.#locals.length - 1);
  }

  append(...code: readonly Code[]): void {
    this.#body = [...this.#body, ...code.flat()];
  }

  /** The type of the function, as an entry of the type section. */
  typeEntry(): Code {
    return [0x60, ...vector(this.parameters.map((type) => [TYPES[type]])), ...vector([[TYPES[this.result]]])];
  }

  /** The body of the function, as an entry of the code section. */
  codeEntry(): Code {
    const body = [...vector(this.#locals.map((type) => [1, TYPES[type]])), ...this.#body, 0x0b];
    return [...unsigned(body.length), ...body];
  }
}

/** Returns a module that imports the memory `env.memory` and exports the functions. */
export function wasmModule(functions: Readonly<Record<string, FunctionCode>>): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(functions);
  const memory = [...text('env'), ...text('memory'), 0x02, 0x00, 0x01];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(
      1,
      entries.map(([, code]) => code.typeEntry()),
    ),
    ...section(2, [memory]),
    ...section(
      3,
      entries.map((_, at) => unsigned(at)),
    ),
    ...section(
      7,
      entries.map(([name], at) => [...text(name), 0x00, ...unsigned(at)]),
    ),
    ...section(
      10,
      entries.map(([, code]) => code.codeEntry()),
    ),
  ]);
}

function section(id: number, entries: readonly Code[]): Code {
  const content = vector(entries);
  return [id, ...unsigned(content.length), ...content];
}

function vector(entries: readonly Code[]): Code {
  return [...unsigned(entries.length), ...entries.flat()];
}

function text(value: string): Code {
  return vector([...new TextEncoder().encode(value)].map((byte) => [byte]));
}
