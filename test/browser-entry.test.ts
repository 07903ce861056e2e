/**
 * What a browser loads holds nothing of Node.
 *
 * Bundles an entry for a browser and looks at what is left: no name of a Node module in the code,
 * no `require`, and no import that the bundler could not resolve.
 */
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type Plugin, rolldown } from 'rolldown';
import { describe, expect, it } from 'vitest';

const entries = [
  'src/index.ts',
  'src/backends/threads/index.ts',
  'src/inspect/index.ts',
  ...['classic', 'jobs', 'buffers', 'display', 'web-locks', 'fences'].map(ofClient),
];

function ofClient(name: string): string {
  return `src/recipes/${name}/index.ts`;
}

/** Bundles for a browser and lists what a browser would choke on. */
async function tracesOfNode(input: string, plugins: Plugin[] = []): Promise<string[]> {
  const bundle = await rolldown({
    input,
    plugins,
    platform: 'browser',
    logLevel: 'silent',
    external: isBuiltin,
  });
  try {
    // Comments may speak of Node: printing without white space drops them.
    const { output } = await bundle.generate({
      format: 'esm',
      minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    });
    const own = new Set(output.map((file) => file.fileName));
    return output.flatMap((file) => {
      if (file.type !== 'chunk') return [];
      const outside = [...file.imports, ...file.dynamicImports].filter((name) => !own.has(name));
      const mentions = file.code.match(/node:[a-z_/]*|require\s*\(/g) ?? [];
      return [...outside.map((name) => `imports ${name}`), ...mentions];
    });
  } finally {
    await bundle.close();
  }
}

/** A module that exists only here. */
function virtual(code: string): Plugin {
  return {
    name: 'virtual-entry',
    resolveId: (id) => (id === 'entry' ? id : null),
    load: (id) => (id === 'entry' ? code : null),
  };
}

describe('the browser entry', () => {
  it.each(entries)('%s, bundled, contains nothing of Node', async (entry) => {
    const path = fileURLToPath(new URL(`../${entry}`, import.meta.url));
    expect(await tracesOfNode(path)).toEqual([]);
  });

  it.each([
    ['an import of node:fs', "import { readFileSync } from 'node:fs';\nreadFileSync('a');"],
    ['an import of fs', "import { readFileSync } from 'fs';\nreadFileSync('a');"],
    ['a lazy import', "export const load = () => import('node:async_hooks');"],
    ['a built-in asked for by name', "process.getBuiltinModule('node:async_hooks');"],
    ['a require', "globalThis.storage = require('async_hooks');"],
    ['a package left outside', "import { a } from 'no-such-package';\na();"],
  ])('%s would be noticed', async (_, code) => {
    const traces = await tracesOfNode('entry', [virtual(code)]);
    expect(traces).not.toEqual([]);
  });

  it('a comment that speaks of node:fs is no trace of it', async () => {
    const code = '/** Without node:fs. */\nexport const a = 1; // not require(it)';
    expect(await tracesOfNode('entry', [virtual(code)])).toEqual([]);
  });
});
