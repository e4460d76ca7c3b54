import { existsSync, mkdirSync, readdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The locations of the files of a libtensorflow library.
 * @typedef {object} Layout
 * @property {string} lib folder of the libraries
 * @property {string} main file name of the library with the C API, as the loader expects it
 * @property {string} framework file name of the framework library beside it
 * @property {string} include folder that has `tensorflow/c/c_api.h`
 */

/**
 * The supported layouts: an unpacked release of TensorFlow, the site-packages folder of a wheel, and the folder of the
 * package in site-packages. The paths are relative to the folder that is searched.
 */
const SHAPES = [
  { lib: 'lib', main: 'libtensorflow.so.2', include: 'include' },
  { lib: 'tensorflow', main: 'libtensorflow_cc.so.2', include: 'tensorflow/include' },
  { lib: '.', main: 'libtensorflow_cc.so.2', include: 'include' },
];

const FRAMEWORK = 'libtensorflow_framework.so.2';
const C_API = 'tensorflow/c/c_api.h';

/**
 * Finds the files of a libtensorflow library in a folder.
 * @param {string} folder
 * @returns {Layout}
 * @throws {Error} that lists the expected files
 */
export function libraryLayout(folder) {
  for (const { lib, main, include } of SHAPES) {
    const files = [join(lib, main), join(lib, FRAMEWORK), join(include, C_API)];
    if (files.every((file) => existsSync(join(folder, file))))
      return { lib: join(folder, lib), main, framework: FRAMEWORK, include: join(folder, include) };
  }
  const wanted = SHAPES.map(({ lib, main }) => join(lib, main)).join(' or ');
  throw new Error(`${folder} has no libtensorflow: expected ${wanted}, ${FRAMEWORK} beside it, and ${C_API}`);
}

/**
 * Creates the folder `deps/`, which the build of the binding needs. It contains links to the library and the framework
 * library (in deps/lib), and to `tensorflow` and the other folders with TensorFlow's headers (in deps/include).
 * @param {Layout} layout
 * @param {string} deps
 */
export function linkDeps({ lib, main, framework, include }, deps) {
  mkdirSync(join(deps, 'lib'), { recursive: true });
  mkdirSync(join(deps, 'include'));
  /**
   * @param {string} from
   * @param {string} to
   */
  const link = (from, to) => symlinkSync(realpathSync(from), join(deps, to));
  for (const name of [main, framework]) link(join(lib, name), join('lib', name));
  link(join(lib, main), 'lib/libtensorflow.so');
  link(join(lib, framework), 'lib/libtensorflow_framework.so');
  for (const name of readdirSync(include)) link(join(include, name), join('include', name));
  // TensorFlow's own release has these headers in include/external.
  for (const name of ['tsl', 'xla']) {
    const external = join(include, 'external', `local_${name}`, name);
    if (existsSync(external) && !existsSync(join(deps, 'include', name))) link(external, join('include', name));
  }
}
