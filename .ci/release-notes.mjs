// Prints the section of a version of CHANGELOG.md.
//
//   node .ci/release-notes.mjs v0.2.0   fails unless package.json has that version, and the changelog
//                                       a section `## 0.2.0 - DATE` or `## 0.2.0`
import { readFileSync } from 'node:fs';

const version = (process.argv[2] ?? '').replace(/^v/, '');
const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');

const manifest = JSON.parse(read('package.json'));
if (manifest.version !== version) {
  throw new Error(`the tag is of version "${version}", package.json of "${manifest.version}"`);
}
const sections = read('CHANGELOG.md').split(/^(?=## )/m);
const section = sections.find((text) => {
  const [heading = ''] = text.split('\n');
  return heading === `## ${version}` || heading.startsWith(`## ${version} - `);
});
if (section === undefined) throw new Error(`CHANGELOG.md has no section "## ${version}"`);
console.log(section.slice(section.indexOf('\n')).trim());
