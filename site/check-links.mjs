/**
 * Checks the links of the documents of the repository: `npm run docs:check`. Each file and anchor
 * exists, and the documents of the package link only to files that are in the package.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { anchorsOf, isExternal, linksOf } from './markdown.mjs';

/** Files that npm packs although `files` of package.json may not list them. */
const alwaysPacked = ['package.json', 'README.md', 'LICENSE'];

/**
 * The faults of the links, as `path:line text`.
 *
 * @param documents By path, the Markdown.
 * @param packed The files and folders of the package.
 * @param exists Whether a path of the repository is a file or folder.
 */
export function faultsOf(documents, packed, exists) {
  const isPacked = (path) => packed.some((each) => path === each || path.startsWith(`${each}/`));
  const anchors = new Map();
  const anchorsIn = (path) => {
    const known = anchors.get(path) ?? anchorsOf(documents.get(path));
    anchors.set(path, known);
    return known;
  };
  const faults = [];
  for (const [path, markdown] of documents) {
    for (const { target, start } of linksOf(markdown)) {
      if (isExternal(target)) continue;
      const fault = faultOf(path, decodeURI(target));
      const line = markdown.slice(0, start).split('\n').length;
      if (fault !== undefined) faults.push(`${path}:${line} ${target} ${fault}`);
    }
  }
  return faults;

  function faultOf(path, target) {
    const [file, anchor] = target.split('#');
    const to = file === '' ? path : normalize(join(path, '..', file)).replace(/\/$/, '');
    if (!exists(to)) return 'does not exist';
    if (isPacked(path) && !isPacked(to)) return 'is not in the package';
    if (anchor === undefined) return undefined;
    if (!documents.has(to)) return 'has an anchor, but is no document';
    return anchorsIn(to).has(anchor) ? undefined : 'has no such anchor';
  }
}

/** Of the files that git tracks or would add. */
export function faultsIn(root) {
  const list = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'],
    { cwd: root, encoding: 'utf8' },
  );
  const paths = [...new Set(list.split('\0'))].filter((path) => existsSync(join(root, path)));
  const files = paths.filter((path) => path.endsWith('.md'));
  const documents = new Map(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const packed = [...manifest.files, ...alwaysPacked];
  return faultsOf(documents, packed, (path) => existsSync(join(root, path)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const faults = faultsIn(fileURLToPath(new URL('..', import.meta.url)));
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
