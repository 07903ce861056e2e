/** The documents of the site by group, in the order of the sidebar. `*`: all files of a folder. */

import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Documents outside of docs/ that the site shows too, by path, with their page. */
const pageOfRootDocument = {
  'README.md': 'readme.md',
  'ARCHITECTURE.md': 'architecture.md',
  'CHANGELOG.md': 'changelog.md',
  'CODE_OF_CONDUCT.md': 'code-of-conduct.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'security.md',
  'model/README.md': 'model.md',
};

const groups = [
  {
    text: 'Start',
    documents: ['README.md', 'docs/by-example.md', 'docs/choosing-a-backend.md', 'CHANGELOG.md'],
  },
  { text: 'Guides', documents: ['docs/guides/README.md', 'docs/guides/*'] },
  { text: 'Migration', documents: ['docs/guides/migration/*'] },
  {
    text: 'Backends',
    documents: ['docs/threads.md', 'docs/broker.md', 'docs/redis.md', 'docs/etcd.md'],
  },
  {
    text: 'Recipes',
    documents: ['docs/jobs.md', 'docs/display.md', 'docs/fences.md', 'docs/web-locks.md'],
  },
  { text: 'Command line', documents: ['docs/cli.md'] },
  {
    text: 'Operate',
    documents: [
      'docs/observability.md',
      'docs/errors.md',
      'docs/runtimes.md',
      'docs/support.md',
      'docs/scale.md',
      'SECURITY.md',
    ],
  },
  {
    text: 'Internals',
    documents: [
      'docs/concepts.md',
      'docs/glossary.md',
      'docs/invariants.md',
      'docs/protocol.md',
      'docs/testing.md',
      'model/README.md',
      'docs/benchmarks.md',
      'docs/lineage.md',
      'ARCHITECTURE.md',
      'CONTRIBUTING.md',
      'CODE_OF_CONDUCT.md',
    ],
  },
  { text: 'Decisions', documents: ['docs/decisions/*'] },
];

/** The groups with the paths of their documents; throws if a file of docs/ is in none. */
export function groupsOf(root) {
  const listed = new Set();
  const named = groups.flatMap(({ documents }) => documents);
  const found = groups.map(({ text, documents }) => {
    const paths = documents.flatMap((pattern) => {
      if (basename(pattern) !== '*') return [pattern];
      const folder = dirname(pattern);
      const names = readdirSync(join(root, folder)).filter((name) => name.endsWith('.md'));
      const all = names.sort().map((name) => `${folder}/${name}`);
      return all.filter((path) => !named.includes(path));
    });
    for (const path of paths) listed.add(path);
    return { text, paths };
  });
  const inDocs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .map((name) => `docs/${name.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.md'));
  const missing = inDocs.filter((path) => !listed.has(path));
  if (missing.length > 0) throw new Error(`site/pages.mjs lists no group for ${missing}`);
  return found;
}

/** The page of a document, relative to the root of the site. */
export function pageOf(path) {
  const page = pageOfRootDocument[path] ?? path.replace(/^docs\//, '');
  return page.replace(/(^|\/)README\.md$/, '$1index.md');
}
