/** The pages of the API reference: a group of pages for each entry point, from the doc comments. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import * as markdownPlugin from 'typedoc-plugin-markdown';
import { convertApi } from './api.mjs';
import { blankCode } from './markdown.mjs';

/** The folders of the exports' pages, in the order of the sidebar. */
const folders = ['functions', 'classes', 'interfaces', 'type-aliases', 'variables'];

/** Writes the pages below `api/` of a folder; returns the groups of the sidebar. */
export async function writeApiPages(root, pages) {
  const { app, project, modules } = await convertApi({
    root,
    options: {
      plugin: [markdownPlugin.load],
      outputFileStrategy: 'members',
      entryFileName: 'index',
      hidePageHeader: true,
      hideBreadcrumbs: true,
      useCodeBlocks: true,
      expandObjects: true,
      expandParameters: true,
      parametersFormat: 'table',
      interfacePropertiesFormat: 'list',
      tableColumnSettings: { hideSources: true },
      validation: { notExported: false, invalidLink: true, rewrittenLink: true, invalidPath: true },
    },
  });
  app.validate(project);
  // The sources are not in the package.
  for (const reflection of Object.values(project.reflections)) delete reflection.sources;
  const folder = join(pages, 'api');
  await app.outputs.writeOutput({ name: 'markdown', path: folder }, project);
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.md')) continue;
    const file = join(folder, name);
    const markdown = joinThrows(readFileSync(file, 'utf8'));
    writeFileSync(file, linkDocuments(markdown, name.split(sep).length));
  }
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error('typedoc warned');
  return modules.map(({ module: { name } }) => {
    const items = folders.flatMap((kind) => {
      const below = join(folder, name, kind);
      if (!existsSync(below)) return [];
      const names = readdirSync(below).map((file) => file.replace(/\.md$/, ''));
      return names.sort().map((each) => [each, `api/${name}/${kind}/${each}`]);
    });
    return { text: name, items: [[name, `api/${name}/`], ...items] };
  });
}

/** Doc comments name documents as text, since they are read in the sources too. */
function linkDocuments(markdown, depth) {
  const blanked = blankCode(markdown);
  let text = '';
  let copied = 0;
  for (const { 0: name, 1: page, index } of blanked.matchAll(
    /\bdocs\/([\w/-]+\.md)(?![^[]*\]\()/g,
  )) {
    text += `${markdown.slice(copied, index)}[${name}](${'../'.repeat(depth)}${page})`;
    copied = index + name.length;
  }
  return text + markdown.slice(copied);
}

/** One list in place of a heading for each `@throws`. */
function joinThrows(markdown) {
  return markdown.replace(/(?:^#+ Throws\n\n(?:[^#\n*].*\n)+\n*){2,}/gm, (sections) => {
    const [heading] = sections.split('\n', 1);
    const items = sections.split(/^#+ Throws\n\n/m).slice(1);
    const list = items.map((item) => `- ${item.trim().replaceAll('\n', '\n  ')}\n`);
    return `${heading}\n\n${list.join('')}\n`;
  });
}
