/** The site of the documents. VitePress reads this file; site/build.mjs generates the pages. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type DefaultTheme, defineConfig } from 'vitepress';

interface Group {
  readonly text: string;
  readonly items: readonly (readonly [title: string, page: string])[];
}

interface Navigation {
  readonly documents: readonly Group[];
  /** A group for each entry point. */
  readonly api: readonly Group[];
}

const source = '../markdown.mjs';
const { slugOf } = (await import(source)) as { slugOf(heading: string): string };
const generated = new URL('../.generated/', import.meta.url);
const folder = (name: string): string => fileURLToPath(new URL(name, generated));
const { documents, api }: Navigation = JSON.parse(
  readFileSync(new URL('navigation.json', generated), 'utf8'),
);

/** With the contrast that WCAG AA asks for. */
const codeThemes = {
  light: 'github-light-high-contrast',
  dark: 'github-dark-high-contrast',
} as const;

/** It leads to its first page: a group that only opens would be a button with a button in it. */
const groupOf = ({ text, items }: Group, collapsed: boolean): DefaultTheme.SidebarItem => ({
  text,
  link: text === 'Start' ? '/' : `/${items[0]?.[1]}`,
  collapsed,
  items: items.map(([title, page]) => ({ text: title, link: `/${page}` })),
});

/** All entry points, and the exports of one: those of all would add 100 kB to each page. */
function sidebarOf(shown?: string): DefaultTheme.SidebarItem[] {
  return api.map((group) => {
    const [, overview] = group.items[0] as readonly [string, string];
    if (group.text !== shown) return { text: group.text, link: `/${overview}`, items: [] };
    const exports = { text: group.text, items: group.items.slice(1) };
    return { ...groupOf(exports, false), link: `/${overview}` };
  });
}

const opened = new Set(['Start', 'Guides', 'Backends']);

export default defineConfig({
  lang: 'en-GB',
  title: 'kds',
  description: 'Acquire several locks at once: sets of resources, each exclusive or shared.',
  srcDir: folder('pages'),
  outDir: folder('html'),
  cacheDir: folder('cache'),
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: '/favicon.svg' }]],
  lastUpdated: false,
  // The anchors of GitHub, so that one link works in both.
  markdown: { anchor: { slugify: slugOf }, theme: codeThemes },
  // Beside the pages: in each of them the sidebars would be half of it.
  metaChunk: true,
  vite: { build: { chunkSizeWarningLimit: 4000 } },
  themeConfig: {
    outline: [2, 3],
    search: { provider: 'local' },
    nav: [
      { text: 'Guides', link: '/guides/', activeMatch: '^/guides/' },
      { text: 'By example', link: '/by-example' },
      { text: 'Command line', link: '/cli' },
      { text: 'API', link: '/api/', activeMatch: '^/api/' },
    ],
    sidebar: {
      ...Object.fromEntries(api.map(({ text }) => [`/api/${text}/`, sidebarOf(text)])),
      '/api/': sidebarOf(),
      '/': [
        ...documents.map((group) => groupOf(group, !opened.has(group.text))),
        { text: 'API', link: '/api/', items: [] },
      ],
    },
  },
});
