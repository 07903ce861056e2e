/**
 * The rules of the tree, checked on the tree itself.
 *
 * Rooms: each folder may import only what ARCHITECTURE.md lists for it. Files are parsed with
 * TypeScript's own parser, so that a path in a comment or a string is not taken for an import.
 * Tidiness: line length, names, sizes, links. Every rule is a pure function from text to
 * complaints, and the last group shows that each of them can complain.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, join, normalize, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const columnsMax = 100;
const sourceLinesMax = 600;

interface SourceFile {
  /** Relative to the root of the tree, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly line: number;
  /** What stands between the quotes; `undefined` if it is computed. */
  readonly specifier: string | undefined;
  readonly typeOnly: boolean;
}

/** What a room may import besides its own files. */
interface Room {
  readonly name: string;
  readonly values: readonly RegExp[];
  readonly types?: readonly RegExp[];
  readonly packages?: readonly string[] | 'any';
  readonly builtins?: boolean;
}

// ---------------------------------------------------------------------------------------------
// The rooms

const runtime = /^src\/runtime\//;
const core = /^src\/core\//;
const api = /^src\/api\//;
const report = /^src\/report\//;
const session = /^src\/session\//;
const local = /^src\/local\//;
const remote = /^src\/remote\//;
const oracle = /^src\/oracle\//;
/** Grants of every backend have it. */
const innerDomain = /^src\/backends\/process\/inner-domain\.ts$/;

