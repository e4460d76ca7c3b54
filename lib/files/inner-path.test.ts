import { relative, resolve } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DamagedError } from '../../proto/errors.ts';
import { innerPath } from './inner-path.ts';

test('an inner path never leaves its folder, whatever names it consists of', () => {
  const unit = fc.constantFrom('.', '/', 'a', '\0', '\\', '-', ' ', '~');
  fc.assert(
    fc.property(fc.array(fc.string({ unit, maxLength: 8 }), { maxLength: 4 }), (names) => {
      let path: string;
      try {
        path = innerPath('/data', ...names);
      } catch (error) {
        expect(error).toBeInstanceOf(DamagedError);
        return;
      }
      expect(relative('/data', resolve(path)).split('/')).not.toContain('..');
      expect(names.flatMap((name) => name.split('/')).some((segment) => segment.startsWith('.'))).toBe(false);
    }),
    { numRuns: 1_000 },
  );
});

test('an inner path consists of the folder and the names', () => {
  expect(innerPath('/data', '1', 'trial', '2', 'folder/model.pt')).toBe('/data/1/trial/2/folder/model.pt');
});

test.each(['../../../../x', 'a/../../x', '/etc/passwd', 'a//b', '.parts/x', '', '..', 'a\0b'])(
  'the artifact name %j is rejected',
  (name) => {
    expect(() => innerPath('/data', name)).toThrow(/^invalid file name /);
  },
);
