import { expect, test } from 'vitest';
import { shellLine } from './shell.ts';

test.each([
  [['train.py', '--lr=0.1', '--out', '<artifacts>/model.pt'], 'train.py --lr=0.1 --out <artifacts>/model.pt'],
  [['--filter', 'lr<0.1'], "--filter 'lr<0.1'"],
  [['--filter', 'psnr>30'], "--filter 'psnr>30'"],
  [['train', '<HOME>/<args_json_file>'], 'train <HOME>/<args_json_file>'],
  [['a b', "it's", '', '$HOME', '*'], `'a b' 'it'\\''s' '' '$HOME' '*'`],
])('the words %j are formatted as the command line %s', (words, line) => {
  expect(shellLine(words)).toBe(line);
});
