/** The figures of `npm run structure`, on small trees whose figures are known. */

import { describe, expect, it } from 'vitest';

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

interface Measures {
  readonly lines: number;
  readonly cycles: readonly (readonly string[])[];
  readonly imports: readonly (readonly [string, number])[];
  readonly members: readonly (readonly [string, number])[];
  readonly oldWords: number;
}

const source = '../structure/measures.mjs';
const { measuresOf } = (await import(source)) as {
  measuresOf(files: readonly SourceFile[]): Measures;
};

describe('the structure of src', () => {
  it('a cycle counts types and re-exports, and leaves out what leads to it', () => {
    const { cycles, imports, lines } = measuresOf([
      { path: 'src/a.ts', text: "import type { B } from './b/b.ts';\nimport './d.ts';\n" },
      { path: 'src/b/b.ts', text: "export { c } from '../c.ts';\nimport 'node:fs';\n" },
      { path: 'src/c.ts', text: "export const c = (): void => {};\nlet a: import('./a.ts').A;\n" },
      { path: 'src/d.ts', text: "import { c } from './c.ts';\nimport { d } from './c.ts';\n" },
      { path: 'src/e.ts', text: "import './a.ts';\nimport './d.ts';\n" },
    ]);
    expect(cycles).toEqual([['src/a.ts', 'src/b/b.ts', 'src/c.ts', 'src/d.ts']]);
    expect(new Map(imports)).toEqual(
      new Map([
        ['src/a.ts', 2],
        ['src/b/b.ts', 1],
        ['src/c.ts', 1],
        ['src/d.ts', 1],
        ['src/e.ts', 2],
      ]),
    );
    expect(lines).toBe(10);
  });

  it('members are counted where others can use them, a getter and its setter once', () => {
    const text = `export class Queue {
      static of(): void {}
      readonly size = 1;
      protected kept = 1;
      private hidden = 1;
      #own = 1;
      get head(): number { return this.#own; }
      set head(value: number) { this.#own = value; }
      take(): void;
      take(count?: number): void {}
      constructor() {}
    }`;
    expect(measuresOf([{ path: 'src/queue.ts', text }]).members).toEqual([
      ['src/queue.ts Queue', 4],
    ]);
  });

  it('counts old words of every kind of source', () => {
    const files = ['src/a.ts', 'src/a.lua'].map((path) => ({ path, text: '-- a circle\n' }));
    expect(measuresOf(files).oldWords).toBe(2);
  });
});
