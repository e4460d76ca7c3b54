/**
 * A multivariate Parzen estimator. It estimates a density as a mixture, with one component for each observation and one
 * for the prior. The component of an observation is the product of one kernel per dimension. The kernels of numbers are
 * normal distributions truncated to the space. Categories have the kernel of J. Aitchison and C. G. G. Aitken,
 * Biometrika 63 (1976).
 */
import { bisectLeft, bisectRight } from 'd3-array';
import { categoryIndexAt } from '../quantile.ts';
import { normalShare, normalValue } from './normal.ts';
import { type Coordinates, INACTIVE, type SearchDimension, STRIDE } from './space.ts';

export interface EstimatorOptions {
  /** The minimum bandwidth of n kernels, as a share of the space, is this constant divided by min(n + 2, 100). */
  readonly minBandwidth: number;
  /** The weight of the prior distribution. Each observation has weight 1. */
  readonly priorWeight: number;
}

/** The largest number by which `minBandwidth` is divided. With more kernels, the result no longer decreases. */
const MAX_NARROWING = 100;

/** Returns a random number between 0 and 1, both excluded. */
export type Draw = () => number;

const SQRT_2_PI = Math.sqrt(2 * Math.PI);

export class ParzenEstimator {
  readonly #dimensions: readonly SearchDimension[];
  readonly #count: number;
  /** For each dimension, the centers of the kernels. */
  readonly #centers: readonly Float64Array[];
  readonly #priorWeight: number;
  readonly #totalWeight: number;
  /** For each dimension, the bandwidths of the kernels. */
  readonly #bandwidths: readonly Float64Array[];
  /** For each dimension, the part of each kernel's probability that lies within the space. */
  readonly #shares: readonly Float64Array[];
  /** The part of a categorical kernel's probability that is distributed over all categories. */
  readonly #spread: number;

