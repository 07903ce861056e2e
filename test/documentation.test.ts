/**
 * Runs what the documents show.
 *
 * Every `ts` and `js` block of README.md and docs/, and every `@example` in a doc comment, becomes
 * a file of its own: written to a folder that git ignores, type-checked, and run by Node in a
 * process of its own, as a reader would run it. There `kds` is a bundle of the sources, made once.
 * Blank lines put each line of a file at its line in the document, so that an error's position is
 * the position in the document.
 *
 * Words after the language change that: `no-run` only type-checks, `no-check` only parses.
 *
 * An example that reads `REDIS_URL` or `ETCD_URL` runs with a server of that kind, which is started
 * for such examples; where the machine has none, those examples are skipped.
 */
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sourcesByDistName } from '../entry-points.ts';
import { luaText } from '../lua-text.ts';
import { bundleBroker, removePrograms } from './broker/programs.ts';
import { freshSocketPath, removePlaces } from './broker/socket-paths.ts';
import { EtcdCluster, hasEtcd } from './etcd/server.ts';
import { describeWithRedis, startRedisServer } from './redis/server.ts';
import { removeFolder } from './temporary-folder.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** One that hangs is ended; a busy machine has long been through by then. */
const exampleTimeoutMs = 120_000;

type Treatment = 'run' | 'type-check' | 'parse';

interface Example {
  readonly path: string;
  /** Of the first line of code, counted from 1. */
  readonly line: number;
  readonly language: 'ts' | 'js';
  readonly treatment: Treatment;
  readonly code: string;
}

// ---------------------------------------------------------------------------------------------
// Finding examples

/** The `ts` and `js` blocks of a Markdown text whose first line stands at `firstLine`. */
function blocksOf(path: string, markdown: string, firstLine = 1): Example[] {
  const examples: Example[] = [];
  const lines = markdown.split('\n');
  for (let index = 0; index < lines.length; index++) {
    const [, indent = '', fence, info = ''] =
      /^( *)(`{3,}|~{3,})(.*)$/.exec(lines[index] ?? '') ?? [];
    if (fence === undefined) continue;
    const start = index + 1;
    const closes = (line: string): boolean => line.trim().startsWith(fence);
    do index++;
    while (index < lines.length && !closes(lines[index] ?? ''));
    const [language = '', ...words] = info.trim().split(/\s+/);
    if (!/^(ts|typescript|js|javascript)$/.test(language)) continue;
    examples.push({
      path,
      line: firstLine + start,
      language: language.startsWith('t') ? 'ts' : 'js',
      treatment: treatmentFor(words),
      code: lines
        .slice(start, index)
        .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
        .join('\n'),
    });
  }
  return examples;
}

function treatmentFor(words: readonly string[]): Treatment {
  if (words.includes('no-check')) return 'parse';
  return words.includes('no-run') ? 'type-check' : 'run';
}

/** The `@example` parts of doc comments: a fenced block, or plain lines of code. */
function docCommentExamplesOf(path: string, source: string): Example[] {
  return docCommentsOf(path, source).flatMap(({ text, line }) => {
    const lines = text.split('\n').map((each) => each.replace(/^\s*\/?\*+(?: |\/$|$)/, ''));
    return lines.flatMap((each, index) => {
      if (!/^\s*@example\b/.test(each)) return [];
      const next = lines.findIndex((later, at) => at > index && /^\s*@\w/.test(later));
      const body = lines.slice(index + 1, next === -1 ? undefined : next);
      const first = line + index + 1;
      const fenced = blocksOf(path, body.join('\n'), first);
      if (fenced.length > 0 || body.some((later) => /^\s*```/.test(later))) return fenced;
      const code = body.join('\n').trimEnd();
      return [{ path, line: first, language: 'ts' as const, treatment: 'run' as const, code }];
    });
  });
}

