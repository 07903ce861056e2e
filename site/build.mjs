/**
 * Builds the site of the documents and the API reference: `npm run docs`.
 *
 * Pages are generated in site/.generated/pages: copies of the documents, with links that work on
 * the site, and the API reference from the doc comments of the entry points. VitePress makes the
 * site of them, in site/.generated/html. A dead link, a missing anchor, an unresolved `{@link}` and
 * a file of another site fail the build.
 */

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vitepress';
import { writeApiPages } from './api-pages.mjs';
import { faultsOfSite } from './check-html.mjs';
import { isExternal, linksOf } from './markdown.mjs';
import { groupsOf, pageOf } from './pages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const site = fileURLToPath(new URL('.', import.meta.url));
const pages = join(site, '.generated/pages');

function write(page, text) {
  mkdirSync(dirname(join(pages, page)), { recursive: true });
  writeFileSync(join(pages, page), text);
}

/** A document with links that work on the site. A link to a file that is no page becomes text. */
function forSite(path, markdown, isPage, page = pageOf(path)) {
  let text = '';
  let copied = 0;
  for (const link of linksOf(markdown)) {
    if (isExternal(link.target) || link.target.startsWith('#')) continue;
    text += markdown.slice(copied, link.start) + replacementOf(link);
    copied = link.end;
  }
  return text + markdown.slice(copied);

  function replacementOf({ text: label, target, isPicture, start, end }) {
    const [file, anchor] = target.split('#');
    const to = join(dirname(path), file).replace(/\/$/, '');
    const from = dirname(page);
    const up = from === '.' ? '' : '../'.repeat(from.split('/').length);
    if (isPicture) {
      const whole = markdown.slice(start, end);
      return whole.replace(target, `${up || './'}${to.replace(/^docs\//, '')}`);
    }
    const known = to === 'docs/decisions' ? `${to}/README.md` : to;
    if (!isPage(known)) return label.includes('`') ? label : `${label} (\`${to}\`)`;
    const suffix = anchor === undefined ? '' : `#${anchor}`;
    return `[${label}](${up || './'}${pageOf(known)}${suffix})`;
  }
}

function titleOf(markdown) {
  return /^# (.+)$/m.exec(markdown)[1].replaceAll('`', '');
}

/** The sections of README that the first page has: no second text, which could differ. */
function homeOf(readme) {
  const [intro, ...sections] = readme.split(/^(?=## )/m);
  const wanted = ['Who needs it', 'Backends', 'Install'];
  const kept = wanted.map((title) => {
    const section = sections.find((each) => each.startsWith(`## ${title}\n`));
    if (section === undefined) throw new Error(`README.md has no section "${title}"`);
    return section;
  });
  return [intro, ...kept].join('');
}

function writeDocuments() {
  const groups = groupsOf(root);
  const paths = groups.flatMap((group) => group.paths);
  const isPage = (path) => paths.includes(path) || path === 'docs/decisions/README.md';
  const titles = new Map();
  for (const path of paths) {
    const markdown = readFileSync(join(root, path), 'utf8');
    titles.set(path, titleOf(markdown));
    write(pageOf(path), forSite(path, markdown, isPage));
  }
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const home = forSite('README.md', homeOf(readme), isPage, 'index.md');
  // The page of README has the same words, which need to be found once.
  write('index.md', `---\ntitle: kds\ntitleTemplate: false\nsearch: false\n---\n\n${home}`);
  const decisions = paths.filter((path) => path.startsWith('docs/decisions/'));
  const items = decisions.map((path) => `- [${titles.get(path)}](../${pageOf(path)})`);
  write('decisions/index.md', `# Decisions\n\n${items.join('\n')}\n`);
  return groups.map(({ text, paths: list }) => {
    return { text, items: list.map((path) => [titles.get(path), pageOf(path)]) };
  });
}

rmSync(join(site, '.generated'), { recursive: true, force: true });
cpSync(join(root, 'docs'), pages, {
  recursive: true,
  // The documents are written below.
  filter: (path) => !path.endsWith('.md'),
});
cpSync(join(site, 'public'), join(pages, 'public'), { recursive: true });
const documents = writeDocuments();
const api = await writeApiPages(root, pages);
writeFileSync(join(site, '.generated/navigation.json'), JSON.stringify({ documents, api }));
await build(site);
const faults = faultsOfSite(join(site, '.generated/html'));
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