/** The room that a file belongs to: its rules, or `undefined` where nothing is laid down. */
function roomOf(path: string): Room | undefined {
  const [top = '', second = '', third = ''] = path.split('/');
  if (top === 'src') {
    if (path === 'src/index.ts') return { name: path, values: [api, /^src\/backends\/process\//] };
    if (second === 'runtime') return { name: 'src/runtime', values: [] };
    if (second === 'core') return { name: 'src/core', values: [] };
    if (second === 'api') return { name: 'src/api', values: [runtime], types: [core] };
    if (second === 'report') return { name: 'src/report', values: [core, api, runtime] };
    if (second === 'session') return { name: 'src/session', values: [api, runtime] };
    if (second === 'local') {
      return { name: 'src/local', values: [core, api, report, runtime, session] };
    }
    if (second === 'remote') {
      return { name: 'src/remote', values: [api, report, runtime, session, innerDomain] };
    }
    if (second === 'backends') return backendRoom(path);
    if (second === 'recipes') return { name: `src/recipes/${third}`, values: [api, runtime] };
    if (second === 'oracle') return { name: 'src/oracle', values: [] };
    if (second === 'inspect') return inspectRoom(path);
    if (second === 'test-runners') return testRunnerRoom(path);
    if (second === 'cli') {
      const rooms = /^src\/(recipes|inspect|api|report|runtime)\//;
      const values = [/^src\/backends\/(broker|redis)\//, /^src\/index\.ts$/, rooms];
      const packages = ['ioredis', 'iovalkey', 'redis'];
      return { name: 'src/cli', values, packages, builtins: true };
    }
    return { name: path, values: [] };
  }
  if (top === 'conformance') {
    const values = [api, runtime, oracle];
    return { name: 'conformance', values, packages: ['fast-check', 'vitest'] };
  }
  if (top === 'model' || top === 'sim') {
    const values = [/^src\//, /^conformance\//, ...(top === 'model' ? [/^sim\//] : [])];
    return { name: top, values, packages: 'any', builtins: true };
  }
  if (top === 'bench') {
    const values = [/^src\//, /^dist\//, /^package\.json$/];
    return { name: top, values, packages: 'any', builtins: true };
  }
  return undefined;
}

/** Each client library is a peer that one file may load. */
function inspectRoom(path: string): Room {
  const peers: Readonly<Record<string, string>> = {
    'src/inspect/otel.ts': '@opentelemetry/api',
    'src/inspect/prometheus.ts': 'prom-client',
  };
  const peer = peers[path];
  const packages = peer === undefined ? [] : [peer];
  const values = [api, report, runtime, oracle];
  return { name: 'src/inspect', values, packages, builtins: true };
}

/** Each meets one test runner. */
function testRunnerRoom(path: string): Room {
  const runners: Readonly<Record<string, string>> = {
    'src/test-runners/vitest.ts': 'vitest',
    'src/test-runners/playwright.ts': '@playwright/test',
  };
  const runner = runners[path];
  const packages = runner === undefined ? [] : [runner];
  const values = [api, runtime, /^src\/backends\/broker\//];
  return { name: 'src/test-runners', values, packages, builtins: true };
}

function backendRoom(path: string): Room {
  const backend = path.split('/')[2];
  const name = `src/backends/${backend}`;
  if (backend === 'process' || backend === 'threads') {
    return { name, values: [core, api, report, runtime, session, local, innerDomain] };
  }
  const values = [core, api, report, runtime, remote];
  if (backend === 'redis') return { name, values, packages: 'any', builtins: true };
  // The program of the broker serves the domain of one event loop.
  if (path.startsWith('src/backends/broker/server/')) {
    values.push(/^src\/backends\/process\//, /^src\/inspect\//);
  }
  return { name, values, builtins: true };
}

/** Says which imports of a file its room does not allow. */
function forbiddenImports(file: SourceFile): string[] {
  const room = roomOf(file.path);
  if (room === undefined) return [];
  const complaints: string[] = [];
  for (const entry of importsOf(file)) {
    const reason = whyForbidden(file.path, room, entry);
    if (reason !== undefined) complaints.push(`${file.path}:${entry.line} ${reason}`);
  }
  return complaints;
}

function whyForbidden(path: string, room: Room, entry: Import): string | undefined {
  const { specifier } = entry;
  if (specifier === undefined) {
    const computed = room.name.startsWith('src/') && room.builtins !== true;
    return computed ? `${room.name} may not import a computed path` : undefined;
  }
  if (isBuiltin(specifier)) {
    return room.builtins === true ? undefined : `${room.name} may not import ${specifier}`;
  }
  if (!specifier.startsWith('.')) {
    const allowed = room.packages ?? [];
    if (allowed === 'any' || allowed.includes(specifier)) return undefined;
    return `${room.name} may not import the package ${specifier}`;
  }
  const target = normalize(join(dirname(path), specifier))
    .split(sep)
    .join('/');
  if (target === room.name || target.startsWith(`${room.name}/`)) return undefined;
  if (room.values.some((pattern) => pattern.test(target))) return undefined;
  if (room.types?.some((pattern) => pattern.test(target))) {
    return entry.typeOnly ? undefined : `${room.name} may import only types of ${target}`;
  }
  return `${room.name} may not import ${target}`;
}

/** Every import, re-export, dynamic import and import type of a file. */
function importsOf(file: SourceFile): Import[] {
  const tree = parse(file);
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: string | undefined, typeOnly: boolean): void => {
    const line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
    found.push({ line, specifier, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      add(node, textOf(node.moduleSpecifier), typeOnly);
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node, textOf(node.moduleSpecifier), node.isTypeOnly);
    } else if (ts.isExternalModuleReference(node)) {
      add(node, textOf(node.expression), false);
    } else if (ts.isImportTypeNode(node)) {
      add(node, ts.isLiteralTypeNode(node.argument) ? textOf(node.argument.literal) : '', true);
    } else if (ts.isCallExpression(node) && isLoad(node.expression)) {
      add(node, textOf(node.arguments[0]), false);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function isLoad(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  return ts.isIdentifier(callee) && callee.text === 'require';
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

function parse(file: SourceFile): ts.SourceFile {
  return ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);
}

// ---------------------------------------------------------------------------------------------
// Tidiness

function longLines(file: SourceFile): string[] {
  const tooLong = (line: string): boolean => line.length > columnsMax;
  return linesWhere(file, tooLong, `is longer than ${columnsMax} columns`);
}

function unfinishedMarks(file: SourceFile): string[] {
  return linesWhere(file, (line) => /\bFIX(?:ME)\b/.test(line), 'is marked as broken');
}

function linesWhere(file: SourceFile, bad: (line: string) => boolean, what: string): string[] {
  const lines = file.text.split('\n');
  return lines.flatMap((line, index) => (bad(line) ? [`${file.path}:${index + 1} ${what}`] : []));
}

function defaultExports(file: SourceFile): string[] {
  const tree = parse(file);
  const complaints: string[] = [];
  const complain = (node: ts.Node): void => {
    const line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
    complaints.push(`${file.path}:${line} exports a default`);
  };
  for (const statement of tree.statements) {
    if (ts.isExportAssignment(statement)) complain(statement);
    const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
    if (modifiers?.some((one) => one.kind === ts.SyntaxKind.DefaultKeyword)) complain(statement);
    if (!ts.isExportDeclaration(statement) || statement.exportClause === undefined) continue;
    if (!ts.isNamedExports(statement.exportClause)) continue;
    for (const element of statement.exportClause.elements) {
      if (element.name.text === 'default') complain(element);
    }
  }
  return complaints;
}

/** Time that is read or waited for past the clock that a backend is given. */
function uninjectedTime(file: SourceFile): string[] {
  const call = /\b(Date\.now|performance\.now|set(Timeout|Interval))\(|\bnew (Date\(\)|Timer\()/;
  return linesWhere(file, (line) => call.test(line), 'goes by a time that no clock was asked for');
}

function drawerNames(path: string): string[] {
  const drawer = /^(utils?|helpers?|common|misc|types?)$/;
  const parts = path.split('/').map((part) => part.split('.')[0] ?? '');
  return parts.some((part) => drawer.test(part)) ? [`${path} is named for no one thing`] : [];
}

function unkebabNames(path: string): string[] {
  const kebab = /^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/;
  // Python imports by the file's name, and a name there has no hyphen.
  const python = /^[a-z0-9]+(_[a-z0-9]+)*\.py$/;
  const isOther = (part: string): boolean => part === 'README.md' || python.test(part);
  const bad = path.split('/').filter((part) => !isOther(part) && !kebab.test(part));
  return bad.length > 0 ? [`${path} is not in kebab-case`] : [];
}

function oversize(file: SourceFile): string[] {
  const count = file.text.split('\n').length - 1;
  return count > sourceLinesMax ? [`${file.path} has ${count} lines`] : [];
}

/** Decisions that a text cites by number and that have no record in docs/decisions. */
function missingDecisions(file: SourceFile, numbers: ReadonlySet<string>): string[] {
  const lines = file.text.split('\n');
  return lines.flatMap((line, index) =>
    [...line.matchAll(/\bdecisions\/(\d{4})/g)]
      .filter(([, number = '']) => !numbers.has(number))
      .map(([cited]) => `${file.path}:${index + 1} cites ${cited}, which does not exist`),
  );
}

// ---------------------------------------------------------------------------------------------
// The tree

function filesUnder(folder: string): string[] {
  const start = join(root, folder);
  if (!existsSync(start)) return [];
  return readdirSync(start, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

function load(paths: readonly string[]): SourceFile[] {
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

const folders = ['src', 'conformance', 'model', 'sim', 'test', 'bench', 'examples', 'mutation'];
const allPaths = [...folders, 'structure'].flatMap(filesUnder);
const sources = load(allPaths.filter((path) => /\.([cm]?[jt]s)$/.test(path)));
const typescriptSources = sources.filter((file) => file.path.endsWith('.ts'));
const documents = load(
  [
    ...filesUnder('docs'),
    ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].filter((path) =>
      existsSync(join(root, path)),
    ),
  ].filter((path) => path.endsWith('.md')),
);

describe('rooms', () => {
  const rooms = new Set(sources.flatMap((file) => roomOf(file.path)?.name ?? []));

  it.each([...rooms].sort())('%s imports only what it may', (name) => {
    const files = sources.filter((file) => roomOf(file.path)?.name === name);
    expect(files.flatMap(forbiddenImports)).toEqual([]);
  });
});

describe('the tree is tidy', () => {
  it(`no line is longer than ${columnsMax} columns`, () => {
    expect(typescriptSources.flatMap(longLines)).toEqual([]);
  });

  it('nothing exports a default', () => {
    const files = sources.filter((file) => !file.path.endsWith('.config.ts'));
    expect(files.flatMap(defaultExports)).toEqual([]);
  });

  it('nothing is marked as broken and left so', () => {
    expect([...sources, ...documents].flatMap(unfinishedMarks)).toEqual([]);
  });

  it('backends that a simulation runs go by the clock that they are given', () => {
    const simulated = /^src\/(remote|backends\/(broker|etcd|redis))\//;
    expect(sources.filter(({ path }) => simulated.test(path)).flatMap(uninjectedTime)).toEqual([]);
  });

  it('no file and no folder is a drawer for odds and ends', () => {
    expect(allPaths.flatMap(drawerNames)).toEqual([]);
  });

  it('files and folders are named in kebab-case', () => {
    expect(allPaths.flatMap(unkebabNames)).toEqual([]);
  });

  it(`no file under src has more than ${sourceLinesMax} lines`, () => {
    expect(sources.filter((file) => file.path.startsWith('src/')).flatMap(oversize)).toEqual([]);
  });

  it('every decision that is cited by its number exists', () => {
    const numbers = new Set(filesUnder('docs/decisions').map((path) => basename(path).slice(0, 4)));
    const files = [...sources, ...documents];
    expect(files.flatMap((file) => missingDecisions(file, numbers))).toEqual([]);
  });
});

describe('the rules can fail', () => {
  const complaintsAbout = (path: string, text: string): string[] =>
    forbiddenImports({ path, text });

  it.each([
    ['src/core/queue.ts', "import { readFileSync } from 'node:fs';"],
    ['src/core/queue.ts', "import { readFileSync } from 'fs';"],
    ['src/core/queue.ts', "import { Grant } from '../api/grant.ts';"],
    ['src/core/queue.ts', "export * from '../core-of-others/queue.ts';"],
    ['src/core/queue.ts', "const path = 'node:fs';\nawait import(path);"],
    ['src/api/grant.ts', "import { Core } from '../core/index.ts';"],
    ['src/api/grant.ts', "import { type Core } from '../core/index.ts';"],
    ['src/api/grant.ts', "import '../core/index.ts';"],
    ['src/api/grant.ts', "export { Core } from '../core/index.ts';"],
    ['src/api/grant.ts', "import type { Host } from '../backends/process/index.ts';"],
    ['src/backends/process/domain.ts', "import { Worker } from '../threads/worker.ts';"],
    ['src/backends/process/domain.ts', "const store = await import('node:async_hooks');"],
    ['src/backends/process/domain.ts', "const store = require('async_hooks');"],
    ['src/backends/threads/domain.ts', "import { Redis } from 'ioredis';"],
    ['src/recipes/classic/index.ts', "import { Core } from '../../core/index.ts';"],
    ['src/recipes/classic/index.ts', "import { Job } from '../jobs/index.ts';"],
    ['src/recipes/classic/index.ts', "let job: import('../jobs/index.ts').Job;"],
    ['src/inspect/trace.ts', "import { Core } from '../core/index.ts';"],
    ['src/session/session.ts', "import type { Operations } from '../local/operations.ts';"],
    ['src/session/session.ts', "import type { RemoteBackend } from '../remote/backend.ts';"],
    ['src/session/session.ts', "import { GRANTED } from '../core/index.ts';"],
    ['src/cli/run.ts', "import { createDomain } from '../backends/process/index.ts';"],
    [
      'src/backends/broker/client/domain.ts',
      "import { createDomain } from '../../process/index.ts';",
    ],
    ['src/remote/grant.ts', "import { createDomain } from '../backends/process/domain.ts';"],
    ['src/runtime/fifo.ts', "import { Grant } from '../api/grant.ts';"],
    ['src/backends/broker/server/main.ts', "import { Session } from '../../../local/session.ts';"],
    ['src/index.ts', "export { Core } from './core/index.ts';"],
    ['src/index.ts', "export { openThreadsDomain } from './backends/threads/index.ts';"],
    ['conformance/index.ts', "import { createDomain } from '../src/backends/process/index.ts';"],
    ['model/worlds.ts', "import { walk } from '../test/walk.ts';"],
  ])('%s may not say %s', (path, text) => {
    expect(complaintsAbout(path, text)).toHaveLength(1);
  });

  it.each([
    ['src/core/queue.ts', "import { words } from './words.ts';"],
    ['src/core/queue.ts', "// import { readFileSync } from 'node:fs';"],
    ['src/api/grant.ts', "import type { Core } from '../core/index.ts';"],
    ['src/api/grant.ts', "export type { Core } from '../core/index.ts';"],
    ['src/api/grant.ts', "let core: import('../core/index.ts').Core;"],
    ['src/backends/process/domain.ts', "import { Core } from '../../core/index.ts';"],
    ['src/backends/broker/server/broker.ts', "import { Server } from 'node:net';"],
    ['src/backends/redis/domain.ts', "import type { Redis } from 'ioredis';"],
    ['src/recipes/classic/index.ts', "import { KdsError } from '../../api/errors.ts';"],
    ['src/remote/grant.ts', "import { openInner } from '../backends/process/inner-domain.ts';"],
    ['src/cli/run.ts', "import { openBrokerDomain } from '../backends/broker/index.ts';"],
    ['src/cli/serve.ts', "import { runBroker } from '../backends/broker/server/run-broker.ts';"],
    [
      'src/backends/broker/server/run-broker.ts',
      "import { createDomain } from '../../process/index.ts';",
    ],
    ['src/index.ts', "export { createDomain } from './backends/process/index.ts';"],
    ['conformance/index.ts', "import { assert } from 'fast-check';"],
  ])('%s may say %s', (path, text) => {
    expect(complaintsAbout(path, text)).toEqual([]);
  });

  it('a complaint names the file, the line and the room', () => {
    const text = "\nimport { Core } from '../core/index.ts';\n";
    expect(complaintsAbout('src/api/grant.ts', text)).toEqual([
      'src/api/grant.ts:2 src/api may import only types of src/core/index.ts',
    ]);
  });

  it('each rule of tidiness sees what it is there for', () => {
    const file = (text: string): SourceFile => ({ path: 'src/a.ts', text });
    expect(longLines(file(`${'x'.repeat(columnsMax)}\n`))).toEqual([]);
    expect(longLines(file(`\n${'x'.repeat(columnsMax + 1)}`))).toHaveLength(1);
    expect(unfinishedMarks(file(`// ${'FIX'}${'ME'} later`))).toHaveLength(1);
    expect(defaultExports(file('export default 1;'))).toHaveLength(1);
    expect(defaultExports(file('export default function f() {}'))).toHaveLength(1);
    expect(defaultExports(file('const a = 1;\nexport { a as default };'))).toHaveLength(1);
    expect(uninjectedTime(file('setTimeout(retry, 10);'))).toHaveLength(1);
    expect(uninjectedTime(file('const untilMs = Date.now() + 10;'))).toHaveLength(1);
    expect(uninjectedTime(file('clock.after(10, retry);'))).toEqual([]);
    expect(drawerNames('src/utils/queue.ts')).toHaveLength(1);
    expect(drawerNames('src/core/helpers.ts')).toHaveLength(1);
    expect(drawerNames('src/core/type-of-link.ts')).toEqual([]);
    expect(unkebabNames('src/core/wordLayout.ts')).toHaveLength(1);
    expect(unkebabNames('src/core/word-layout.test.ts')).toEqual([]);
    expect(unkebabNames('examples/python/kds_client.py')).toEqual([]);
    expect(unkebabNames('examples/python/KdsClient.py')).toHaveLength(1);
    expect(oversize(file('\n'.repeat(sourceLinesMax)))).toEqual([]);
    expect(oversize(file('\n'.repeat(sourceLinesMax + 1)))).toHaveLength(1);
  });

  it('a decision without a record is seen, one with a record is not', () => {
    const text = `// docs/${'decisions'}/0001\n// (docs/${'decisions'}/0099)`;
    expect(missingDecisions({ path: 'src/a.ts', text }, new Set(['0001']))).toEqual([
      `src/a.ts:2 cites ${'decisions'}/0099, which does not exist`,
    ]);
  });

  it('the walk finds this very file', () => {
    expect(allPaths).toContain(`test/${basename(fileURLToPath(import.meta.url))}`);
  });
});
