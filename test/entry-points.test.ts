/** The lists that cannot be derived from entry-points.ts: each agrees with it. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { distNameOf, entryPoints, specifierOf } from '../entry-points.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const subpaths = Object.keys(entryPoints);

/** Subpaths that are no modules: files that users read. */
const files = {
  './redis/fence.lua': './dist/fence.lua',
  './package.json': './package.json',
};

describe('the entry points', () => {
  it('are files', () => {
    const missing = Object.values(entryPoints).filter((source) => !existsSync(join(root, source)));
    expect(missing).toEqual([]);
  });

  it('have a file of dist each', () => {
    expect(new Set(subpaths.map(distNameOf)).size).toBe(subpaths.length);
  });

  it('are the exports of package.json, beside its files', () => {
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const modules = subpaths.map((subpath) => {
      const name = distNameOf(subpath);
      return [subpath, { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }];
    });
    expect(exports).toEqual({ ...Object.fromEntries(modules), ...files });
  });

  it('are the paths of tsconfig.json', () => {
    const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
    const paths = Object.entries(entryPoints).map(([subpath, source]) => {
      return [specifierOf(subpath), [`./${source}`]];
    });
    expect(config.compilerOptions.paths).toEqual(Object.fromEntries(paths));
  });
});
