/** Checks the built pages: each link has its target, and no file is loaded from another site. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isExternal } from './markdown.mjs';

const decode = (text) => text.replaceAll('&amp;', '&').replaceAll('&quot;', '"');

/** The faults of a folder of HTML files, as `page text`. */
export function faultsOfSite(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => {
    return name.replaceAll('\\', '/');
  });
  const known = new Set(files);
  const pages = new Map();
  for (const page of files.filter((name) => name.endsWith('.html'))) {
    const html = readFileSync(join(folder, page), 'utf8');
    const ids = [...html.matchAll(/ (?:id|name)="([^"]*)"/g)].map(([, id]) => decode(id));
    const links = [...html.matchAll(/<a\b[^>]*? href="([^"]*)"/g)].map(([, to]) => decode(to));
    const loads = [
      ...html.matchAll(/<(?:script|img|iframe|source)\b[^>]*? src="([^"]*)"/g),
      ...html.matchAll(/<link\b[^>]*? href="([^"]*)"/g),
    ].map(([, to]) => decode(to));
    pages.set(page, { ids: new Set(ids), links, loads });
  }
  const faults = [];
  for (const [page, { links, loads }] of pages) {
    for (const target of new Set(loads)) {
      if (isExternal(target) && !target.startsWith('data:')) faults.push(`${page} loads ${target}`);
      else if (fileOf(page, target) === undefined) faults.push(`${page} has no ${target}`);
    }
    for (const target of new Set(links)) {
      if (isExternal(target)) continue;
      const [, anchor] = target.split('#');
      const file = fileOf(page, target);
      if (file === undefined) faults.push(`${page} has a dead link: ${target}`);
      else if (anchor && pages.get(file)?.ids.has(decodeURIComponent(anchor)) === false) {
        faults.push(`${page} has a link to a missing anchor: ${target}`);
      }
    }
  }
  return faults;

  function fileOf(page, target) {
    if (target.startsWith('data:')) return '';
    const { pathname } = new URL(target, `http://site/${page}`);
    const path = decodeURIComponent(pathname).slice(1);
    return [path, `${path}index.html`, `${path}/index.html`, `${path}.html`].find((each) =>
      known.has(each),
    );
  }
}
