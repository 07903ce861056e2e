/** Scripts of the guides, as they are there. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CliHarness, type Ended } from './cli-harness.ts';

const cli = new CliHarness();
beforeAll(() => cli.open());
afterAll(() => cli.close());

describe('a script', () => {
  const blocksOf = (path: string): readonly string[] => {
    const text = readFileSync(new URL(`../../docs/guides/${path}`, import.meta.url), 'utf8');
    return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
  };
  /** Runs the only block of a guide that has these words. */
  const runBlock = (path: string, words: string): Promise<Ended> => {
    const found = blocksOf(path).filter((block) => block.includes(words));
    expect(found, `${path}: ${words}`).toHaveLength(1);
    return cli.sh(`cd '${cli.folder}'\n${found[0]}`).ended;
  };
  const linesOf = ({ stdout }: Ended): readonly string[] => stdout.trim().split('\n').sort();

  it('runs six jobs on four GPUs', async () => {
    const ended = await runBlock('one-of-four-gpus.md', 'for job in');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(linesOf(ended).map((line) => line.replace(/[0-3]$/, 'N'))).toEqual(
      [1, 2, 3, 4, 5, 6].map((job) => `job ${job} uses GPU N`),
    );
  });

  it('runs a file of jobs, in order where one writes what the others read', async () => {
    const ended = await runBlock('one-of-four-gpus.md', 'cat > jobs.jsonl');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const [first, ...others] = ended.stdout.trim().split('\n');
    expect(first).toBe('train on 0');
    expect(others.sort()[0]).toMatch(/^measure on (0,1|1,2)$/);
    expect(others[1]).toMatch(/^test on [02]$/);
  });

  it('runs a loop of sem as a batch', async () => {
    const ended = await runBlock('migration/from-gnu-parallel-sem.md', 'printf');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(linesOf(ended)).toEqual(['1', '2', '3', '4', '5', '6']);
  });
});
