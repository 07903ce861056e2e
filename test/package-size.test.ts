/**
 * The size of the package as it is published. The limits are what has been reached, and some room
 * for documents: a change that needs more must say what for.
 */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

/** Compressed, in bytes: what a user downloads. A third of it are the pictures of docs/. */
const packedBytesMax = 1_050_000;
/** In bytes: what it takes in node_modules. */
const unpackedBytesMax = 3_100_000;

interface Pack {
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

const cwd = fileURLToPath(new URL('..', import.meta.url));

function npm(...args: string[]): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 24 });
}

describe('the package', () => {
  let pack: Pack;
  beforeAll(() => {
    npm('run', 'build', '--silent');
    const packs = JSON.parse(npm('pack', '--dry-run', '--json', '--ignore-scripts')) as Pack[];
    pack = packs[0] as Pack;
    console.info(`${pack.size} bytes packed, ${pack.unpackedSize} bytes unpacked`);
  });

  it(`has at most ${packedBytesMax} bytes packed`, () => {
    expect(pack.size).toBeLessThanOrEqual(packedBytesMax);
  });

  it(`has at most ${unpackedBytesMax} bytes unpacked`, () => {
    expect(pack.unpackedSize).toBeLessThanOrEqual(unpackedBytesMax);
  });

  it('has the code, declarations and documents, and nothing else', () => {
    const wanted =
      /^(dist\/[\w-]+(\.d\.ts|\.js|\.cjs|\.html|\.lua)|docs\/.*\.(md|png|svg)|man\/kds\.1)$/;
    const top = ['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json'];
    const paths = pack.files.map(({ path }) => path);
    expect(paths.filter((path) => !wanted.test(path) && !top.includes(path))).toEqual([]);
    expect(paths).toEqual(expect.arrayContaining([...top, 'dist/index.js', 'dist/cli.cjs']));
  });
});