function docCommentsOf(path: string, source: string): { text: string; line: number }[] {
  const tree = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const seen = new Map<number, string>();
  const visit = (node: ts.Node): void => {
    for (const range of ts.getLeadingCommentRanges(source, node.getFullStart()) ?? []) {
      const text = source.slice(range.pos, range.end).replace(/\s*\*\/$/, '');
      if (text.startsWith('/**')) seen.set(range.pos, text);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return [...seen].map(([start, text]) => {
    return { text, line: tree.getLineAndCharacterOfPosition(start).line + 1 };
  });
}

function filesUnder(folder: string, extension: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => join(folder, name).split(sep).join('/'))
    .sort();
}

function allExamples(): Example[] {
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const documents = [...filesUnder('docs', '.md')];
  if (existsSync(join(root, 'README.md'))) documents.unshift('README.md');
  const sources = [...filesUnder('src', '.ts'), ...filesUnder('conformance', '.ts')];
  return [
    ...documents.flatMap((path) => blocksOf(path, read(path))),
    ...sources.flatMap((path) => {
      const source = read(path);
      // Nine of ten have none, and to parse all of them takes a second of CPU.
      return source.includes('@example') ? docCommentExamplesOf(path, source) : [];
    }),
  ];
}

// ---------------------------------------------------------------------------------------------
// Trying them

let folder = '';

/** Writes the module of an example, its lines where they are in the document. */
function write(example: Example): string {
  const file = fileOf(example);
  writeFileSync(file, `${'\n'.repeat(example.line - 1)}${example.code}\n`);
  return file;
}

function fileOf(example: Example): string {
  const name = `${example.path.replace(/[^a-zA-Z0-9]/g, '_')}_${example.line}`;
  return join(folder, `${name}.${example.language}`);
}

/** Runs an example to its end; an error gets the document's name and line in front. */
async function run(example: Example): Promise<void> {
  const file = write(example);
  const { code, stderr } = await runFile(compile(file));
  if (code === 0) return;
  const [, line] = new RegExp(`${relative(folder, file)}:(\\d+)`).exec(stderr) ?? [];
  // As Node tells it, it stands above the stack.
  const [, told = stderr] = /^(?:Uncaught )?(?:\w*Error: )(.*)$/m.exec(stderr) ?? [];
  const ended = code === 13 ? 'what it awaits at the top level never ends' : told;
  throw new Error(`${example.path}:${line ?? example.line} ${ended}`, { cause: stderr });
}

/** Beside it, in the JavaScript of the oldest Node, with a map back to its lines. */
function compile(file: string): string {
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    fileName: file,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: false,
      inlineSourceMap: true,
      inlineSources: true,
    },
  });
  const compiled = `${file}.mjs`;
  writeFileSync(compiled, outputText);
  return compiled;
}

/** Its exit code, null if it did not end, and what it wrote to stderr. */
function runFile(file: string): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const args = ['--enable-source-maps', file];
  const options = { cwd: folder, timeout: exampleTimeoutMs, killSignal: 'SIGKILL' } as const;
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, options, (_, __, stderr) => {
      resolve({ code: child.exitCode, stderr });
    });
  });
}