  constructor(dimensions: readonly SearchDimension[], kernels: readonly Coordinates[], options: EstimatorOptions) {
    this.#dimensions = dimensions;
    this.#count = kernels.length;
    this.#centers = dimensions.map((_, at) => Float64Array.from(kernels, (kernel) => kernel[at * STRIDE] ?? INACTIVE));
    // Without kernels, the estimate equals the prior, regardless of its weight.
    this.#priorWeight = kernels.length === 0 ? 1 : options.priorWeight;
    this.#totalWeight = kernels.length + this.#priorWeight;
    this.#bandwidths = dimensions.map(({ kind }, at) =>
      kind === 'categorical' ? new Float64Array() : bandwidthsOf(this.#centers[at] ?? new Float64Array(), options),
    );
    this.#shares = this.#bandwidths.map((bandwidths, at) =>
      bandwidths.map((bandwidth, k) => {
        const center = this.#center(k, at);
        return normalShare((1 - center) / bandwidth) - normalShare(-center / bandwidth);
      }),
    );
    this.#spread = 1 / (kernels.length + 1);
  }

  /**
   * Draws a point from the prior or from a random kernel. If a parameter has no effect at this kernel, the coordinate
   * of the parameter is drawn from the prior, or from a kernel at which the parameter has an effect.
   * @returns for each dimension, a number from 0 to 1, or the index of a category
   */
  draw(draw: Draw): number[] {
    const kernel = this.#drawKernel(draw(), this.#all());
    return this.#dimensions.map((dimension, at) => {
      const own = kernel === undefined || this.#isActive(kernel, at) ? kernel : this.#drawActiveKernel(draw(), at);
      const u = draw();
      if (dimension.kind === 'categorical') {
        if (own === undefined || draw() < this.#spread) return categoryIndexAt(dimension.distribution, u);
        return this.#center(own, at);
      }
      if (own === undefined) return u;
      const center = this.#center(own, at);
      const bandwidth = this.#bandwidths[at]?.[own] ?? 1;
      return center + bandwidth * normalValue(normalShare(-center / bandwidth) + u * (this.#shares[at]?.[own] ?? 1));
    });
  }

  #all(): number[] {
    return Array.from({ length: this.#count }, (_, k) => k);
  }

  #center(kernel: number, at: number): number {
    return this.#centers[at]?.[kernel] ?? INACTIVE;
  }

  #isActive(kernel: number, at: number): boolean {
    return !Number.isNaN(this.#center(kernel, at));
  }

  #drawActiveKernel(u: number, at: number): number | undefined {
    return this.#drawKernel(
      u,
      this.#all().filter((k) => this.#isActive(k, at)),
    );
  }

  /** Returns one of the kernels; undefined represents the prior. */
  #drawKernel(u: number, kernels: readonly number[]): number | undefined {
    return kernels[Math.floor(u * (kernels.length + this.#priorWeight))];
  }

  /**
   * Returns the logarithm of the density at each point. The density includes only the parameters that have an effect at
   * the point. If a parameter has no effect at a kernel, the kernel has the density of the prior in the dimension of
   * the parameter.
   */
  logDensities(points: readonly Coordinates[]): Float64Array {
    const count = this.#count;
    const exponents = new Float64Array(count);
    const factors = new Float64Array(count);
    return Float64Array.from(points, (point) => {
      exponents.fill(0);
      factors.fill(1);
      let prior = this.#priorWeight;
      for (const [at, dimension] of this.#dimensions.entries()) {
        const center = point[at * STRIDE] ?? INACTIVE;
        if (Number.isNaN(center)) continue;
        if (dimension.kind === 'categorical') {
          const probability = dimension.probabilities[center] ?? 0;
          prior *= probability;
          this.#multiplyCategory(at, center, probability, factors);
        } else {
          const low = point[at * STRIDE + 1] ?? center;
          const high = point[at * STRIDE + 2] ?? center;
          if (low < high) {
            prior *= high - low;
            this.#multiplyCell(at, low, high, factors);
          } else this.#multiplyDensity(at, center, exponents, factors);
        }
      }
      let sum = prior;
      for (let k = 0; k < count; k++) sum += (factors[k] ?? 0) * Math.exp(exponents[k] ?? 0);
      return Math.log(sum / this.#totalWeight);
    });
  }

  #multiplyCategory(at: number, category: number, probability: number, factors: Float64Array): void {
    const centers = this.#centers[at] ?? factors;
    for (let k = 0; k < factors.length; k++) {
      const own = centers[k] ?? INACTIVE;
      if (Number.isNaN(own)) factors[k] = (factors[k] ?? 0) * probability;
      else factors[k] = (factors[k] ?? 0) * (this.#spread * probability + (own === category ? 1 - this.#spread : 0));
    }
  }

  #multiplyCell(at: number, low: number, high: number, factors: Float64Array): void {
    const bandwidths = this.#bandwidths[at] ?? factors;
    const shares = this.#shares[at] ?? factors;
    const centers = this.#centers[at] ?? factors;
    for (let k = 0; k < factors.length; k++) {
      const own = centers[k] ?? INACTIVE;
      const bandwidth = bandwidths[k] ?? 1;
      const mass = Number.isNaN(own)
        ? high - low
        : (normalShare((high - own) / bandwidth) - normalShare((low - own) / bandwidth)) / (shares[k] ?? 1);
      factors[k] = (factors[k] ?? 0) * Math.max(0, mass);
    }
  }

  #multiplyDensity(at: number, x: number, exponents: Float64Array, factors: Float64Array): void {
    const bandwidths = this.#bandwidths[at] ?? factors;
    const shares = this.#shares[at] ?? factors;
    const centers = this.#centers[at] ?? factors;
    for (let k = 0; k < factors.length; k++) {
      const own = centers[k] ?? INACTIVE;
      if (Number.isNaN(own)) continue;
      const bandwidth = bandwidths[k] ?? 1;
      const distance = (x - own) / bandwidth;
      exponents[k] = (exponents[k] ?? 0) - distance * distance * 0.5;
      factors[k] = (factors[k] ?? 0) / (bandwidth * (shares[k] ?? 1) * SQRT_2_PI);
    }
  }
}

/**
 * Returns the bandwidth of each kernel in a dimension: the distance from its center to the farther of the two
 * neighboring centers, but at least the minimum bandwidth (as in Bergstra et al., 2011).
 */
function bandwidthsOf(centers: Float64Array, { minBandwidth }: Pick<EstimatorOptions, 'minBandwidth'>): Float64Array {
  const sorted = centers.filter((center) => !Number.isNaN(center)).sort();
  const min = minBandwidth / Math.min(MAX_NARROWING, sorted.length + 2);
  const isLone = sorted.length === 1;
  return centers.map((center) => {
    if (Number.isNaN(center)) return 1;
    // The ends of the space count as neighbors only if there is a single kernel.
    const previous = sorted[bisectLeft(sorted, center) - 1] ?? (isLone ? 0 : center);
    const next = sorted[bisectRight(sorted, center)] ?? (isLone ? 1 : center);
    return Math.min(1, Math.max(min, center - previous, next - center));
  });
}
