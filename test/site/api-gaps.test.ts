/** The check of the doc comments of the public API finds what one lacks. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

interface Gap {
  readonly name: string;
  readonly part: string;
}

const source = '../../site/check-api.mjs';
const { gapsBySubpath } = (await import(source)) as {
  gapsBySubpath(root: string): Promise<Map<string, Gap[]>>;
};
const root = fileURLToPath(new URL('../..', import.meta.url));

mkdirSync(join(root, '.tmp-api'), { recursive: true });
const folder = mkdtempSync(join(root, '.tmp-api', 'gaps-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The gaps of a package whose one entry point has this text. */
async function gapsOf(text: string): Promise<string[]> {
  const entryPoints = `export const entryPoints = { '.': 'index.ts' };
    export const specifierOf = (subpath) => subpath;`;
  writeFileSync(join(folder, 'entry-points.ts'), entryPoints);
  writeFileSync(join(folder, 'index.ts'), text);
  const options = { compilerOptions: { strict: true, types: [] }, files: ['index.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
  const gaps = await gapsBySubpath(folder);
  return (gaps.get('.') ?? []).map(({ name, part }) => `${name} ${part}`);
}

describe('the check of the doc comments', () => {
  it('finds each missing part of a function, an interface and a class', async () => {
    const gaps = await gapsOf(`
      export function open(path: string): void {}
      export interface Options { readonly leaseMs: number; }
      export interface Domain { acquire(name: string): void; }
      export class LateError extends Error { constructor(text: string) { super(text); } }
      export type Mode = 'exclusive' | 'shared';
    `);
    expect(gaps.sort()).toEqual([
      'Domain example',
      'Domain since',
      'Domain summary',
      'Domain.acquire summary',
      'Domain.acquire waits',
      'Domain.acquire(name) param',
      'LateError since',
      'LateError summary',
      'Mode since',
      'Mode summary',
      'Options since',
      'Options summary',
      'Options.leaseMs summary',
      'open example',
      'open since',
      'open summary',
      'open waits',
      'open(path) param',
    ]);
  });

  it('finds nothing in complete comments, and ignores internal and inherited members', async () => {
    const gaps = await gapsOf(`
      /**
       * Opens it.
       *
       * @param path - Where it is.
       * @waits Never.
       * @example
       * open('a');
       * @since 0.1.0
       */
      export function open(path: string): void {}
      /**
       * A base.
       *
       * @example
       * base.end();
       * @since 0.1.0
       */
      export interface Base {
        /**
         * Ends it.
         *
         * @waits Never.
         */
        end(): void;
      }
      /**
       * It has more.
       *
       * @example
       * more.end();
       * @since 0.1.0
       */
      export interface More extends Base {}
      /**
       * It implements them.
       *
       * @example
       * new Thing().end();
       * @since 0.1.0
       */
      export class Thing implements Base {
        private hidden = 1;
        /** @internal */
        readonly inner = 1;
        end(): void {}
      }
    `);
    expect(gaps).toEqual([]);
  });
});