/** What `import` finds as `kds` from a folder: the sources, by the entries of the package. */
async function installPackage(into: string): Promise<void> {
  const { name, version, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const home = join(into, 'node_modules', name);
  await build({
    cwd: root,
    input: sourcesByDistName(),
    platform: 'node',
    external: /^(?!kds)[@a-z]/,
    logLevel: 'silent',
    plugins: [luaText()],
    transform: { target: 'es2022' },
    output: { dir: join(home, 'dist'), entryFileNames: '[name].js' },
  });
  copyFileSync(join(root, 'src/inspect/page.html'), join(home, 'dist/page.html'));
  const manifest = { name, version, type: 'module', exports };
  writeFileSync(join(home, 'package.json'), JSON.stringify(manifest));
  // Otherwise the examples would be part of this package, and `kds` would be its dist/.
  writeFileSync(join(into, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
}

/** What TypeScript says about a set of examples, by the file of each. */
function typeErrors(examples: readonly Example[]): Map<string, string[]> {
  const files = new Map(examples.map((example) => [write(example), example]));
  const program = ts.createProgram([...files.keys()], compilerOptions());
  const found = new Map<string, string[]>();
  for (const [file, example] of files) {
    const source = program.getSourceFile(file);
    const problems: ts.Diagnostic[] = [...program.getSyntacticDiagnostics(source)];
    const typed = example.treatment !== 'parse' && example.language === 'ts';
    if (typed) problems.push(...program.getSemanticDiagnostics(source));
    const texts = problems.map((problem) => {
      const line = source?.getLineAndCharacterOfPosition(problem.start ?? 0).line ?? 0;
      const text = ts.flattenDiagnosticMessageText(problem.messageText, '\n');
      return `${example.path}:${line + 1} ${text}`;
    });
    found.set(file, texts);
  }
  return found;
}

/** The project's own options, less those that forbid what an example does for brevity. */
function compilerOptions(): ts.CompilerOptions {
  const file = join(root, 'tsconfig.json');
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
  const brief = { noUnusedLocals: false, noUnusedParameters: false, allowUnreachableCode: true };
  return { ...options, ...brief, allowJs: true, checkJs: false };
}

beforeAll(async () => {
  // Examples of the broker start one, in a place of their own.
  await bundleBroker();
  process.env['KDS_SOCKET'] = freshSocketPath();
  mkdirSync(join(root, '.tmp-docs'), { recursive: true });
  folder = mkdtempSync(join(root, '.tmp-docs', 'run-'));
  await installPackage(folder);
});

afterAll(() => {
  delete process.env['KDS_SOCKET'];
  removePrograms();
  removePlaces();
  removeFolder(folder);
});

type Kind = 'redis' | 'etcd' | 'broker' | 'alone';

/** The server that an example needs. */
function kindOf({ code }: Example): Kind {
  if (code.includes('REDIS_URL')) return 'redis';
  if (code.includes('ETCD_URL')) return 'etcd';
  return code.includes('kds/broker') ? 'broker' : 'alone';
}

const examples = allExamples();
const titled = (list: readonly Example[]): [string, Example][] =>
  list.map((example) => [`${example.path}:${example.line}`, example]);

describe.runIf(examples.length > 0)('the examples', () => {
  let errors = new Map<string, string[]>();
  beforeAll(() => {
    errors = typeErrors(examples);
  });

  it.each(titled(examples))('%s is sound', (_, example) => {
    expect(errors.get(fileOf(example))).toEqual([]);
  });

  const timeout = 2 * exampleTimeoutMs;
  const toRun = (kind: Kind): [string, Example][] =>
    titled(examples.filter((each) => each.treatment === 'run' && kindOf(each) === kind));
  // Those of the broker share one.
  it.each(toRun('broker'))('%s runs', { timeout }, (_, example) => run(example));
  it.concurrent.each(toRun('alone'))('%s runs', { timeout }, (_, example) => run(example));

  describeWithRedis('with Redis', () => {
    let stop: (() => Promise<void>) | undefined;
    beforeAll(async () => {
      const server = await startRedisServer();
      stop = server.stop;
      process.env['REDIS_URL'] = `redis://127.0.0.1:${server.port}`;
    });
    afterAll(async () => {
      delete process.env['REDIS_URL'];
      await stop?.();
    });
    it.each(toRun('redis'))('%s runs', { timeout }, (_, example) => run(example));
  });

  describe.skipIf(!hasEtcd)(hasEtcd ? 'with etcd' : 'skipped: no etcd', () => {
    let cluster: EtcdCluster | undefined;
    beforeAll(async () => {
      cluster = await EtcdCluster.start();
      process.env['ETCD_URL'] = cluster.members[0]?.url;
    });
    afterAll(async () => {
      delete process.env['ETCD_URL'];
      await cluster?.remove();
    });
    it.each(toRun('etcd'))('%s runs', { timeout }, (_, example) => run(example));
  });
});

describe('the search for examples', () => {
  it('finds blocks of code with their lines, and leaves other languages alone', () => {
    const markdown = [
      '# Title',
      '```ts',
      'one();',
      '```',
      '```sh',
      '```',
      '- ```js no-run',
      '  ```js no-run',
      '  two();',
      '    three();',
      '  ```',
      '~~~ts no-check',
      'four(',
      '~~~',
    ].join('\n');
    const found = blocksOf('a.md', markdown);
    expect(found).toEqual([
      { path: 'a.md', line: 3, language: 'ts', treatment: 'run', code: 'one();' },
      {
        path: 'a.md',
        line: 9,
        language: 'js',
        treatment: 'type-check',
        code: 'two();\n  three();',
      },
      { path: 'a.md', line: 13, language: 'ts', treatment: 'parse', code: 'four(' },
    ]);
  });

  it('finds plain and fenced examples in doc comments', () => {
    const source = [
      '/**',
      ' * Does it.',
      ' *',
      ' * @example',
      ' * one();',
      ' *   two();',
      ' *',
      ' * @throws {Error} never',
      ' */',
      'export function doIt(): void {}',
      'class A {',
      '  /**',
      '   * @example',
      '   * ```ts no-run',
      '   * three();',
      '   * ```',
      '   */',
      '  m(): void {}',
      '}',
      "const notOne = '/** @example */';",
    ].join('\n');
    expect(docCommentExamplesOf('a.ts', source)).toEqual([
      { path: 'a.ts', line: 5, language: 'ts', treatment: 'run', code: 'one();\n  two();' },
      { path: 'a.ts', line: 15, language: 'ts', treatment: 'type-check', code: 'three();' },
    ]);
  });
});

describe('the trial of examples', () => {
  const example = (code: string): Example => {
    return { path: 'docs/page.md', line: 20, language: 'ts', treatment: 'run', code };
  };

  it('runs `await using` at the top level', async () => {
    const code = [
      'const seen: string[] = [];',
      '{',
      '  await using thing = { async [Symbol.asyncDispose]() { seen.push("gone"); } };',
      '  void thing;',
      '}',
      'if (seen[0] !== "gone") throw new Error("not disposed of");',
    ].join('\n');
    await run(example(code));
  });

  it('an example that throws is reported at its line in the document', async () => {
    const failing = { ...example('const a = 1;\n\nthrow new Error("no " + a);'), line: 40 };
    await expect(run(failing)).rejects.toThrow('docs/page.md:42 no 1');
  });

  it('an example that awaits what never comes is reported', async () => {
    const stuck = { ...example('await new Promise(() => {});'), line: 80 };
    await expect(run(stuck)).rejects.toThrow('docs/page.md:80 what it awaits at the top level');
  });

  it('an example with a type error is reported at its line in the document', () => {
    const wrong = { ...example('\nconst a: string = 1;'), line: 60 };
    const [found] = typeErrors([wrong]).values();
    expect(found).toEqual(["docs/page.md:61 Type 'number' is not assignable to type 'string'."]);
  });
});
