/** Random steps over cells of memory; what comes of them depends on their order, cell by cell. */

export interface Step {
  readonly number: number;
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

export const cellCount = 48;

/**
 * Each cell written becomes a mixture of all that are read, of all that are written, and of the
 * step.
 */
export function take(cells: Int32Array, { number, reads, writes }: Step): void {
  let mixed = number;
  for (const cell of reads) mixed = mix(mixed, cells[cell] as number);
  for (const cell of writes) mixed = mix(mixed, cells[cell] as number);
  for (const cell of writes) {
    mixed = mix(mixed, cell);
    cells[cell] = mixed;
  }
}

function mix(a: number, b: number): number {
  const mixed = Math.imul(a ^ (b + 0x9e3779b9), 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}

export function randomFrom(seed: number): (count: number) => number {
  let state = seed | 1;
  return (count) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % count;
  };
}

export function randomSteps(count: number, random: (count: number) => number): Step[] {
  const some = (countMax: number): number[] =>
    Array.from({ length: random(countMax + 1) }, () => random(cellCount));
  return Array.from({ length: count }, (_, number) => {
    return { number, reads: some(3), writes: some(2) };
  });
}

/** One by one, in order. */
export function inOrder(steps: readonly Step[]): Int32Array {
  const cells = new Int32Array(cellCount);
  for (const step of steps) take(cells, step);
  return cells;
}

export const nameOf = (cell: number): string => `cell ${cell}`;
