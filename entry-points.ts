/**
 * The entry points of the package, the one list of them: the aliases of the tests and the bundles of
 * dist/ are derived from it, and test/entry-points.test.ts holds `exports` of package.json and `paths`
 * of tsconfig.json against it, which cannot be derived.
 */

/** By the subpath that users import: the source file. */
export const entryPoints: Readonly<Record<string, string>> = {
  '.': 'src/index.ts',
  './threads': 'src/backends/threads/index.ts',
  './broker': 'src/backends/broker/index.ts',
  './redis': 'src/backends/redis/index.ts',
  './etcd': 'src/backends/etcd/index.ts',
  './classic': 'src/recipes/classic/index.ts',
  './jobs': 'src/recipes/jobs/index.ts',
  './buffers': 'src/recipes/buffers/index.ts',
  './display': 'src/recipes/display/index.ts',
  './web-locks': 'src/recipes/web-locks/index.ts',
  './fences': 'src/recipes/fences/index.ts',
  './inspect': 'src/inspect/index.ts',
  './inspect/page': 'src/inspect/page-server.ts',
  './inspect/otel': 'src/inspect/otel.ts',
  './inspect/trace': 'src/inspect/trace.ts',
  './vitest': 'src/test-runners/vitest.ts',
  './playwright': 'src/test-runners/playwright.ts',
  './conformance': 'conformance/index.ts',
};

/** What an import of a subpath names: `kds/inspect/trace`. */
export function specifierOf(subpath: string): string {
  return subpath.replace('.', 'kds');
}

/** The file of a subpath in dist/, without its extension: `inspect-trace`. */
export function distNameOf(subpath: string): string {
  return subpath === '.' ? 'index' : subpath.slice(2).replaceAll('/', '-');
}

/** By the name of the file in dist/: the source file. */
export function sourcesByDistName(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(entryPoints).map(([subpath, source]) => [distNameOf(subpath), source]),
  );
}
