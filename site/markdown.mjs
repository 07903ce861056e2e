/** The links, headings and anchors of Markdown, as GitHub and npm read them. */

/**
 * The anchor of a heading's text on GitHub, before a number makes it unique.
 *
 * @public of .vitepress/config.ts, which TypeScript checks and so imports it by a variable.
 */
export function slugOf(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-');
}

/** Text of the same length with code and comments blanked, so that positions stay. */
export function blankCode(markdown) {
  const blank = (text) => text.replace(/[^\n]/g, ' ');
  return markdown
    .replace(/^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^ *\2`*~* *$/gm, blank)
    .replace(/<!--[\s\S]*?-->/g, blank)
    .replace(/(?<!`)(`+)(?!`)(?:[^`]|(?!\1(?!`))`)*?[^`]?\1(?!`)/g, blank);
}

/** The anchors of a document. */
export function anchorsOf(markdown) {
  const anchors = new Set();
  const add = (slug) => {
    let unique = slug;
    for (let count = 1; anchors.has(unique); count++) unique = `${slug}-${count}`;
    anchors.add(unique);
  };
  const withoutFences = markdown.replace(/^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^ *\2`*~* *$/gm, '');
  for (const [, heading] of withoutFences.matchAll(/^#{1,6} +(.+?)(?: +#+)?$/gm)) {
    add(slugOf(heading.replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')));
  }
  for (const [, id] of withoutFences.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

/**
 * The links and pictures of a document, outside of code: `{ text, target, isPicture, start, end }`,
 * with the place of the whole in the text.
 */
export function linksOf(markdown) {
  const blanked = blankCode(markdown);
  const links = [];
  // The text may contain code, which is blanked, and one level of brackets: a picture.
  const pattern = /(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\(<?([^()\s>]+)>?(?:\s+"[^"]*")?\)/g;
  for (const found of blanked.matchAll(pattern)) {
    const [whole, mark, text, target] = found;
    const start = found.index;
    const from = start + mark.length + 1;
    links.push({
      text: markdown.slice(from, from + text.length),
      target,
      isPicture: mark === '!',
      start,
      end: start + whole.length,
    });
  }
  for (const found of blanked.matchAll(/<(?:img|a)\b[^>]*?\b(?:src|href)="([^"]+)"/g)) {
    const [whole, target] = found;
    const start = found.index;
    links.push({ text: '', target, isPicture: true, start, end: start + whole.length });
  }
  for (const found of blanked.matchAll(/^\[[^\]]+\]: +(\S+)/gm)) {
    const [whole, target] = found;
    const start = found.index;
    links.push({ text: '', target, isPicture: true, start, end: start + whole.length });
  }
  return links.sort((one, other) => one.start - other.start);
}

/** Whether a link leads to another site. */
export function isExternal(target) {
  return /^[a-z][a-z0-9+.-]*:/i.test(target);
}
