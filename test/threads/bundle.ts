/**
 * Worker entries are TypeScript and import the sources; Node's workers want a file of JavaScript,
 * and so do browsers.
 *
 * With `countSteps` every write to shared words in src/core and src/backends/threads is preceded by
 * a call of `globalThis.kdsStep`, if there is one: the step counter that is compiled in for tests
 * only. It is called when the operands have been evaluated, just before the words change, so that
 * who never returns from it, or throws, leaves them as a thread that ends there would.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, rolldown } from 'rolldown';
import ts from 'typescript';
import { luaText } from '../../lua-text.ts';
import { cachedBundle } from '../bundle-cache.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const fileName = 'entry.mjs';
const counted = [join(root, 'src', 'core') + sep, join(root, 'src', 'backends', 'threads') + sep];

/** What is written to, by the last part of its name, and is shared. */
const views = /(^|[.#])(w|d|words|doubles|control|start)$/;
const atomics = /(^Atomics|[.#]steps|^steps)$/;
const atomicSteps = /^(load|store|exchange|compareExchange|add|wait|notify)$/;

export interface BundleOptions {
  /** Call `globalThis.kdsStep` before each change of shared words. Default false. */
  readonly countSteps?: boolean;
  /** For a browser nothing is left to be imported. Default 'node'. */
  readonly platform?: 'node' | 'browser';
  /** Before all others: they see the sources as they are. */
  readonly plugins?: readonly Plugin[];
}

export interface Bundle {
  /** For `new Worker(path)`, or for `import()`. */
  readonly path: string;
  /** Deletes it, unless other tests may use it too: those without plugins are made once. */
  remove(): void;
}

/**
 * Bundles a worker's entry, or a module, for this Node or for a browser.
 *
 * @example
 * const bundle = await bundleWorker(new URL('./worker.ts', import.meta.url));
 * const worker = new Worker(bundle.path, { workerData: createArena() });
 * // ...
 * bundle.remove();
 */
export async function bundleWorker(
  entry: URL | string,
  { countSteps = false, platform = 'node', plugins = [] }: BundleOptions = {},
): Promise<Bundle> {
  const input = typeof entry === 'string' ? entry : fileURLToPath(entry);
  const make = async (folder: string): Promise<void> => {
    const bundle = await rolldown({
      input,
      cwd: root,
      platform,
      ...(platform === 'node' && { external: /^[@a-z]/ }),
      logLevel: 'silent',
      transform: { target: 'es2022' },
      plugins: [...plugins, ...(countSteps ? [stepCounter()] : []), luaText()],
    });
    try {
      await bundle.write({
        file: join(folder, fileName),
        format: 'esm',
        codeSplitting: false,
        ...(countSteps && { banner: stepped }),
      });
    } finally {
      await bundle.close();
    }
  };
  if (plugins.length === 0) {
    const folder = await cachedBundle(JSON.stringify([input, countSteps, platform]), make);
    return { path: join(folder, fileName), remove: () => undefined };
  }
  const folder = mkdtempSync(join(root, '.tmp-threads-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    await make(folder);
  } catch (error) {
    remove();
    throw error;
  }
  return { path: join(folder, fileName), remove };
}

/** A step, after its operands. */
const stepped = 'const kdsStepped = (value) => { globalThis.kdsStep?.(); return value; };';
const step = 'globalThis.kdsStep?.()';

function stepCounter(): Plugin {
  return {
    name: 'step-counter',
    transform: (code, id) => {
      if (!counted.some((folder) => id.startsWith(folder))) return null;
      return { code: countSteps(id, code), map: null };
    },
  };
}

/** The same source, with a step before each change of shared words. */
function countSteps(path: string, code: string): string {
  const tree = ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true);
  const insertions: { readonly at: number; readonly text: string }[] = [];
  const wrap = (node: ts.Node, before: string): void => {
    insertions.push({ at: node.getStart(tree), text: before }, { at: node.getEnd(), text: ')' });
  };
  const visit = (node: ts.Node): void => {
    // Whatever is within comes first at its end, and last at its start.
    if (ts.isBinaryExpression(node) && isAssignment(node) && isShared(node.left, tree)) {
      visit(node.left);
      wrap(node.right, 'kdsStepped(');
      visit(node.right);
      return;
    }
    if (isChangeByOne(node) && isShared(node.operand, tree)) wrap(node, `(${step}, `);
    if (ts.isCallExpression(node) && isAtomicStep(node, tree)) wrap(node, `(${step}, `);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  // Stable: of two at one place the outer one was found first, which is right for what begins
  // there; of what ends there the inner one has to come first, but all ends look the same.
  insertions.sort((a, b) => a.at - b.at);
  let counted = '';
  let end = 0;
  for (const { at, text } of insertions) {
    counted += code.slice(end, at) + text;
    end = at;
  }
  return counted + code.slice(end);
}

function isAssignment({ operatorToken: { kind } }: ts.BinaryExpression): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

function isChangeByOne(
  node: ts.Node,
): node is ts.PrefixUnaryExpression | ts.PostfixUnaryExpression {
  if (!ts.isPrefixUnaryExpression(node) && !ts.isPostfixUnaryExpression(node)) return false;
  const { operator } = node;
  return operator === ts.SyntaxKind.PlusPlusToken || operator === ts.SyntaxKind.MinusMinusToken;
}

/** @throws Error for an element that may be shared or not: give its array one of the names. */
function isShared(target: ts.Expression, tree: ts.SourceFile): boolean {
  if (!ts.isElementAccessExpression(target)) return false;
  const { expression } = target;
  const name = expression.getText(tree);
  if (views.test(name) || ts.isNewExpression(expression)) return true;
  throw new Error(`${tree.fileName} writes to ${name}[...]: is that shared?`);
}

function isAtomicStep({ expression }: ts.CallExpression, tree: ts.SourceFile): boolean {
  if (!ts.isPropertyAccessExpression(expression)) return false;
  const receiver = expression.expression.getText(tree);
  const method = expression.name.text;
  if (method === 'fill') return views.test(receiver);
  if (method === 'grow') return receiver === 'buffer';
  return atomics.test(receiver) && atomicSteps.test(method);
}
