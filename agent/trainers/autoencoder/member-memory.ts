/**
 * Stores the parameters, moments and gradients of a member in WebAssembly memory, where a kernel updates the parameters
 * and the moments. libtensorflow reads the parameters from this memory and writes the gradients to it, without copies.
 */
import { type ParameterLayout, ROW } from './model.ts';
import { AdamKernel, newWasmMemory, type UpdateNumbers } from './wasm-kernels.ts';

/** libtensorflow shares memory only at addresses that are multiples of this number. */
const ALIGNMENT = 64;
const FLOAT_BYTES = 4;
const PARTS = ['parameters', 'first', 'second', 'gradient'] as const;

/** The arrays of a member. `first` and `second` are the moments, which are sums (see `Moments` in adam.ts). */
export type Part = (typeof PARTS)[number];

/**
 * The memory of one member, filled with zeros. Each member has a WebAssembly memory of its own, because a memory holds
 * at most 4 GiB, and is freed only as a whole. It is freed when neither this object nor a session uses it.
 */
export class MemberMemory {
  readonly #kernel: AdamKernel;
  readonly #layout: ParameterLayout;
  readonly #views: Readonly<Record<Part, readonly Float32Array[]>>;

  /** @throws {RangeError} if the memory cannot be allocated */
  constructor(layout: ParameterLayout) {
    const memory = newWasmMemory(PARTS.length * partBytes(layout));
    this.#kernel = new AdamKernel(memory);
    this.#layout = layout;
    const viewsOf = (part: Part) => {
      let at = this.#addressOf(part);
      return layout.sizes.map((size) => {
        const view = new Float32Array(memory.buffer, at, size);
        at += alignedBytes(size);
        return view;
      });
    };
    this.#views = {
      parameters: viewsOf('parameters'),
      first: viewsOf('first'),
      second: viewsOf('second'),
      gradient: viewsOf('gradient'),
    };
  }

  /** Returns one array per weight and bias, in the layout's order. The arrays are views of the memory, not copies. */
  views(part: Part): readonly Float32Array[] {
    return this.#views[part];
  }

  /** Returns a copy of one part: `rows * ROW` values. */
  read(part: Part): Float32Array {
    const flat = new Float32Array(this.#layout.rows * ROW);
    let at = 0;
    for (const view of this.#views[part]) {
      flat.set(view, at);
      at += view.length;
    }
    return flat;
  }

  /** @param flat `rows * ROW` values */
  write(part: Part, flat: Float32Array): void {
    let at = 0;
    for (const view of this.#views[part]) {
      view.set(flat.subarray(at, at + view.length));
      at += view.length;
    }
  }

  /**
   * Takes a step of Adam with the elastic net, with the gradients in this memory. The step includes the gaps between
   * the arrays. The parameters in the gaps stay 0, and do not affect the returned sum.
   * @returns sum|parameter| before the update
   */
  update(numbers: UpdateNumbers): number {
    const arrays = {
      parameters: this.#addressOf('parameters'),
      first: this.#addressOf('first'),
      second: this.#addressOf('second'),
      gradient: this.#addressOf('gradient'),
      size: partBytes(this.#layout) / FLOAT_BYTES,
    };
    return this.#kernel.update(arrays, numbers);
  }

  /** Returns sum|parameter|. */
  absoluteSum(): number {
    let sum = 0;
    for (const view of this.#views.parameters) for (const value of view) sum += Math.abs(value);
    return sum;
  }

  #addressOf(part: Part): number {
    return PARTS.indexOf(part) * partBytes(this.#layout);
  }
}

/** Returns the size in bytes of one part of a member's memory. Each array of the part starts at an aligned address. */
function partBytes({ sizes }: ParameterLayout): number {
  return sizes.reduce((sum, size) => sum + alignedBytes(size), 0);
}

function alignedBytes(size: number): number {
  return Math.ceil((FLOAT_BYTES * size) / ALIGNMENT) * ALIGNMENT;
}
