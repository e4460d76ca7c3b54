import { fileURLToPath } from 'node:url';

/**
 * The variant `cuda` computes on NVIDIA GPUs, or on the CPU if there is none.
 * @typedef {'cpu' | 'cuda'} Variant
 */

/** TensorFlow's own C library, from https://www.tensorflow.org/install/lang_c; 2.18.0 is the last release for Linux. */
export const OFFICIAL = {
  version: '2.18.0',
  baseUrl: 'https://storage.googleapis.com/tensorflow/versions',
  cpu: {
    file: 'libtensorflow-cpu-linux-x86_64.tar.gz',
    sha256: '605bfcb370c7e7ec981eabada880f60784e3de018395be95c95c3e5592c3d9a2',
  },
  cuda: {
    file: 'libtensorflow-gpu-linux-x86_64.tar.gz',
    sha256: '6ca25aae03548cf76f6f68f00bdf53ec39710f08cee23bf6419b9e6e27feca5c',
  },
};

/**
 * TensorFlow's wheel for Python. The wheel contains libtensorflow_cc, libtensorflow_framework and the C headers. The
 * requirements files have the checksums.
 */
export const WHEEL = {
  version: '2.18.1',
  /** The wheel's Python version does not matter, because only the C libraries are used. */
  python: '3.11',
  platform: 'manylinux2014_x86_64',
  requirements: {
    cpu: fileURLToPath(new URL('requirements-cpu.txt', import.meta.url)),
    cuda: fileURLToPath(new URL('requirements-cuda.txt', import.meta.url)),
  },
};

/** The disk space that a setup needs while it unpacks, in bytes. Less than half of the space stays in use afterward. */
export const SPACE_BYTES = { cpu: 2.5 * 2 ** 30, cuda: 8 * 2 ** 30 };
