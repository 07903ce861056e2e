/**
 * Where a fault is put in: a function or method by its name, and in it a run of tokens. Neither the
 * file nor the layout of the text matters, so a fault survives moves and formatting; a fault whose
 * place is gone, or is there twice, is an error.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** The sources of a folder, and the tokens of each function and method, for {@link siteOf}. */
export function readSources(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  return files.map((name) => {
    const file = join(folder, name);
    const text = readFileSync(file, 'utf8');
    const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
    return { file, text, bodies: bodiesIn(tree) };
  });
}

/** The file, and from where to where in it the tokens of a fault are. */
export function siteOf({ name, in: functionName, find }, sources) {
  const wanted = tokensOf(find).map(({ text }) => text);
  const sites = sources.flatMap(({ file, text, bodies }) =>
    bodies
      .filter((body) => body.name === functionName)
      .flatMap((body) =>
        placesOf(wanted, tokensOf(text.slice(body.start, body.end))).map(([start, end]) => {
          return { file, start: body.start + start, end: body.start + end };
        }),
      ),
  );
  if (sites.length !== 1) {
    throw new Error(`"${name}": found ${sites.length} times in ${functionName}, not once`);
  }
  return sites[0];
}

function bodiesIn(tree) {
  const bodies = [];
  const visit = (node) => {
    const isFunction = ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node);
    if (isFunction && node.body !== undefined) {
      bodies.push({ name: node.name.text, start: node.getStart(tree), end: node.end });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return bodies;
}

/** Without spaces and comments. */
function tokensOf(text) {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, text);
  const tokens = [];
  while (scanner.scan() !== ts.SyntaxKind.EndOfFileToken) {
    const start = scanner.getTokenStart();
    tokens.push({ text: scanner.getTokenText(), start, end: scanner.getTokenEnd() });
  }
  return tokens;
}

function placesOf(wanted, tokens) {
  const places = [];
  for (let at = 0; at + wanted.length <= tokens.length; at++) {
    const isThere = wanted.every((text, index) => tokens[at + index].text === text);
    if (isThere) places.push([tokens[at].start, tokens[at + wanted.length - 1].end]);
  }
  return places;
}
